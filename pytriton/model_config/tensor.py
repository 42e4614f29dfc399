"""Declaration of one input or output."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from pytriton.exceptions import PyTritonBadParameterError

__all__ = ["Tensor"]

_BUILTINS = {bool: np.bool_, int: np.int64, float: np.float64, str: np.bytes_}
_BF16 = ("bf16", "bfloat16")


@dataclasses.dataclass(frozen=True)
class Tensor:
    """One input or output of a model.

    Attributes:
        shape: Dimensions without the batch dimension; -1: any size.
        dtype: numpy type (`np.float32`, `np.dtype("float32")`, `"float32"`), `bytes`, `object`, a
            Python type (`bool`, `int`, `float`, `str`), or `"bfloat16"`, whose arrays are float32.
        name: Name; without one `INPUT_<i>` or `OUTPUT_<i>`, counted from 1 over the whole list.
        optional: Whether requests may leave it out (inputs only).
        memory: Where the callable wants the bytes (inputs only): "cpu" as a numpy array; "cuda" or
            "cuda:<device>" as an object with `__dlpack__` and `__cuda_array_interface__`, which
            CuPy, PyTorch and others take without a copy. None: as `ModelConfig.instance_kind` says.
            What a callable returns may lie anywhere.

    Raises:
        PyTritonBadParameterError: `memory` is something else.
    """

    shape: tuple[int, ...]
    dtype: Any
    name: str | None = None
    optional: bool | None = False
    memory: str | None = None

    def __post_init__(self) -> None:
        """Reduces what names a numpy type to its scalar type."""
        object.__setattr__(self, "dtype", _scalar_type(self.dtype))
        device_of(self.memory)


def device_of(memory: str | None) -> int:
    """The device that `Tensor.memory` names; -1: none.

    Raises:
        PyTritonBadParameterError: It is none of the known words.
    """
    if memory is None or memory == "cpu":
        return -1
    kind, colon, number = memory.partition(":")
    if kind == "cuda" and (number.isdecimal() if colon else True):
        return int(number or 0)
    raise PyTritonBadParameterError(
        f'memory: expected "cpu", "cuda" or "cuda:<device>", got {memory!r}'
    )


def _scalar_type(dtype: Any) -> Any:
    if isinstance(dtype, str):
        return "bfloat16" if dtype.lower() in _BF16 else np.dtype(dtype).type
    if isinstance(dtype, np.dtype):
        return dtype.type
    return _BUILTINS.get(dtype, dtype)
