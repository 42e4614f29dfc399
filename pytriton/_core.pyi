"""The native core of pytriton; use pytriton.triton instead."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from pytriton._binding import ModelBinding
from pytriton.model_config.triton_model_config import TritonModelConfig

class BlockOwner:
    """Base object of an input array: keeps the array's bytes alive."""

class RequestContext:
    """What a request asks the core."""

    @property
    def cancelled(self) -> bool:
        """True once the client left or cancelled."""
    @property
    def model_config(self) -> TritonModelConfig:
        """Configuration of the model that was asked."""
    @property
    def id(self) -> str:
        """The client's request id, or an empty string."""
    def notify(self, fd: int, /) -> None:
        """Writes 8 bytes to this descriptor on cancellation; -1 ends it."""

class Server:
    """One server: ports, event loops and models."""

    def __init__(self, options: Mapping[str, str | list[str]]) -> None:
        """Checks the options (by command-line names). Raises PyTritonValidationError."""
    def add_model(self, config: dict[str, Any], binding: ModelBinding) -> None:
        """Adds a model; returns when it is ready (or will be at start)."""
    def add_isolated_model(self, config: dict[str, Any], directory: str) -> None:
        """The same for a model whose callables run in workers, which find them there."""
    def gpus(self) -> tuple[int, str]:
        """How many GPUs there are, and why there are none."""
    def remove_model(self, name: str, version: int) -> None:
        """Removes a model when its requests have been answered."""
    def allow_remotes(self) -> None:
        """Lets other processes attach models. Before start."""
    def next_remote(self) -> tuple[int, bool, bytes, bytes] | None:
        """The next ask: id, whether to attach, name, configuration. Waits; None: stopped."""
    def answer_remote(self, id: int, problem: str) -> None:
        """Answers an ask; an empty problem: done."""
    def forget_remote(self, name: str) -> None:
        """The attached model has gone by itself."""
    def enter_exclusive_group(self, name: str) -> None:
        """Waits until no callable of the group runs, and keeps them from running."""
    def leave_exclusive_group(self, name: str) -> None:
        """Lets them run again."""
    def start(self) -> None:
        """Binds the ports and serves. Raises PyTritonRuntimeError naming a busy port."""
    def await_models(self, seconds: float) -> bool:
        """Whether the loads of the start have ended. Raises PyTritonRuntimeError if they failed."""
    def stop(self) -> None:
        """Finishes the work under way. Raises PyTritonRuntimeError when some was cancelled."""
    @property
    def http_port(self) -> int:
        """The port taken; 0 when off."""
    @property
    def grpc_port(self) -> int:
        """The port taken; 0 when off."""
    @property
    def metrics_port(self) -> int:
        """The port taken; 0 when off."""
    @property
    def executions(self) -> int:
        """Grows with every batch."""
    @property
    def is_ready(self) -> bool:
        """As the readiness endpoint tells it."""
    @property
    def is_running(self) -> bool:
        """Between start and stop."""

class CudaTensor:
    """A tensor in device memory; array libraries take it without a copy."""

    def __dlpack__(
        self,
        stream: int | None = None,
        *,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> Any:
        """A capsule with the tensor. Raises BufferError for another device or a copy."""
    def __dlpack_device__(self) -> tuple[int, int]:
        """(2, device): CUDA memory of that device."""
    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """Version 3. AttributeError for BF16, which numpy has no word for."""
    @property
    def shape(self) -> tuple[int, ...]:
        """Dimensions."""
    @property
    def datatype(self) -> str:
        """Name of the element type, such as FP32."""
    @property
    def nbytes(self) -> int:
        """Bytes."""
    @property
    def device(self) -> int:
        """Number of the device."""
    def numpy(self) -> np.ndarray[Any, Any]:
        """A copy on the host; BF16 as uint16 with the same bits."""

class CudaMemory:
    """Device memory that servers can be told of."""

    def __init__(self, byte_size: int, device: int) -> None:
        """Takes it. Raises PyTritonRuntimeError without a driver or memory."""
    def handle(self) -> bytes:
        """An IPC handle: 64 bytes for another process."""
    @property
    def device(self) -> int:
        """Number of the device."""
    def write(self, offset: int, data: Any) -> None:
        """Copies a contiguous buffer to the device. Raises ValueError when it does not fit."""
    def write_array(self, offset: int, array: Any) -> tuple[str, tuple[int, ...]]:
        """Copies an array from device memory; gives its data type and shape."""
    def read(self, offset: int, size: int) -> bytes:
        """A copy of bytes."""
    def tensor(self, offset: int, datatype: str, shape: tuple[int, ...]) -> CudaTensor:
        """A tensor over a part, without a copy."""

class Stream:
    """Answers of one batch of a decoupled model."""

    def respond(self, results: Any) -> None:
        """Sends one response to each request. Raises ValueError for a bad result."""
    def finish(self) -> None:
        """Ends every request."""
    def fail(self, error: BaseException) -> None:
        """Fails every request with this exception."""
    def cancel(self) -> None:
        """Fails every request as cancelled."""
    @property
    def cancelled(self) -> bool:
        """True when no client waits for more."""

def option_table() -> list[dict[str, Any]]:
    """Every option: name, type, default, minimum, maximum, unit, group, help, active."""

def config_text_to_json(text: str, path: str) -> str:
    """config.pbtxt as JSON; `path` is for messages. Raises PyTritonError with line and column."""

def guard_process() -> None:
    """Survives clients that shrink their shared memory. For programs that are servers."""

def tune_process() -> None:
    """Keeps freed memory in the process. For programs that are servers."""

def copy_counts() -> tuple[int, int]:
    """Copies of tensor bytes so far, and how many bytes they moved; small ones don't count."""

def trim_process() -> None:
    """Gives freed memory back to the system."""
