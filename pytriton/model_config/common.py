"""Enums and dataclasses that several configurations share."""

from __future__ import annotations

import dataclasses
import enum
import math
import pathlib
from typing import Any

import numpy as np

from pytriton.exceptions import PyTritonBadParameterError

__all__ = [
    "DeviceKind",
    "DynamicBatcher",
    "ModelWarmup",
    "QueuePolicy",
    "TimeoutAction",
    "WarmupInput",
    "generate_warmup_data",
    "generate_warmup_requests",
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


def generate_warmup_data(warmup_input: WarmupInput, batch_size: int) -> np.ndarray[Any, Any]:
    """One input of a warm-up request.

    Args:
        warmup_input: What to fill it with: a file wins over zeros, zeros over random values.
        batch_size: First dimension.

    Returns:
        An array `[batch_size, *shape]` of the declared dtype.

    Raises:
        PyTritonBadParameterError: Nothing says what to fill it with, or the file has another shape.
    """
    shape = (batch_size, *warmup_input.shape)
    if warmup_input.input_data_file is not None:
        return _data_of_file(warmup_input, shape)
    if warmup_input.zero_data:
        return np.zeros(shape, dtype=warmup_input.dtype)
    if warmup_input.random_data:
        return _random_data(warmup_input.dtype, shape)
    raise PyTritonBadParameterError(
        "One of 'zero_data', 'random_data', or 'input_data_file' must be provided for warmup input."
    )


def generate_warmup_requests(
    model_warmup: ModelWarmup, input_specs: Any, outputs_specs: Any
) -> list[dict[str, np.ndarray[Any, Any]]]:
    """The inputs of all warm-up requests, `count` times.

    Args:
        model_warmup: What to send.
        input_specs: Inputs of the model.
        outputs_specs: Outputs of the model.

    Raises:
        PyTritonBadParameterError: As generate_warmup_data.
    """
    return [
        {
            name: generate_warmup_data(warmup_input, model_warmup.batch_size)
            for name, warmup_input in model_warmup.inputs.items()
        }
        for _ in range(model_warmup.count)
    ]


def _data_of_file(warmup_input: WarmupInput, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    data = np.load(str(warmup_input.input_data_file))
    if data.ndim == len(shape) - 1:
        data = np.repeat(data[np.newaxis], shape[0], axis=0)
    elif data.shape[1:] == shape[1:] and len(data):
        data = np.resize(data, shape)
    if data.shape != shape:
        raise PyTritonBadParameterError(
            f"Input data file shape {data.shape} doesn't match expected shape {shape}"
        )
    return np.asarray(data.astype(warmup_input.dtype))


def _random_data(dtype: Any, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    random = np.random.default_rng()
    if dtype in (bytes, object, np.bytes_, np.object_):
        letters = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz0123456789", dtype=np.uint8)
        texts = [
            random.choice(letters, random.integers(8, 33)).tobytes()
            for _ in range(math.prod(shape))
        ]
        return np.array(texts, dtype=object).reshape(shape)
    kind = np.dtype(dtype).kind
    if kind == "b":
        return random.integers(0, 2, shape).astype(dtype)
    if kind in "iu":
        highest = min(int(np.iinfo(dtype).max), 99)
        return random.integers(0, highest + 1, shape).astype(dtype)
    if kind == "f":
        return random.random(shape).astype(dtype)
    return np.zeros(shape, dtype=dtype)
