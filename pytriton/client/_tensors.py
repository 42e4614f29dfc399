"""numpy arrays and the wire's tensors, both ways; numeric ones without a copy."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pytriton import _codec, _plain
from pytriton.client.exceptions import PyTritonClientInferenceServerError

__all__ = [
    "array_of",
    "array_of_list",
    "contents_of",
    "places_of",
    "signature",
    "wire_type",
    "with_batch",
    "without_batch",
]

Array = np.ndarray[Any, Any]

DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype("<u1"),
    "UINT16": np.dtype("<u2"),
    "UINT32": np.dtype("<u4"),
    "UINT64": np.dtype("<u8"),
    "INT8": np.dtype("<i1"),
    "INT16": np.dtype("<i2"),
    "INT32": np.dtype("<i4"),
    "INT64": np.dtype("<i8"),
    "FP16": np.dtype("<f2"),
    "FP32": np.dtype("<f4"),
    "FP64": np.dtype("<f8"),
}
_NAMES = {dtype: name for name, dtype in DTYPES.items()}
_BFLOAT16 = np.dtype("<u2")  # of the bytes of a BF16 tensor


def wire_type(array: Array, name: str) -> str:
    """The wire's name of an array's type.

    Args:
        array: Any array.
        name: Of the input, for the message.

    Raises:
        RuntimeError: The array holds text (str), or objects, or has a type the wire doesn't know.
    """
    dtype = array.dtype
    found = _NAMES.get(dtype)
    if found is not None:
        return found
    if dtype.kind in "OS":
        return "BYTES"
    if dtype.kind == "U":
        raise RuntimeError(
            f"Unicode inputs are not supported. Encode numpy array for '{name}' input "
            "(ex. with np.char.encode(array, 'utf-8'))."
        )
    if dtype.name == "bfloat16":
        return "BF16"
    swapped = dtype.newbyteorder("<")
    if swapped in _NAMES:
        return _NAMES[swapped]
    raise RuntimeError(f"Numpy array for '{name}' input has dtype {dtype}, which is not supported.")


def signature(named: dict[str, Any], is_sample: bool) -> Any:
    """What tells plain requests apart: names, types and shapes; None: these need more care.

    Args:
        named: Inputs by name.
        is_sample: They are to get a batch dimension.
    """
    return _plain.signature(named, _NAMES, is_sample)


def with_batch(named: Mapping[str, Any]) -> dict[str, Any]:
    """A batch of one of each input: arrays `[...]` become `[1, ...]`."""
    return {
        name: value[np.newaxis] if isinstance(value, np.ndarray) else value
        for name, value in named.items()
    }


def without_batch(outputs: Mapping[str, Any], model: str) -> dict[str, Any]:
    """The first item of each output: arrays `[batch, ...]` become `[...]`.

    Args:
        outputs: Arrays by name; None: that one is in a region.
        model: Its name, for the message.

    Raises:
        PyTritonClientInferenceServerError: An output has none.
    """
    try:
        return {key: None if value is None else value[0] for key, value in outputs.items()}
    except IndexError:
        raise PyTritonClientInferenceServerError(
            f"expected outputs of model {model} with a batch dimension of 1"
        ) from None


def places_of(outputs: Mapping[str, Any], datatypes: Sequence[str]) -> list[Any] | None:
    """What answers with the same description have in common; None: they need more care.

    Args:
        outputs: Arrays by name, in the order of the answer.
        datatypes: The wire's names of their types.
    """
    if len(outputs) != len(datatypes):
        return None
    for array, datatype in zip(outputs.values(), datatypes):
        if datatype not in DTYPES or array is None or not array.size:
            return None
    return _plain.places_of(list(outputs.items()))


def contents_of(array: Array, datatype: str, name: str) -> Any:
    """The bytes of a tensor: the array itself where it can be sent as it is.

    Args:
        array: Any array that wire_type accepts.
        datatype: What wire_type said.
        name: Of the input, for the message.

    Returns:
        An object with a contiguous buffer.

    Raises:
        RuntimeError: An object array holds other things than bytes.
    """
    if datatype != "BYTES":
        if not array.flags.c_contiguous:
            array = np.ascontiguousarray(array)
        if datatype == "BF16":
            return array.view(np.uint8) if array.ndim else array.tobytes()
        wanted = DTYPES[datatype]
        return array if array.dtype == wanted else array.astype(wanted)
    if array.dtype.kind == "S":
        if not array.dtype.itemsize:
            return bytes(4 * array.size)
        flat = np.ascontiguousarray(array).reshape(-1)
        return _codec.encode_fixed(flat.view(np.uint8), array.dtype.itemsize)
    try:
        return _codec.encode_bytes(array.ravel().tolist())
    except TypeError as error:
        raise RuntimeError(
            f"Numpy array for '{name}' input with dtype=object should contain encoded strings "
            "(e.g. into utf-8). Element type: "
            f"{type(error.args[1]) if len(error.args) > 1 else error}"
        ) from None


def array_of(data: Any, start: int, end: int, datatype: str, shape: Sequence[int]) -> Array:
    """An array over received bytes.

    Args:
        data: An object with a contiguous buffer; the array is a view of it where it is aligned.
        start: First byte of the tensor.
        end: One behind the last.
        datatype: The wire's name of the type. BF16 becomes float32.
        shape: Dimensions.

    Raises:
        PyTritonClientInferenceServerError: The bytes don't fit the shape, or the type is unknown.
    """
    count = math.prod(shape)
    try:
        if any(dim < 0 for dim in shape):
            raise ValueError("expected dimensions of at least 0")
        dtype = DTYPES.get(datatype)
        if dtype is not None or datatype == "BF16":
            dtype = dtype or _BFLOAT16
            if count * dtype.itemsize != end - start:
                raise ValueError(f"expected {count * dtype.itemsize} bytes, got {end - start}")
            if not count:
                array = np.empty(shape, dtype)
            else:
                array = np.frombuffer(data, dtype, count, start).reshape(shape)
            if datatype == "BF16":
                return (array.astype("<u4") << 16).view("<f4")
            return array if array.flags.aligned else array.copy()
        if datatype == "BYTES":
            return object_array(_codec.decode_bytes(memoryview(data)[start:end], count), shape)
        raise ValueError("expected a data type of KServe v2")
    except (ValueError, TypeError, OverflowError, MemoryError) as error:
        raise PyTritonClientInferenceServerError(
            f"output of type {datatype} and shape {list(shape)}: {error}"
        ) from error


def object_array(items: list[Any], shape: Sequence[int]) -> Array:
    """An array of objects, row-major.

    Raises:
        ValueError: The number of items is not the shape's.
    """
    array = np.empty(len(items), object)
    array[:] = items
    return array.reshape(shape)


def array_of_list(values: Any, datatype: str, shape: Sequence[int]) -> Array:
    """An array of what a server sent as JSON or in protobuf's typed fields.

    Args:
        values: A list, maybe nested, of numbers, or of str or bytes for BYTES.
        datatype: The wire's name of the type.
        shape: Dimensions.

    Raises:
        PyTritonClientInferenceServerError: The values don't fit.
    """
    try:
        if datatype == "BYTES":
            flat = np.array(values, object).reshape(-1).tolist()
            items = [value.encode() if isinstance(value, str) else bytes(value) for value in flat]
            return object_array(items, shape)
        if datatype not in DTYPES and datatype != "BF16":
            raise ValueError("expected a data type of KServe v2")
        return np.array(values, DTYPES.get(datatype, np.dtype(np.float32))).reshape(shape)
    except (ValueError, TypeError, OverflowError, AttributeError) as error:
        raise PyTritonClientInferenceServerError(
            f"output of type {datatype} and shape {list(shape)}: {error}"
        ) from error
