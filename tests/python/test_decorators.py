from __future__ import annotations

import functools
import inspect

import numpy as np
import pytest

from pytriton import decorators
from pytriton._model_context import inject_triton_context
from pytriton.decorators import TritonContext, batch, sample
from pytriton.exceptions import (
    PyTritonBadParameterError,
    PyTritonRuntimeError,
    PyTritonValidationError,
)
from pytriton.model_config import DynamicBatcher
from pytriton.model_config.triton_model_config import TensorSpec, TritonModelConfig
from pytriton.proxy.types import Request


def request(**arrays):
    return Request({name: np.array(value) for name, value in arrays.items()})


def bind(function, **changes):
    config = TritonModelConfig(
        model_name="M",
        inputs=[TensorSpec("a", (-1,), np.int64), TensorSpec("t", (1,), object)],
        outputs=[TensorSpec("x", (-1,), np.int64), TensorSpec("y", (-1,), np.int64)],
        **changes,
    )
    inject_triton_context(TritonContext(), function, config)
    return function


def assert_results(results, expected):
    assert [{n: v.tolist() for n, v in result.items()} for result in results] == expected


class Adder:
    def __init__(self, n):
        self.n = n

    @batch
    def infer(self, a):
        """Adds."""
        return {"x": a + self.n}

    @batch
    def __call__(self, a):
        return [a + self.n, a]


@batch
def double(a):
    """Doubles."""
    return {"x": a * 2}


TWO = [request(a=[[1], [2]]), request(a=[[3]])]


def test_batch_joins_and_splits():
    assert_results(double(TWO), [{"x": [[2], [4]]}, {"x": [[6]]}])


@pytest.mark.parametrize("decorate", [batch, batch()])
def test_batch_works_with_and_without_parentheses(decorate):
    assert_results(decorate(lambda a: {"x": a})(TWO[:1]), [{"x": [[1], [2]]}])


def test_batch_works_on_methods_and_keeps_instances_apart():
    assert_results(Adder(1).infer(TWO[:1]), [{"x": [[2], [3]]}])
    assert_results(Adder(2).infer(TWO[:1]), [{"x": [[3], [4]]}])


def test_batch_works_on_call_of_objects():
    adder = Adder(1)
    bind(adder.__call__)
    assert_results(adder(TWO[1:]), [{"x": [[4]], "y": [[3]]}])


def test_batch_forwards_other_arguments():
    @batch
    def function(extra, a, scale):
        return {"x": a * scale + extra}

    assert_results(function(TWO[1:], 5, scale=2), [{"x": [[11]]}])


def test_decorators_keep_name_signature_and_docstring():
    assert double.__name__ == "double"
    assert double.__doc__ == "Doubles."
    assert str(inspect.signature(double)) == "(a)"


def test_batch_maps_lists_to_outputs_in_order():
    function = bind(batch(lambda a: (a, a + 1)))
    assert_results(function(TWO[1:]), [{"x": [[3]], "y": [[4]]}])


def test_batch_streams_what_a_generator_yields():
    @batch
    def function(a):
        for i in range(2):
            yield {"x": a + i}

    items = list(function(TWO))
    assert_results(items[1], [{"x": [[2], [3]]}, {"x": [[4]]}])


@pytest.mark.parametrize(
    ("result", "error", "text"),
    [
        ([np.zeros(3)], PyTritonValidationError, "Outputs length different than config outputs"),
        (np.zeros(3), PyTritonValidationError, "Unsupported output type <class 'numpy.ndarray'>."),
        (None, PyTritonValidationError, "Unsupported output type <class 'NoneType'>."),
        (
            {"x": np.zeros((2, 1))},
            ValueError,
            r"different batch sizes: x: \(2, 1\). Expected batch size: 3. ",
        ),
    ],
)
def test_batch_refuses_other_results(result, error, text):
    with pytest.raises(error, match=text):
        bind(batch(lambda a: result))(TWO)


def test_batch_refuses_different_inputs():
    with pytest.raises(PyTritonValidationError, match="different set of inputs keys"):
        double([request(a=[[1]]), request(b=[[1]])])


def test_unbound_callable_has_no_context():
    with pytest.raises(PyTritonValidationError, match="must bound with triton to get  __triton"):
        batch(lambda a: [a, a])(TWO)


def test_sample_calls_with_the_only_request():
    function = bind(sample(lambda a: [a, a + 1]))
    assert_results(function([request(a=[1])]), [{"x": [1], "y": [2]}])


def test_triton_context_is_given():
    @decorators.triton_context
    def function(requests, triton_context):
        return triton_context.model_configs[function].model_name

    assert bind(function)([]) == "M"


def test_group_by_keys_calls_once_a_group_and_keeps_the_order():
    calls = []

    @decorators.group_by_keys
    @batch
    def function(**inputs):
        calls.append(sorted(inputs))
        return {"x": inputs["a"]}

    requests = [request(a=[[1]], b=[[0]]), request(a=[[2]]), request(a=[[3]], b=[[0]])]
    assert_results(function(requests), [{"x": [[1]]}, {"x": [[2]]}, {"x": [[3]]}])
    assert calls == [["a"], ["a", "b"]]


def test_group_by_values_calls_once_a_value():
    calls = []

    @batch
    @decorators.group_by_values("t")
    def function(a, t):
        calls.append(t.ravel().tolist())
        return {"x": a * 10}

    t = np.array([[b"q"], [b"p"], [b"q"]], dtype=object)
    requests = [Request({"a": np.array([[1], [2], [3]]), "t": t})]
    assert_results(function(requests), [{"x": [[10], [20], [30]]}])
    assert calls == [[b"p"], [b"q", b"q"]]


def test_group_by_values_must_be_under_batch():
    function = decorators.group_by_values("a")(double)
    with pytest.raises(PyTritonRuntimeError, match="must be used after the @batch"):
        function(a=np.zeros((1, 1)))


def test_constant_padder_pads_to_the_largest():
    padder = decorators.ConstantPadder(7)
    first, second = padder([{"x": np.array([[1, 2]])}, {"x": np.array([[3]])}])
    assert first["x"].tolist() == [[1, 2]]
    assert second["x"].tolist() == [[3, 7]]


def test_constant_padder_refuses_different_types():
    with pytest.raises(PyTritonRuntimeError, match="must have the same dtype"):
        decorators.ConstantPadder()([{"x": np.zeros((1, 1))}, {"x": np.zeros((1, 1), np.int8)}])


def test_fill_optionals_fills_what_is_missing():
    @decorators.fill_optionals(a=np.array([5]), t=np.array([b"z"]))
    def function(requests):
        return [dict(r.items()) for r in requests]

    (result,) = bind(function)([request(a=[[1], [2]])])
    assert result["a"].tolist() == [[1], [2]]
    assert result["t"].tolist() == [[b"z"], [b"z"]]


@pytest.mark.parametrize(
    ("defaults", "text"),
    [
        ({"q": np.zeros(1), "b": np.zeros(1)}, "Could not found b, q inputs"),
        ({"a": 1}, "Could not use a=1 defaults as they are not NumPy arrays"),
        ({"a": np.zeros(1)}, "different than input signature dtypes"),
        ({"a": np.zeros((1, 1), np.int64)}, "different than input signature shapes"),
    ],
)
def test_fill_optionals_checks_defaults(defaults, text):
    function = bind(decorators.fill_optionals(**defaults)(lambda requests: requests))
    with pytest.raises(PyTritonBadParameterError, match=text):
        function([request(a=[[1]])])


def test_pad_batch_pads_to_a_preferred_size_and_cuts_again():
    sizes = []

    @batch
    @decorators.pad_batch
    def function(a):
        sizes.append(len(a))
        return {"x": a}

    bind(function, max_batch_size=8, batcher=DynamicBatcher(preferred_batch_size=[4]))
    assert_results(function(TWO), [{"x": [[1], [2]]}, {"x": [[3]]}])
    assert sizes == [4]


def test_pad_batch_cuts_what_generators_yield():
    @batch
    @decorators.pad_batch
    def function(a):
        yield {"x": a}
        yield {"x": a + 1}

    bind(function, max_batch_size=8)
    first, second = function(TWO)
    assert_results(first, [{"x": [[1], [2]]}, {"x": [[3]]}])
    assert_results(second, [{"x": [[2], [3]]}, {"x": [[4]]}])


def test_pad_batch_without_batch_gives_the_padded_rows():
    function = bind(decorators.pad_batch(lambda a: {"x": a}), max_batch_size=4)
    assert function(a=np.array([[1], [2]]))["x"].tolist() == [[1], [2], [2], [2]]


def test_first_value_gives_scalars():
    @batch
    @decorators.first_value("a")
    def function(a):
        assert a == 2
        return {"x": np.full((3, 1), a)}

    same = [request(a=[[2], [2]]), request(a=[[2]])]
    assert_results(bind(function)(same), [{"x": [[2], [2]]}, {"x": [[2]]}])


def test_first_value_refuses_different_values_when_strict():
    function = bind(batch(decorators.first_value("a")(lambda a: {"x": a})))
    with pytest.raises(PyTritonRuntimeError, match="The values on the 'a' input are not equal"):
        function(TWO)


def test_first_value_needs_batching():
    function = bind(decorators.first_value("a")(lambda a: a), batching=False)
    with pytest.raises(PyTritonRuntimeError, match="only be used with models that support"):
        function(a=np.zeros((1, 1)))


def test_first_value_refuses_the_reserved_key():
    with pytest.raises(PyTritonBadParameterError, match="not allowed as keys"):
        decorators.first_value("__triton_context__")


def test_partial_of_a_decorated_function_is_called_through():
    @batch
    def function(a, scale):
        return {"x": a * scale}

    assert_results(functools.partial(function, scale=3)(TWO[1:]), [{"x": [[9]]}])
