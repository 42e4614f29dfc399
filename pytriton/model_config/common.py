"""Enums and dataclasses that several configurations share."""

from __future__ import annotations

import dataclasses
import enum
import pathlib
from typing import Any

__all__ = [
    "DeviceKind",
    "DynamicBatcher",
    "ModelWarmup",
    "QueuePolicy",
    "TimeoutAction",
    "WarmupInput",
]


class DeviceKind(enum.Enum):
    """The kind of device an instance runs on."""

    KIND_AUTO = "KIND_AUTO"
    KIND_CPU = "KIND_CPU"
    KIND_GPU = "KIND_GPU"


class TimeoutAction(enum.Enum):
    """What happens to a request that waited too long in the queue."""

    REJECT = "REJECT"
    DELAY = "DELAY"


@dataclasses.dataclass
class QueuePolicy:
    """Limits of one queue.

    Attributes:
        timeout_action: What happens after the timeout: the client gets an error, or the request
            waits behind those that are still in time.
        default_timeout_microseconds: Longest wait in microseconds; 0: no limit.
        allow_timeout_override: Whether a request may bring a shorter timeout of its own.
        max_queue_size: Most requests that wait; more are rejected; 0: no limit.
    """

    timeout_action: TimeoutAction = TimeoutAction.REJECT
    default_timeout_microseconds: int = 0
    allow_timeout_override: bool = False
    max_queue_size: int = 0


@dataclasses.dataclass
class DynamicBatcher:
    """How requests are merged into batches.

    Attributes:
        max_queue_delay_microseconds: How long the oldest request waits for others, in microseconds.
        preferred_batch_size: Batch sizes that are worth no further wait.
        preserve_ordering: Whether responses leave in the order of the requests.
        priority_levels: Number of priorities; 0: none.
        default_priority_level: Priority of a request that names none (1 is the highest).
        default_queue_policy: Limits of queues that have none of their own.
        priority_queue_policy: Limits by priority level.
    """

    max_queue_delay_microseconds: int = 0
    preferred_batch_size: list[int] | None = None
    preserve_ordering: bool = False
    priority_levels: int = 0
    default_priority_level: int = 0
    default_queue_policy: QueuePolicy | None = None
    priority_queue_policy: dict[int, QueuePolicy] | None = None


@dataclasses.dataclass
class WarmupInput:
    """One input of a warm-up request.

    Attributes:
        dtype: numpy type of the data.
        shape: Shape without the batch dimension.
        zero_data: Fill with zeros.
        random_data: Fill with random values.
        input_data_file: Read from this .npy file.
    """

    dtype: Any
    shape: tuple[int, ...]
    zero_data: bool = False
    random_data: bool = False
    input_data_file: pathlib.Path | None = None


@dataclasses.dataclass
class ModelWarmup:
    """Requests that a callable gets before it serves.

    Attributes:
        name: Name of the sample.
        batch_size: First dimension of every input.
        inputs: Inputs by name.
        count: How often it is called.
    """

    name: str
    batch_size: int
    inputs: dict[str, WarmupInput]
    count: int
