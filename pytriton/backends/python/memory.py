"""Where tensors lie, and the trace of a request: small values that requests carry."""

from __future__ import annotations

import enum
from typing import Optional


class MemoryType(enum.IntEnum):
    """Kinds of memory."""

    TRITONSERVER_MEMORY_GPU = 0
    TRITONSERVER_MEMORY_CPU = 1


class PreferredMemory:
    """Where a model would like the outputs of a request it makes.

    Workers use memory of the CPU: another wish is accepted and not followed.

    Args:
        preferred_memory_type: TRITONSERVER_MEMORY_GPU or TRITONSERVER_MEMORY_CPU.
        preferred_device_id: ordinal of the GPU.

    Raises:
        TypeError: other types.
    """

    __slots__ = ("_device_id", "_memory_type")

    def __init__(self, preferred_memory_type: MemoryType, preferred_device_id: int = 0) -> None:
        if not isinstance(preferred_memory_type, MemoryType) or not isinstance(
            preferred_device_id, int
        ):
            raise TypeError(
                "incompatible constructor arguments: expected PreferredMemory("
                "preferred_memory_type: MemoryType, preferred_device_id: int = 0)"
            )
        self._memory_type = preferred_memory_type
        self._device_id = preferred_device_id


class InferenceTrace:
    """The trace that a request is part of."""

    __slots__ = ("_handoff",)

    def __init__(self, handoff: Optional[str] = None) -> None:
        # What the server told of the trace; given back with requests that belong to it.
        self._handoff = handoff

    def get_context(self) -> Optional[str]:
        """JSON text of the OpenTelemetry context; None when the request has no spans."""
        _, brace, rest = (self._handoff or "").partition("{")
        return brace + rest if brace else None
