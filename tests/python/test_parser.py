"""ModelConfigParser: from a server's dict, and from config.pbtxt, back to a TritonModelConfig."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from python.running import ANY_PORTS
from pytriton.client import ModelClient
from pytriton.exceptions import PyTritonModelConfigError
from pytriton.model_config import DeviceKind, DynamicBatcher, QueuePolicy, TimeoutAction
from pytriton.model_config.common import ModelWarmup, WarmupInput
from pytriton.model_config.generator import ModelConfigGenerator
from pytriton.model_config.parser import ModelConfigParser
from pytriton.model_config.triton_model_config import (
    ResponseCache,
    TensorSpec,
    TritonModelConfig,
)
from pytriton.triton import Triton, TritonConfig

PLAIN = TritonModelConfig(
    "m",
    max_batch_size=8,
    inputs=[TensorSpec("x", (-1, 3), np.float32)],
    outputs=[TensorSpec("y", (1,), np.int64)],
)
VARIANTS = {
    "plain": {},
    "without batches": {"batching": False, "max_batch_size": 0},
    "batcher": {"batcher": DynamicBatcher(max_queue_delay_microseconds=7, preserve_ordering=True)},
    "preferred sizes": {"batcher": DynamicBatcher(preferred_batch_size=[2, 4])},
    "priorities": {
        "batcher": DynamicBatcher(
            priority_levels=3,
            default_priority_level=2,
            default_queue_policy=QueuePolicy(TimeoutAction.DELAY, 11, True, 12),
            priority_queue_policy={1: QueuePolicy(max_queue_size=4), 3: QueuePolicy()},
        )
    },
    "instances": {"instance_group": {DeviceKind.KIND_CPU: 3}},
    "automatic instances": {"instance_group": {DeviceKind.KIND_AUTO: 1}},
    "decoupled": {"decoupled": True},
    "parameters": {"backend_parameters": {"a": 'text "in" quotes\\n\nline', "b": "ünï"}},
    "cache": {"response_cache": ResponseCache(enable=True)},
    "warm-up": {
        "model_warmup": [
            ModelWarmup("zero", 2, {"x": WarmupInput(np.float32, (2, 3), zero_data=True)}, 1),
            ModelWarmup(
                "both",
                1,
                {
                    "x": WarmupInput(np.bytes_, (1,), random_data=True),
                    "z": WarmupInput(np.dtype("bool"), (1,), input_data_file="rows.npy"),
                },
                3,
            ),
        ]
    },
    "optional input": {"inputs": [TensorSpec("x", (1,), np.bytes_, optional=True)]},
    "types": {
        "inputs": [
            TensorSpec(f"x{i}", (1,), dtype)
            for i, dtype in enumerate(
                (np.int8, np.uint8, np.uint16, np.uint32, np.uint64, np.float16, np.float64)
            )
        ],
        "outputs": [TensorSpec("y", (1,), np.dtype("bool")), TensorSpec("z", (1,), "bfloat16")],
    },
}


@pytest.mark.parametrize("name", VARIANTS)
def test_what_the_generator_writes_to_a_file_is_read_back(name, tmp_path):
    config = dataclasses.replace(PLAIN, **VARIANTS[name])
    path = tmp_path / "deep" / "config.pbtxt"
    ModelConfigGenerator(config).to_file(path)
    found = ModelConfigParser.from_file(config_path=path)
    assert found == config


def test_a_warm_up_of_an_unknown_type_is_refused():
    item = {"name": "w", "batch_size": 1, "count": 1, "inputs": {"x": {"data_type": "FP33"}}}
    with pytest.raises(PyTritonModelConfigError, match="Invalid data type `FP33` for x"):
        ModelConfigParser.from_dict({"name": "m", "model_warmup": [item]})


@pytest.mark.parametrize("sizes", [None, [], [4, 8]])
def test_preferred_sizes_that_are_not_told_stay_unknown(sizes):
    batching = {} if sizes is None else {"preferred_batch_size": sizes}
    config = {"name": "m", "max_batch_size": 8, "dynamic_batching": batching}
    found = ModelConfigParser.from_dict(config).batcher
    assert found == DynamicBatcher(preferred_batch_size=sizes)


def test_a_file_that_is_none_is_refused_with_its_place(tmp_path):
    path = tmp_path / "config.pbtxt"
    path.write_text('name: "m"\nmax_batch_sizes: 4\n')
    with pytest.raises(PyTritonModelConfigError, match=r"config\.pbtxt: line 2.*max_batch_sizes"):
        ModelConfigParser.from_file(config_path=path)
    with pytest.raises(FileNotFoundError):
        ModelConfigParser.from_file(config_path=tmp_path / "none")


def test_hand_written_files_are_read(tmp_path):
    path = tmp_path / "config.pbtxt"
    path.write_text(
        """
        # as in Triton's documentation
        platform: "tensorrt_plan"  max_batch_size: 8
        input [ { name: "input0", data_type: TYPE_FP32, dims: [ 16 ] },
                { name: 'input1'  data_type: TYPE_STRING  dims: [ -1, 2 ] } ]
        output { name: "output0" data_type: TYPE_BOOL dims: 1 }
        dynamic_batching { }
        """
    )
    found = ModelConfigParser.from_file(config_path=path)
    assert found.inputs == [
        TensorSpec("input0", (16,), np.float32),
        TensorSpec("input1", (-1, 2), np.bytes_),
    ]
    assert found.outputs == [TensorSpec("output0", (1,), np.dtype("bool"))]
    assert (found.max_batch_size, found.batching) == (8, True)
    assert isinstance(found.batcher, DynamicBatcher)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ({}, "Name for input at index 3 not provided."),
        ({"name": "x"}, "Data type for input with name `x` not defined."),
        (
            {"name": "x", "data_type": "FP32"},
            "Invalid data type `FP32` for input with name `x` not defined. "
            "The expected name is TYPE_{type}.",
        ),
        ({"name": "x", "data_type": "TYPE_X"}, "Unsupported data type `TYPE_X`"),
        ({"name": "x", "data_type": "TYPE_FP32"}, "Dimension for input with name `x` not defined."),
        ({"name": "x", "data_type": "TYPE_FP32", "dims": []}, "Dimension for input"),
    ],
)
def test_incomplete_tensors_are_named(item, message):
    with pytest.raises(PyTritonModelConfigError) as error:
        ModelConfigParser.rewrite_io_spec(item, "input", 3)
    assert message in str(error.value)


@pytest.mark.parametrize("found", [{}, {"input": [], "output": []}])
def test_without_tensors_there_are_none(found):
    config = ModelConfigParser.from_dict({"name": "m", "max_batch_size": 0, **found})
    assert (config.inputs, config.outputs, config.batching) == (None, None, False)
    assert config.model_version == 1


def test_parameters_may_be_names_only():
    assert ModelConfigParser.from_dict({"name": "m", "parameters": ["a"]}).backend_parameters == {
        "a": ""
    }
    with pytest.raises(TypeError):
        ModelConfigParser.from_dict({"name": "m", "parameters": "a"})


WARMED = """
backend: "identity"
max_batch_size: 8
input { name: "x" data_type: TYPE_FP32 dims: 4 }
output { name: "x" data_type: TYPE_FP32 dims: 4 }
model_warmup {
  name: "zero"
  batch_size: 2
  count: 3
  inputs { key: "x" value { data_type: TYPE_FP32 dims: 4 zero_data: true } }
}
"""


def test_warm_ups_are_told_over_both_protocols(tmp_path, protocol):
    (tmp_path / "m" / "1").mkdir(parents=True)
    (tmp_path / "m" / "config.pbtxt").write_text(WARMED)
    with Triton(config=TritonConfig(**ANY_PORTS, model_repository=tmp_path)) as triton:
        port = triton.grpc_port if protocol == "grpc" else triton.http_port
        with ModelClient(f"{protocol}://127.0.0.1:{port}", "m") as client:
            found = client.model_config.model_warmup
    x = WarmupInput(np.float32, (4,), zero_data=True)
    assert found == [ModelWarmup("zero", 2, {"x": x}, 3)]
