"""Tensor: a name and an array, as models see inputs and build outputs."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from . import datatypes, dlpack
from .errors import TritonModelException

_CODE_OF_DTYPE = datatypes.CODE_OF_DTYPE
_DTYPE_OF_CODE = datatypes.DTYPE_OF_CODE
_BYTES = datatypes.BYTES
_BF16 = datatypes.BF16
_LARGE = 64 << 10  # smaller arrays are never born where they are sent from
_ndarray = np.ndarray
_new = object.__new__


class Tensor:
    """A named tensor in memory of the CPU.

    Args:
        name: the tensor's name, not empty.
        array: bool, integers of 8 to 64 bits, float16/32/64, objects or `S`; any shape. A
            contiguous numeric array is not copied: what is written to it until the response is
            sent, is sent. Elements of BYTES tensors are `bytes`, anything else is written as the
            UTF-8 text of `str(element)`; that happens now.

    Raises:
        TypeError: the name is no str or the array no ndarray.
        TritonModelException: the name is empty, or Triton has no such dtype.
    """

    __slots__ = ("__weakref__", "_array", "_code", "_data", "_name", "_shape")

    # _data is what is sent: the array itself where its memory is the wire form. A sealed one can't
    # be written to.
    # _array is None until it is asked for.
    _array: Any
    _data: Any
    _shape: Any

    def __init__(self, name: str, array: Any, /) -> None:
        if not isinstance(array, _ndarray) or not isinstance(name, str):
            raise TypeError(
                "incompatible constructor arguments: expected Tensor(name: str, array: "
                f"numpy.ndarray), got {type(name)} and {type(array)}"
            )
        if not name:
            raise TritonModelException("Tensor name cannot be an empty string.")
        code = _CODE_OF_DTYPE.get(array.dtype)
        self._name = name
        if code is not None:
            if not array.flags.c_contiguous:
                array = np.asarray(array, order="C")
            self._data = array
        else:
            if array.dtype.kind not in "OS":
                raise TritonModelException("NumPy dtype is not supported.")
            code = _BYTES
            self._data = datatypes.encode_bytes(array)
        self._code = code
        self._array = array
        self._shape = array.shape

    def name(self) -> str:
        """The tensor's name."""
        return self._name

    def as_numpy(self) -> Any:
        """The tensor as an array of its shape, the same object on every call.

        Inputs of requests are writable views of the received memory; BYTES are object arrays of
        `bytes`.

        Raises:
            TritonModelException: numpy has no such type (BF16).
        """
        array = self._array
        if array is None:
            code = self._code
            dtype = _DTYPE_OF_CODE.get(code)
            if dtype is not None:
                array = self._data
                if type(array) is not _ndarray or array.dtype is not dtype:
                    array = _ndarray(self._shape, dtype, array)
                elif not array.flags.writeable:  # sealed
                    array = self._data = array.copy()
            elif code == _BYTES:
                array = datatypes.decode_bytes(self._data, self._shape)
            else:
                raise TritonModelException(
                    "Tensor dtype is BF16 and cannot be converted to NumPy. Use to_dlpack() and "
                    "from_dlpack() instead."
                )
            self._array = array
        return array

    def triton_dtype(self) -> str:
        """The data type's name on the wire, such as "FP32"."""
        return datatypes.NAME_OF_CODE[self._code]

    def shape(self) -> list[int]:
        """The dimensions, outermost first."""
        return list(self._shape)

    def is_cpu(self) -> bool:
        """True: GPU tensors don't exist in this server's workers yet."""
        return True

    def to_dlpack(self) -> Any:
        """A DLPack capsule over the tensor's memory.

        Raises:
            TritonModelException: a BYTES tensor.
        """
        return self.__dlpack__()

    @staticmethod
    def from_dlpack(name: str, tensor: Any, /) -> Tensor:
        """A tensor over the memory of a DLPack capsule or of an object with `__dlpack__`.

        Raises:
            TypeError: the name is no str.
            TritonModelException: the name is empty; the other argument is neither; it isn't
                contiguous, lies on a GPU, or has a type that Triton doesn't have.
        """
        if not isinstance(name, str):
            raise TypeError(f"expected a str as name of a tensor, got {type(name)}")
        if not name:
            raise TritonModelException("Tensor name cannot be an empty string.")
        code, array = dlpack.take(tensor)
        result = from_wire(name, code, array.shape, array)
        if code != _BF16:
            result._array = array
        return result

    def __dlpack__(self, stream: Any = None, **_: Any) -> Any:
        if self._code == _BYTES:
            raise TritonModelException("DLPack does not have support for string tensors.")
        if self._code == _BF16:
            return dlpack.export_bfloat16(_ndarray(self._shape, np.dtype(np.uint16), self._data))
        return self.as_numpy().__dlpack__()

    def __dlpack_device__(self) -> tuple[int, int]:
        return dlpack.CPU_DEVICE


def seal(tensor: Tensor) -> bool:
    """Keeps the bytes of a large output as they are, if nobody but `tensor` refers to them.

    They can then be sent from where they are, whatever the model does: who asks the tensor for its
    array later gets a copy.
    """
    if type(tensor._data) is not _ndarray or tensor._data.nbytes < _LARGE:
        return False
    if tensor._code not in _DTYPE_OF_CODE:
        return False
    is_known = tensor._array is not None
    if is_known and tensor._array is not tensor._data:
        return False
    if _references(tensor) != (_KNOWN_ALONE if is_known else _ALONE):
        return False
    array = tensor._data
    while array.base is not None:
        if type(array.base) is not _ndarray or _references_to_base(array) != _BASE_ALONE:
            return False
        array = array.base
    tensor._data.flags.writeable = False
    tensor._array = None
    return True


def _references(tensor: Tensor) -> int:
    return sys.getrefcount(tensor._data)


def _references_to_base(array: Any) -> int:
    return sys.getrefcount(array.base)


def from_wire(name: str, code: int, shape: Any, data: Any) -> Tensor:
    """A tensor of Triton's data type number `code` over `data`, its wire form; copies nothing.

    REQUIRES: the size of `data` fits `shape`.
    """
    tensor: Tensor = _new(Tensor)
    tensor._name = name
    tensor._code = code
    tensor._shape = shape
    tensor._data = data
    tensor._array = None
    return tensor


# What is counted when only the tensor, or only the view, refers to it: that includes what the
# interpreter adds, which is its own business.
_KNOWN_ALONE = _references(Tensor("x", np.zeros(1, np.float32)))
_ALONE = _references(from_wire("x", _CODE_OF_DTYPE[np.dtype(np.float32)], (1,), np.zeros(1, "f")))
_BASE_ALONE = _references_to_base(np.zeros(2, np.float32)[1:])
