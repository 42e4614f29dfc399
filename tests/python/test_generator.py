"""ModelConfigGenerator: Triton's dict and file of a bound model."""

from __future__ import annotations

import numpy as np
import pytest

from pytriton.exceptions import PyTritonBadParameterError
from pytriton.model_config import DeviceKind, DynamicBatcher, QueuePolicy, TimeoutAction
from pytriton.model_config.common import ModelWarmup, WarmupInput
from pytriton.model_config.generator import ModelConfigGenerator
from pytriton.model_config.triton_model_config import (
    ResponseCache,
    TensorSpec,
    TritonModelConfig,
)

FULL = TritonModelConfig(
    model_name="m",
    max_batch_size=16,
    batcher=DynamicBatcher(
        max_queue_delay_microseconds=100,
        preferred_batch_size=[4, 8],
        preserve_ordering=True,
        priority_levels=2,
        default_priority_level=1,
        default_queue_policy=QueuePolicy(TimeoutAction.DELAY, 5, True, 6),
        priority_queue_policy={2: QueuePolicy()},
    ),
    instance_group={DeviceKind.KIND_CPU: 2},
    decoupled=True,
    backend_parameters={"key": 'a "quoted"\nvalue'},
    inputs=[TensorSpec("a", (-1, 3), np.float32), TensorSpec("b", (1,), bytes, optional=True)],
    outputs=[TensorSpec("c", (1,), np.bool_)],
    response_cache=ResponseCache(enable=True),
    model_warmup=[ModelWarmup("w", 2, {"a": WarmupInput(np.int8, (1,), random_data=True)}, 3)],
)


def test_writes_what_is_relevant_in_order():
    policy = {
        "timeoutAction": "DELAY",
        "defaultTimeoutMicroseconds": 5,
        "allowTimeoutOverride": True,
        "maxQueueSize": 6,
    }
    plain = {
        "timeoutAction": "REJECT",
        "defaultTimeoutMicroseconds": 0,
        "allowTimeoutOverride": False,
        "maxQueueSize": 0,
    }
    config = ModelConfigGenerator(FULL).get_config()
    assert list(config.items()) == [
        ("name", "m"),
        ("backend", "python"),
        ("max_batch_size", 16),
        (
            "dynamic_batching",
            {
                "maxQueueDelayMicroseconds": 100,
                "preferredBatchSize": [4, 8],
                "preserveOrdering": True,
                "priorityLevels": 2,
                "defaultPriorityLevel": 1,
                "defaultQueuePolicy": policy,
                "priorityQueuePolicy": {2: plain},
            },
        ),
        (
            "input",
            [
                {"name": "a", "dims": [-1, 3], "data_type": "TYPE_FP32"},
                {"name": "b", "dims": [1], "data_type": "TYPE_STRING", "optional": True},
            ],
        ),
        ("output", [{"name": "c", "dims": [1], "data_type": "TYPE_BOOL"}]),
        ("instance_group", [{"count": 2, "kind": "KIND_CPU"}]),
        ("model_transaction_policy", {"decoupled": True}),
        ("parameters", {"key": {"string_value": 'a "quoted"\nvalue'}}),
        ("response_cache", {"enable": True}),
        (
            "model_warmup",
            [
                {
                    "name": "w",
                    "batch_size": 2,
                    "inputs": {"a": {"data_type": "TYPE_INT8", "dims": [1], "random_data": True}},
                    "count": 3,
                }
            ],
        ),
    ]


def test_without_batching_there_is_no_batcher():
    config = ModelConfigGenerator(
        TritonModelConfig("m", batching=False, batcher=DynamicBatcher())
    ).get_config()
    assert config == {"name": "m", "backend": "python", "max_batch_size": 0}


def test_the_file_is_what_triton_reads(tmp_path):
    text_format = pytest.importorskip("google.protobuf.text_format")
    service = pytest.importorskip("tritonclient.grpc.model_config_pb2")
    path = tmp_path / "m" / "config.pbtxt"
    ModelConfigGenerator(FULL).to_file(path)
    read = text_format.Parse(path.read_text(), service.ModelConfig())
    assert read.name == "m"
    assert read.max_batch_size == 16
    assert read.parameters["key"].string_value == 'a "quoted"\nvalue'
    batching = read.dynamic_batching
    assert list(batching.preferred_batch_size) == [4, 8]
    assert batching.default_queue_policy.timeout_action == 1
    assert set(batching.priority_queue_policy) == {2}
    assert [item.optional for item in read.input] == [False, True]
    assert list(read.input[0].dims) == [-1, 3]
    assert read.model_warmup[0].inputs["a"].random_data


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ({"max_batch_size": 0}, "The `max_batch_size` must be greater or equal to 1."),
        (
            {"batcher": DynamicBatcher(priority_levels=2)},
            "The `default_priority_level` must be between 1 and 2.",
        ),
        (
            {"batcher": DynamicBatcher(priority_queue_policy={1: QueuePolicy()})},
            "Provide the `priority_levels` if you want to define `priority_queue_policy`",
        ),
        (
            {"outputs": [TensorSpec(n, (1,), np.int8, optional=True) for n in "ab"]},
            "Optional flag for outputs is not supported. Outputs marked as optional: a, b.",
        ),
        (
            {"model_warmup": [ModelWarmup("w", 1, {"a": WarmupInput(np.int8, (1,))}, 1)]},
            "One of 'zero_data', 'random_data', or 'input_data_file' must be provided",
        ),
    ],
)
def test_contradictions_are_refused(config, text):
    with pytest.raises(PyTritonBadParameterError) as error:
        ModelConfigGenerator(TritonModelConfig("m", **config)).get_config()
    assert text in str(error.value)
