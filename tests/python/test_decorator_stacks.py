"""Decorators on top of each other, as PyTriton documents them, and the finer points of each."""

from __future__ import annotations

import numpy as np
import pytest

from python.running import ANY_PORTS
from python.test_decorators import bind, request
from pytriton.client import FuturesModelClient, ModelClient
from pytriton.decorators import (
    ConstantPadder,
    ModelConfigDict,
    TritonContext,
    batch,
    convert_output,
    fill_optionals,
    first_value,
    get_inference_request_batch_size,
    group_by_keys,
    group_by_values,
    sample,
    triton_context,
)
from pytriton.exceptions import PyTritonRuntimeError, PyTritonValidationError
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.model_config.triton_model_config import TensorSpec, TritonModelConfig
from pytriton.proxy.types import Request
from pytriton.triton import Triton, TritonConfig


def lists(results):
    return [{name: value.tolist() for name, value in result.items()} for result in results]


def test_the_documented_stack_serves_optional_inputs_and_ragged_results(serve, protocol):
    """fill_optionals, group_by_keys, batch, group_by_values, first_value, function."""
    calls = []

    @fill_optionals(scale=np.array([10], np.int64))
    @group_by_keys
    @batch
    @group_by_values("length", pad_fn=ConstantPadder(-1))
    @first_value("length")
    def repeat(value, length, scale, offset=None):
        calls.append((len(value), int(length), offset is not None))
        result = np.repeat(value * scale, length, axis=1)
        return {"out": result if offset is None else result + offset}

    names = ("value", "length", "scale", "offset")
    inputs = [Tensor((1,), np.int64, name, optional=name in ("scale", "offset")) for name in names]
    batcher = DynamicBatcher(max_queue_delay_microseconds=300_000)
    running = serve(
        repeat, inputs, [Tensor((-1,), np.int64, "out")], max_batch_size=8, batcher=batcher
    )
    port = running.triton.grpc_port if protocol == "grpc" else running.triton.http_port
    questions = [
        ({"value": [1], "length": [2]}, [10, 10]),
        ({"value": [2], "length": [3]}, [20, 20, 20]),
        ({"value": [3], "length": [2], "scale": [1]}, [3, 3]),
        ({"value": [4], "length": [1], "offset": [5]}, [45]),
    ]
    with FuturesModelClient(f"{protocol}://127.0.0.1:{port}", "M", max_workers=4) as client:
        futures = [
            client.infer_sample(**{name: np.array(v, np.int64) for name, v in question.items()})
            for question, _ in questions
        ]
        answers = [future.result(60)["out"].tolist() for future in futures]
    # What was merged is padded to the longest of its batch.
    for answer, (_, expected) in zip(answers, questions):
        assert answer[: len(expected)] == expected
        assert set(answer[len(expected) :]) <= {-1}
    assert sum(rows for rows, _, _ in calls) == 4
    assert sum(rows for rows, _, has_offset in calls if has_offset) == 1


def test_groups_of_values_are_called_in_the_order_of_their_bytes():
    seen = []

    @batch
    @group_by_values("t")
    def function(a, t):
        seen.append((t.ravel().tolist(), a.ravel().tolist()))
        return {"x": a}

    bind(function)
    values = np.array([[b"b"], [b"a"], [b"b"], [b"aa"]], object)
    result = function([Request({"a": np.arange(4).reshape(4, 1), "t": values})])
    assert lists(result) == [{"x": [[0], [1], [2], [3]]}]
    assert [group for group, _ in seen] == [[b"a"], [b"b", b"b"], [b"aa"]]
    assert [rows for _, rows in seen] == [[1], [0, 2], [3]]


def test_groups_by_two_keys_differ_in_either():
    sizes = []

    @batch
    @group_by_values("a", "t")
    def function(a, t):
        sizes.append(len(a))
        return {"x": a}

    bind(function)
    requests = [
        request(a=[[1], [1], [2]], t=np.array([[b"p"], [b"q"], [b"p"]], object)),
        request(a=[[1]], t=np.array([[b"p"]], object)),
    ]
    function(requests)
    assert sorted(sizes) == [1, 1, 2]


def test_later_groups_are_cast_to_the_first_ones_type():
    @batch
    @group_by_values("a")
    def function(a):
        return {"x": a.astype(np.int32) if a[0, 0] == 1 else a + 0.75}

    bind(function)
    (result,) = function([request(a=[[2], [1]])])
    assert result["x"].tolist() == [[2], [1]]


def test_groups_must_give_dictionaries():
    @batch
    @group_by_values("a")
    def function(a):
        return [a]

    bind(function)
    with pytest.raises(Exception, match="list"):
        function([request(a=[[2], [1]])])


def test_group_by_keys_sorts_groups_by_their_names():
    seen = []

    @group_by_keys
    def function(requests):
        seen.append([sorted(r.keys()) for r in requests])
        return [{"x": r["a"]} for r in requests]

    requests = [request(a=[[1]], t=[[b"x"]]), request(a=[[2]]), request(t=[[b"y"]], a=[[3]])]
    assert lists(function(requests)) == [{"x": [[1]]}, {"x": [[2]]}, {"x": [[3]]}]
    assert seen == [[["a"]], [["a", "t"], ["a", "t"]]]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([[1, 2]], 1),  # squeezed: every dimension is 1
        ([[1], [1]], 1),
    ],
)
def test_first_value_squeezes_single_values(given, expected):
    seen = []

    @batch
    @first_value("a", squeeze_single_values=True, strict=False)
    def function(a):
        seen.append(a)
        return {"x": np.zeros((len(given), 1), np.int64)}

    bind(function)
    function([request(a=given)])
    assert np.ravel(seen[0])[0] == expected
    assert np.ndim(seen[0]) == (0 if len(given[0]) == 1 else 1)


def test_first_value_keeps_arrays_when_told():
    seen = []

    @batch
    @first_value("a", squeeze_single_values=False)
    def function(a):
        seen.append(a.tolist())
        return {"x": np.zeros((2, 1), np.int64)}

    bind(function)
    function([request(a=[[7], [7]])])
    assert seen == [[7]]


def test_nan_is_no_equal_value():
    @batch
    @first_value("a")
    def function(a):
        return {"x": np.zeros((2, 1), np.int64)}

    bind(function)
    with pytest.raises(PyTritonRuntimeError, match="are not equal"):
        function([request(a=[[np.nan], [np.nan]])])


def test_first_value_of_undecorated_requests_works_on_each():
    @first_value("a")
    def function(requests):
        return [{"x": np.array([[r["a"]]])} for r in requests]

    bind(function)
    assert lists(function([request(a=[[5], [5]]), request(a=[[6]])])) == [
        {"x": [[5]]},
        {"x": [[6]]},
    ]


def test_defaults_are_tiled_over_the_batch_or_used_as_they_are():
    @fill_optionals(a=np.array([3, 4]))
    def function(requests):
        return [{"x": r["a"]} for r in requests]

    bind(function)
    text = np.array([[b"p"], [b"q"]], object)
    assert lists(function([Request({"t": text})])) == [{"x": [[3, 4], [3, 4]]}]
    bind(function, batching=False)
    assert lists(function([Request({"t": text[0]})])) == [{"x": [3, 4]}]


def test_sample_maps_lists_and_refuses_others():
    @sample
    def function(a):
        return [a, a + 1] if a[0] == 1 else a

    bind(function, batching=False)
    assert lists(function([request(a=[1])])) == [{"x": [1], "y": [2]}]
    with pytest.raises(PyTritonValidationError, match="Unsupported output type"):
        function([request(a=[2])])


def test_constant_padder_widens_strings_and_passes_missing_names_by():
    padded = ConstantPadder(0)(
        [
            {"s": np.array([[b"abc", b"d"]]), "only": np.ones((1, 1))},
            {"s": np.array([[b"e"]])},
        ]
    )
    assert [item["s"].tolist() for item in padded] == [[[b"abc", b"d"]], [[b"e", b""]]]
    assert "only" not in padded[1]
    assert padded[0]["only"].tolist() == [[1.0]]


def test_helpers():
    assert get_inference_request_batch_size(request(a=[[1], [2]], t=[[b"x"]])) == 2
    config = TritonModelConfig(
        "m", outputs=[TensorSpec("p", (1,), int), TensorSpec("q", (1,), int)]
    )
    assert convert_output((1, 2), model_config=config) == {"p": 1, "q": 2}
    assert convert_output({"z": 1}, model_config=config) == {"z": 1}
    with pytest.raises(PyTritonValidationError, match="Outputs length different"):
        convert_output([1], model_config=config)
    configs = ModelConfigDict()
    with pytest.raises(KeyError):
        configs[len]
    configs[len] = config
    assert configs[len] is config
    assert (configs.get(len), configs.get(max), list(configs)) == (config, None, [len])
    del configs[len]
    assert len not in configs
    assert not configs


def test_a_context_may_be_set_on_a_decorated_function():
    @sample
    @triton_context
    def function(triton_context, a):
        return [a * len(triton_context.model_configs)]

    context = TritonContext()
    context.model_configs[function] = TritonModelConfig(
        "m", outputs=[TensorSpec("p", (1,), np.int64)]
    )
    function.__triton_context__ = context
    (result,) = function([request(a=[[7]])])
    assert result["p"].tolist() == [[7]]


def test_errors_under_decorators_reach_the_client(serve):
    @batch
    @group_by_values("a")
    def function(a):
        raise KeyError("deep inside")

    tensor = [Tensor((1,), np.int64, "a")]
    running = serve(function, tensor, tensor)
    with ModelClient(f"127.0.0.1:{running.triton.http_port}", "M") as client:
        with pytest.raises(Exception, match="deep inside"):
            client.infer_batch(np.ones((2, 1), np.int64))


def test_the_context_tells_the_configuration_as_documented(protocol):
    """PyTriton's documentation reads `triton_context.model_config`, which it does not have."""

    @batch
    @triton_context
    def tells(x, triton_context):
        return [x * triton_context.model_config.max_batch_size]

    x, y = (Tensor((1,), np.int64, name) for name in "xy")
    with Triton(config=TritonConfig(**ANY_PORTS)) as triton:
        for size in (2, 3):
            triton.bind(f"M{size}", tells, [x], [y], config=ModelConfig(max_batch_size=size))
        port = triton.grpc_port if protocol == "grpc" else triton.http_port
        for size in (2, 3):
            with ModelClient(f"{protocol}://localhost:{port}", f"M{size}") as client:
                assert client.infer_sample(np.array([1]))["y"].tolist() == [size]


def test_without_a_running_callable_the_context_tells_the_only_configuration():
    context = TritonContext()
    with pytest.raises(AttributeError, match="got 0"):
        _ = context.model_config
    context.model_configs[sorted] = TritonModelConfig("m")
    assert context.model_config.model_name == "m"
    context.model_configs[len] = TritonModelConfig("n")
    with pytest.raises(AttributeError, match="got 2"):
        _ = context.model_config
