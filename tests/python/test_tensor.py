from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from python.running import ANY_PORTS
from pytriton._datatypes import wire_type
from pytriton.exceptions import PyTritonBadParameterError, PyTritonValidationError
from pytriton.model_config import ModelConfig, Tensor
from pytriton.model_config.common import ModelWarmup
from pytriton.model_config.tensor import device_of
from pytriton.triton import Triton, TritonConfig


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


@pytest.mark.parametrize(
    ("memory", "device"), [("cpu", -1), ("cuda", 0), ("cuda:0", 0), ("cuda:7", 7)]
)
def test_memory_names_a_device(memory, device):
    assert device_of(Tensor((1,), np.float32).memory) == -1
    assert device_of(Tensor((1,), np.float32, memory=memory).memory) == device


@pytest.mark.parametrize("memory", ["gpu", "cuda:", "cuda:-1", "cuda:x", "CUDA", ""])
def test_other_memory_is_refused(memory):
    with pytest.raises(PyTritonBadParameterError, match=f"got {memory!r}"):
        Tensor((1,), np.float32, memory=memory)


@pytest.mark.parametrize(
    ("dtype", "config", "isolation", "text"),
    [
        (bytes, ModelConfig(), "thread", "expected elements of a fixed size in device memory"),
        (
            np.float32,
            ModelConfig(model_warmup=[ModelWarmup("zeros", 1, {}, 1)]),
            "thread",
            "expected no model_warmup",
        ),
        (np.float32, ModelConfig(response_cache=True), "thread", "expected inputs in host memory"),
        (np.float32, ModelConfig(), "process", "does not carry device memory"),
    ],
)
def test_device_memory_is_refused_where_it_cannot_be(dtype, config, isolation, text):
    with Triton(config=TritonConfig(**ANY_PORTS, cache_config=["local,size=1000000"])) as triton:
        given = Tensor((1,), dtype, "x", memory="cuda")
        with pytest.raises((PyTritonBadParameterError, PyTritonValidationError), match=text):
            triton.bind("m", print, [given], [given], config=config, isolation=isolation)


def test_a_model_without_its_device_is_refused():
    """There is no driver here, or no hundred GPUs."""
    with Triton(config=TritonConfig(**ANY_PORTS)) as triton:
        given = Tensor((1,), np.float32, "x", memory="cuda:100")
        with pytest.raises(Exception, match=r"input 'x'.* expected"):
            triton.bind("m", print, [given], [given])
