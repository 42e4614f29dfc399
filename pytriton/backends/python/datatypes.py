"""Data types by Triton's numbers, their numpy types, and the wire form of BYTES tensors."""

from __future__ import annotations

import struct
from typing import Any, Optional, Union

import numpy as np

# The numbers of TRITONSERVER_DataType.
BOOL = 1
BYTES = 13
BF16 = 14

DTYPE_OF_CODE: dict[int, Any] = {
    1: np.dtype(np.bool_),
    2: np.dtype(np.uint8),
    3: np.dtype(np.uint16),
    4: np.dtype(np.uint32),
    5: np.dtype(np.uint64),
    6: np.dtype(np.int8),
    7: np.dtype(np.int16),
    8: np.dtype(np.int32),
    9: np.dtype(np.int64),
    10: np.dtype(np.float16),
    11: np.dtype(np.float32),
    12: np.dtype(np.float64),
}
CODE_OF_DTYPE: dict[Any, int] = {dtype: code for code, dtype in DTYPE_OF_CODE.items()}
NAME_OF_CODE = {
    **{1: "BOOL", 2: "UINT8", 3: "UINT16", 4: "UINT32", 5: "UINT64", 6: "INT8", 7: "INT16"},
    **{8: "INT32", 9: "INT64", 10: "FP16", 11: "FP32", 12: "FP64", 13: "BYTES", 14: "BF16"},
}
# Bytes of one element; BYTES elements have no fixed size.
SIZE_OF_CODE = {**{code: dtype.itemsize for code, dtype in DTYPE_OF_CODE.items()}, BF16: 2}

TRITON_STRING_TO_NUMPY: dict[str, Any] = {
    "TYPE_BOOL": bool,
    "TYPE_UINT8": np.uint8,
    "TYPE_UINT16": np.uint16,
    "TYPE_UINT32": np.uint32,
    "TYPE_UINT64": np.uint64,
    "TYPE_INT8": np.int8,
    "TYPE_INT16": np.int16,
    "TYPE_INT32": np.int32,
    "TYPE_INT64": np.int64,
    "TYPE_FP16": np.float16,
    "TYPE_FP32": np.float32,
    "TYPE_FP64": np.float64,
    "TYPE_STRING": np.object_,
}
_NUMPY_OF_NUMBER: dict[int, Any] = {
    **{code: dtype.type for code, dtype in DTYPE_OF_CODE.items()},
    BYTES: np.object_,
}
_LENGTH = struct.Struct("<I")


def triton_string_to_numpy(triton_type_string: str) -> Any:
    """The numpy type of a configuration's data type, such as "TYPE_FP32".

    Raises:
        KeyError: numpy has no such type (TYPE_BF16), or the name is unknown.
    """
    return TRITON_STRING_TO_NUMPY[triton_type_string]


def triton_to_numpy_type(data_type: int) -> Any:
    """The numpy type of Triton's data type number (1 bool ... 12 float64, 13 BYTES).

    None: numpy has no such type, or the number is unknown.
    """
    return _NUMPY_OF_NUMBER.get(data_type)


def numpy_to_triton_type(data_type: Any) -> Optional[int]:
    """Triton's number of a numpy dtype or type; None: Triton has no such type."""
    if data_type is None:
        return None
    try:
        dtype = np.dtype(data_type)
    except TypeError:
        return None
    if dtype.kind in "OSV":
        return BYTES
    return CODE_OF_DTYPE.get(dtype)


def _element_bytes(element: Any) -> bytes:
    if isinstance(element, bytes):
        return element
    return str(element).encode("utf-8")


def encode_bytes(array: Any) -> bytes:
    """The wire form of an object or `S` array: each element after its length, in C order."""
    pack = _LENGTH.pack
    parts = []
    for element in array.ravel().tolist():
        data = element if type(element) is bytes else _element_bytes(element)
        parts.append(pack(len(data)))
        parts.append(data)
    return b"".join(parts)


def decode_bytes(data: Any, shape: Any) -> Any:
    """An object array of `bytes` of that shape from its wire form (a bytes-like object).

    Raises:
        ValueError: the data is cut short or holds another number of elements.
    """
    elements = _split_bytes(data)
    array = np.empty(len(elements), dtype=np.object_)
    array[:] = elements
    return array.reshape(shape)


def _split_bytes(data: Any) -> list[bytes]:
    data = bytes(data)
    size = len(data)
    offset = 0
    elements = []
    read = _LENGTH.unpack_from
    while offset < size:
        if offset + 4 > size:
            raise ValueError(f"expected a length of 4 bytes in a BYTES tensor, got {size - offset}")
        (length,) = read(data, offset)
        end = offset + 4 + length
        if end > size:
            raise ValueError(
                f"expected an element of {length} bytes in a BYTES tensor, "
                f"got {size - offset - 4} bytes"
            )
        elements.append(data[offset + 4 : end])
        offset = end
    return elements


def serialize_byte_tensor(input_tensor: Any) -> Optional[Union[bytes, tuple[()]]]:
    """The wire form of a BYTES tensor.

    Args:
        input_tensor: array of objects or `S`, any shape; elements that are no `bytes` are written
            as the UTF-8 text of `str(element)`.

    Returns:
        The bytes; `()` for an array without elements; None for an array of another dtype.
    """
    if input_tensor.size == 0:
        return ()
    if input_tensor.dtype.kind not in "OS":
        return None
    return encode_bytes(input_tensor)


def deserialize_bytes_tensor(encoded_tensor: Any) -> Any:
    """A 1-D object array of `bytes` from the wire form of a BYTES tensor."""
    elements = _split_bytes(encoded_tensor)
    array = np.empty(len(elements), dtype=np.object_)
    array[:] = elements
    return array
