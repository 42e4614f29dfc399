"""Element types: what users declare, what numpy arrays hold, what the wire calls it."""

from __future__ import annotations

from typing import Any

import numpy as np

from pytriton.exceptions import PyTritonBadParameterError

_WIRE_NAMES = {
    np.dtype(np.bool_): "BOOL",
    np.dtype(np.uint8): "UINT8",
    np.dtype(np.uint16): "UINT16",
    np.dtype(np.uint32): "UINT32",
    np.dtype(np.uint64): "UINT64",
    np.dtype(np.int8): "INT8",
    np.dtype(np.int16): "INT16",
    np.dtype(np.int32): "INT32",
    np.dtype(np.int64): "INT64",
    np.dtype(np.float16): "FP16",
    np.dtype(np.float32): "FP32",
    np.dtype(np.float64): "FP64",
}


def wire_type(dtype: Any, tensor_name: str) -> tuple[str, np.dtype[Any]]:
    """The wire's name of a declared type, and the dtype of the callable's arrays.

    Args:
        dtype: As `Tensor.dtype` holds it.
        tensor_name: For the message.

    Returns:
        For example `("FP32", dtype("float32"))`. BYTES tensors are object arrays; BF16 tensors are
        float32 arrays unless a bfloat16 numpy type (ml_dtypes) was declared.

    Raises:
        PyTritonBadParameterError: The type has no counterpart on the wire.
    """
    if isinstance(dtype, str) and dtype == "bfloat16":
        return "BF16", np.dtype(np.float32)
    if dtype in (bytes, object, np.bytes_, np.object_):
        return "BYTES", np.dtype(object)
    try:
        resolved = np.dtype(dtype)
    except TypeError:
        resolved = None
    if resolved is not None and resolved.name == "bfloat16":
        return "BF16", resolved
    if resolved is None or resolved not in _WIRE_NAMES:
        raise PyTritonBadParameterError(
            f"Tensor `{tensor_name}`: expected a bool, integer, float16/32/64, bytes or bfloat16 "
            f"dtype, got {dtype!r}."
        )
    return _WIRE_NAMES[resolved], resolved
