from __future__ import annotations

import numpy as np
import pytest

from pytriton._datatypes import wire_type
from pytriton.model_config.triton_model_config import TensorSpec, TritonModelConfig
from pytriton.proxy.types import Request, Response
from pytriton.proxy.validators import TritonResultsValidator

SPECS = [
    TensorSpec("x", (2,), np.float32),
    TensorSpec("s", (-1,), bytes),
    TensorSpec("b", (-1,), "bfloat16"),
]
CONFIG = TritonModelConfig(model_name="M", outputs=SPECS)
DTYPES = {spec.name: wire_type(spec.dtype, spec.name) for spec in SPECS}


@pytest.mark.parametrize(
    ("result", "text"),
    [
        ({"x": 1}, "Outputs returned by `M` model callable must be list of response dicts"),
        ([], r"\(0\) does not match number of requests \(1\) received from Triton"),
        ([1], "Got response=1 instead"),
        ([{1: np.zeros(1)}], "Not all keys returned by `M` model callable are string"),
        ([{"x": [1]}], "Not all values returned by `M` model callable are numpy arrays"),
        ([{"x": np.zeros(1, complex)}], "Returned `x` for model `M` has `c` dtype.kind"),
        ([{"s": np.array([b"a", "b"], object)}], "Use string/byte-string instead of object"),
        ([{"s": np.array([b"a", 1], object)}], "Returned `s` from `M` has `<class 'int'>` type"),
    ],
)
def test_refuses(result, text):
    with pytest.raises(ValueError, match=text):
        TritonResultsValidator(CONFIG, False).validate_responses(result, 1)


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ({"q": np.zeros((1, 2), np.float32)}, "Returned output `q` is not defined in model config"),
        ({"x": np.zeros((1, 2))}, r"invalid type. Returned: float64 \(f\). Expected: <class 'num"),
        ({"x": np.array([[b"a"]])}, "invalid type"),
        ({"s": np.zeros((1, 1))}, "invalid type"),
        ({"b": np.zeros((1, 1))}, "invalid type"),
        ({"x": np.zeros(2, np.float32)}, r"invalid shapes. Returned: \(\). Expected: \(2,\)"),
        ({"x": np.zeros((1, 3), np.float32)}, "invalid shapes at one or more positions"),
    ],
)
def test_strict_refuses(output, text):
    with pytest.raises(ValueError, match=text):
        TritonResultsValidator(CONFIG, True).validate_responses([output], 1)
    assert TritonResultsValidator(CONFIG, False).validate_responses([output], 1) == [output]


def test_accepts_requests_and_responses_as_results():
    data = {"x": np.zeros((1, 2), np.float32)}
    validator = TritonResultsValidator(CONFIG, True)
    assert validator.validate_responses([Request(data), Response(data)], 2) == [data, data]


def test_empty_object_arrays_are_fine():
    output = {"s": np.zeros((0, 1), object)}
    assert TritonResultsValidator(CONFIG, True).validate_responses([output], 1) == [output]


def convert(**outputs):
    return TritonResultsValidator(CONFIG, False).convert(outputs, DTYPES)


def test_conversion_drops_undeclared_outputs():
    assert convert(q=np.zeros(1)) == {}


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6).reshape(3, 2),
        np.arange(12.0).reshape(3, 4)[:, ::2],
        np.asfortranarray(np.ones((2, 3), np.float32)),
        np.ones(3, ">f4"),
        np.ma.masked_array(np.ones(2)),
        np.float32(1) * np.ones(()),
        np.zeros((0, 2)),
    ],
)
def test_conversion_gives_plain_contiguous_arrays_of_the_declared_type(value):
    result = convert(x=value)["x"]
    assert type(result) is np.ndarray
    assert result.dtype == np.float32
    assert result.dtype.isnative
    assert result.flags.c_contiguous
    assert result.shape == value.shape
    np.testing.assert_array_equal(result, value)


def test_conversion_makes_text_of_numbers():
    assert convert(s=np.array([1, 23]))["s"].tolist() == [b"1", b"23"]


def test_a_value_that_cannot_be_converted_is_an_error():
    with pytest.raises(ValueError, match="`x` has type <U3, which can't be converted"):
        convert(x=np.array(["abc"]))
