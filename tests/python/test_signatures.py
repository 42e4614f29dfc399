"""What a callable's signature tells: tensors from type hints, and mistakes that bind explains."""

from __future__ import annotations

from typing import Annotated, TypedDict

import numpy as np
import pytest

import pytriton.testing
from python.running import Running
from pytriton.decorators import batch, fill_optionals, first_value, sample, triton_context
from pytriton.exceptions import PyTritonBadParameterError, PyTritonValidationError
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

Row = Annotated[np.ndarray, Tensor(shape=(2,), dtype="float32")]
Text = Annotated[np.ndarray, Tensor(shape=(1,), dtype=str, name="words")]


class Both(TypedDict):
    total: Row
    words: Text


def bound(function, *args, **kwargs):
    triton = Triton(config=TritonConfig(http_port=0))
    triton.bind("M", function, *args, **kwargs)
    (binding,) = triton._models.values()
    return binding.config


def specs(tensors):
    return [(spec.name, spec.shape, spec.dtype) for spec in tensors]


def test_hints_stand_in_for_inputs_and_outputs():
    @batch
    def add(a: Row, b: Row, words: Text) -> Both:
        return {"total": a + b, "words": words}

    config = bound(add)
    rows = ((2,), np.float32)
    assert specs(config.inputs) == [("a", *rows), ("b", *rows), ("words", (1,), np.bytes_)]
    assert specs(config.outputs) == [("total", *rows), ("words", (1,), np.bytes_)]


def test_hints_of_methods_objects_and_tuples():
    class Model:
        @batch
        def method(self, a: Row) -> tuple[Row, Text]:
            return a, a

        @sample
        def __call__(self, b: Text) -> Row:
            return [b]

    by_method = bound(Model().method)
    assert [spec.name for spec in by_method.inputs] == ["a"]
    assert [spec.name for spec in by_method.outputs] == ["OUTPUT_1", "words"]
    by_object = bound(Model(), config=ModelConfig(batching=False))
    assert [spec.name for spec in by_object.inputs] == ["b"]


def test_hinted_function_is_served():
    @batch
    def double(a: Row) -> Row:
        return [a * 2]

    with pytriton.testing.serve(double) as served:
        running = Running(served.triton)
        answer = running.infer("http", {"a": np.ones((1, 2), np.float32)}, model="model")
        running.close()
    assert answer["OUTPUT_1"].tolist() == [[2, 2]]


def test_without_hints_bind_says_what_is_missing():
    with pytest.raises(PyTritonValidationError, match=r"inputs are not known: give inputs"):
        bound(batch(lambda a: a))


@pytest.mark.parametrize(
    ("tensor", "text"),
    [
        (
            Tensor(name="x", shape=3, dtype=np.int8),
            r"Tensor `x`: expected a tuple .*\(3,\)",
        ),
        (Tensor(name="x", shape=(1, -2), dtype=np.int8), "Tensor `x`: .* got -2"),
        (Tensor(name="x", shape=(1.5,), dtype=np.int8), "Tensor `x`: .* got 1.5"),
        (Tensor(shape=(1,), dtype=np.complex64), "Tensor `INPUT_1`: expected a bool, integer"),
        (Tensor(shape=(1,), dtype="datetime64[s]"), "Tensor `INPUT_1`: expected"),
        (np.float32, r"inputs\[0\]: expected a Tensor, got type"),
    ],
)
def test_bad_tensors_are_named(tensor, text):
    with pytest.raises(PyTritonBadParameterError, match=text):
        bound(lambda requests: requests, [tensor], [])


def test_two_tensors_of_one_name_are_refused():
    twice = [Tensor(name="x", shape=(1,), dtype=np.int8)] * 2
    with pytest.raises(PyTritonBadParameterError, match=r"`x`.*twice in outputs"):
        bound(lambda requests: requests, [], twice)


INPUTS = [Tensor(name=name, shape=(1,), dtype=np.int8) for name in ("a", "b")]


def test_function_must_take_the_inputs():
    @batch
    def f(a, c): ...

    @batch
    def g(a, b, c): ...

    with pytest.raises(PyTritonValidationError, match=r"Input `b`: `f` has no argument.*a, c"):
        bound(f, INPUTS, [])
    with pytest.raises(PyTritonValidationError, match="Argument `c` of `g`: the model has no"):
        bound(g, INPUTS, [])


def test_functions_that_take_them_in_other_ways_pass():
    @batch
    @triton_context
    def with_context(a, b, triton_context): ...

    for function in (
        batch(lambda **inputs: None),
        batch(lambda a, b, c=1: None),
        with_context,
        lambda requests: None,
    ):
        bound(function, INPUTS, [])


def test_one_function_serves_two_models_with_their_own_names():
    # The decorators look the model up when they are called (upstream: the last one bound).
    @fill_optionals(a=np.array([5], np.int8))
    @batch
    @first_value("a")
    def f(a, **rest):
        return [np.full((1, 1), a, np.int8)]

    def tensors(*names):
        return [Tensor(name=n, shape=(1,), dtype=np.int8, optional=n == "a") for n in names]

    triton = Triton(config=TritonConfig(**pytriton.testing.FREE_PORTS))
    out = [Tensor(name=name, shape=(1,), dtype=np.int8) for name in ("x", "y")]
    triton.bind("one", f, tensors("a", "b"), out[:1])
    triton.bind("two", f, tensors("a", "c"), out[1:])
    with triton:
        running = Running(triton)
        row = np.zeros((1, 1), np.int8)
        assert running.infer("http", {"b": row}, model="one")["x"].tolist() == [[5]]
        assert running.infer("http", {"c": row}, model="two")["y"].tolist() == [[5]]
        running.close()


def test_a_server_shows_its_models_in_a_notebook():
    triton = Triton(config=TritonConfig(**pytriton.testing.FREE_PORTS))
    triton.bind("M", lambda requests: requests, INPUTS, INPUTS)
    assert "not running" in triton._repr_html_()
    with triton:
        shown = triton._repr_html_()
    assert "serving on HTTP port" in shown
    assert "<td>a: INT8[batch, 1]<br>b: INT8[batch, 1]</td>" in shown
