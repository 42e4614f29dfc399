"""DLPack capsules: what numpy can't do by itself (look into a capsule, bfloat16).

Only memory of the CPU; the version-less capsule "dltensor" that every library understands.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from . import datatypes
from .errors import TritonModelException

CPU_DEVICE = (1, 0)
_CPU_DEVICES = (1, 3)  # kDLCPU, kDLCUDAHost
_BFLOAT = 4
_BOOL = 6

_NOT_CONTIGUOUS = (
    "DLPack tensor is not contiguous. Only contiguous DLPack tensors that are stored in C-Order "
    "are supported."
)
_UNSUPPORTED = (
    "Provided tensor is not supported. Tensor must be a DLPack capsule         or have "
    "`__dlpack__` and `__dlpack_device__` attributes"
)


class _Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


_Deleter = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class _Managed(ctypes.Structure):
    _fields_ = [("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", _Deleter)]


_api = ctypes.pythonapi
_Destructor = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_capsule_new = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p, _Destructor)(
    ("PyCapsule_New", _api)
)
_capsule_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", _api)
)
_capsule_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_IsValid", _api)
)
_capsule_rename = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_SetName", _api)
)
# The same two for a capsule that is being destroyed: a counted reference would revive it.
_dying_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_IsValid", _api)
)
_dying_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", _api)
)
_FRESH = b"dltensor"
_USED = b"used_dltensor"  # kept alive here: the capsule borrows its name

# What exported capsules and their consumers need, by the address of the structure.
_exported: dict[int, Any] = {}


def _release(address: int) -> None:
    _exported.pop(address, None)


def _destroy(capsule: int) -> None:
    if _dying_is_valid(capsule, _FRESH):  # nobody consumed it
        _release(_dying_pointer(capsule, _FRESH))


_release_callback = _Deleter(_release)
_destroy_callback = _Destructor(_destroy)


def export_bfloat16(bits: Any) -> Any:
    """A capsule of bfloat16 elements over `bits`, a contiguous uint16 array of any shape."""
    shape = (ctypes.c_int64 * max(bits.ndim, 1))(*bits.shape)
    managed = _Managed()
    managed.tensor = _Tensor(
        bits.ctypes.data, CPU_DEVICE[0], 0, bits.ndim, _BFLOAT, 16, 1, shape, None, 0
    )
    managed.deleter = _release_callback
    address = ctypes.addressof(managed)
    _exported[address] = (managed, shape, bits)
    return _capsule_new(address, _FRESH, _destroy_callback)


class _Holder:
    """Gives numpy a bare capsule the way it takes one."""

    __slots__ = ("_capsule",)

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return CPU_DEVICE


def _check_contiguous(tensor: _Tensor) -> list[int]:
    shape = [tensor.shape[i] for i in range(tensor.ndim)]
    if tensor.strides:
        expected = 1
        for i in range(tensor.ndim - 1, -1, -1):
            if shape[i] != 1 and tensor.strides[i] != expected and 0 not in shape:
                raise TritonModelException(_NOT_CONTIGUOUS)
            expected *= shape[i]
    return shape


def _copy_bits(capsule: Any, managed: _Managed, shape: list[int]) -> Any:
    bits = np.empty(shape, dtype=np.uint16)
    if bits.nbytes:
        ctypes.memmove(
            bits.ctypes.data, managed.tensor.data + managed.tensor.byte_offset, bits.nbytes
        )
    _capsule_rename(capsule, _USED)
    if managed.deleter:
        managed.deleter(ctypes.addressof(managed))
    return bits


def take(source: Any) -> tuple[int, Any]:
    """What a capsule, or an object with `__dlpack__`, holds.

    Returns:
        Triton's data type number and a C-contiguous array of any shape over the same memory; for
        BF16 a uint16 array with a copy of the bits.

    Raises:
        TritonModelException: neither a capsule nor such an object; a capsule that was used before;
            memory of a GPU; not contiguous; a type that Triton doesn't have.
    """
    if isinstance(source, np.ndarray):
        if not source.flags.c_contiguous:
            raise TritonModelException(_NOT_CONTIGUOUS)
        code = datatypes.CODE_OF_DTYPE.get(source.dtype)
        if code is None:
            raise TritonModelException(f"DLPack does not support numpy's {source.dtype}.")
        return code, source
    capsule = source
    if type(source).__name__ != "PyCapsule":
        if not (hasattr(source, "__dlpack__") and hasattr(source, "__dlpack_device__")):
            raise TritonModelException(_UNSUPPORTED)
        if source.__dlpack_device__()[0] not in _CPU_DEVICES:
            raise TritonModelException("Only DLPack tensors in memory of the CPU are supported.")
        capsule = source.__dlpack__()
    if not _capsule_is_valid(capsule, _FRESH):
        raise TritonModelException("expected a DLPack capsule that nobody has used yet")
    managed = _Managed.from_address(_capsule_pointer(capsule, _FRESH))
    tensor = managed.tensor
    if tensor.device_type not in _CPU_DEVICES:
        raise TritonModelException("Only DLPack tensors in memory of the CPU are supported.")
    shape = _check_contiguous(tensor)
    if tensor.code == _BFLOAT and tensor.bits == 16 and tensor.lanes == 1:
        return datatypes.BF16, _copy_bits(capsule, managed, shape)
    try:
        array = np.from_dlpack(_Holder(capsule))
    except (BufferError, RuntimeError, TypeError) as error:
        raise TritonModelException(f"DLPack tensor is not supported: {error}") from error
    code = datatypes.CODE_OF_DTYPE.get(array.dtype)
    if code is None:
        raise TritonModelException(f"DLPack does not support numpy's {array.dtype}.")
    return code, array
