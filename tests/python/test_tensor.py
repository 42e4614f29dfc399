from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from pytriton._datatypes import wire_type
from pytriton.exceptions import PyTritonBadParameterError
from pytriton.model_config import Tensor


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.dtype("float32"), np.float32),
        (np.float32, np.float32),
        ("float32", np.float32),
        (bytes, bytes),
        (object, object),
        (bool, np.bool_),
        (int, np.int64),
        (float, np.float64),
        (str, np.bytes_),
        ("BF16", "bfloat16"),
        ("bfloat16", "bfloat16"),
    ],
)
def test_dtype_is_reduced_to_its_scalar_type(given, kept):
    assert Tensor((1,), given).dtype == kept


def test_positional_order_is_shape_dtype_name_optional():
    tensor = Tensor((2, -1), np.int8, "x", True)
    assert (tensor.shape, tensor.dtype, tensor.name, tensor.optional) == (
        (2, -1),
        np.int8,
        "x",
        True,
    )


def test_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Tensor((1,), np.int8).name = "y"


@pytest.mark.parametrize(
    ("dtype", "wire"),
    [
        (np.bool_, "BOOL"),
        (np.uint8, "UINT8"),
        (np.uint16, "UINT16"),
        (np.uint32, "UINT32"),
        (np.uint64, "UINT64"),
        (np.int8, "INT8"),
        (np.int16, "INT16"),
        (np.int32, "INT32"),
        (np.int64, "INT64"),
        (np.float16, "FP16"),
        (np.float32, "FP32"),
        (np.float64, "FP64"),
        (bytes, "BYTES"),
        (np.bytes_, "BYTES"),
        (np.object_, "BYTES"),
        ("bfloat16", "BF16"),
    ],
)
def test_wire_names(dtype, wire):
    assert wire_type(dtype, "x")[0] == wire


def test_declared_bfloat16_type_keeps_its_arrays():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    assert wire_type(Tensor((1,), bfloat16).dtype, "x") == ("BF16", np.dtype(bfloat16))


@pytest.mark.parametrize("dtype", [np.complex64, np.dtype("datetime64[s]").type, np.str_, list])
def test_type_without_counterpart_names_the_tensor(dtype):
    with pytest.raises(PyTritonBadParameterError, match="Tensor `x`"):
        wire_type(dtype, "x")
