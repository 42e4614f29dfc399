"""The border inside a worker process: the channel to the server below, the model host above.

`_worker.py` is the program of a worker. It opens the channel, imports the host
(`python/host.py`, function `make_host`) and then calls it: `complete_config`, `initialize`,
`execute` as often as batches come, `finalize`. All of them on the main thread, `is_ready` alone
on another one. The host answers through the `Channel` it was made with, from any thread.

Nothing here imports numpy or the package `pytriton`: a model may bring its own interpreter (3.8
and newer), where only the standard library and numpy are sure to exist. Modules of this directory
are imported under the package name `pytriton_worker` there, so they import each other relatively.

Data types travel as numbers: `BOOL` 1, `UINT8` 2, `UINT16` 3, `UINT32` 4, `UINT64` 5, `INT8` 6,
`INT16` 7, `INT32` 8, `INT64` 9, `FP16` 10, `FP32` 11, `FP64` 12, `BYTES` 13, `BF16` 14.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

try:
    from typing import Protocol
except ImportError:  # pragma: no cover
    Protocol = object  # type: ignore[assignment]

# Anything that exports contiguous bytes: an array, a memoryview, bytes.
Buffer = Any

# One tensor: name, data type, dimensions, bytes (little-endian, C order; BYTES as the wire has
# them: a 4-byte length before each element). A received buffer is writable and lives as long as
# any view of it; writes to it are seen by nobody else.
RawTensor = Tuple[str, int, Sequence[int], Buffer]

# A failed response: code of `TritonError` (0 UNKNOWN, 1 INTERNAL, 2 NOT_FOUND, 3 INVALID_ARG,
# 4 UNAVAILABLE, 5 UNSUPPORTED, 6 ALREADY_EXISTS, 7 CANCELLED) and text.
RawError = Tuple[int, str]

# One request's only response, for `Channel.respond_all`: key, outputs, error, parameters as JSON
# text (empty: none).
RawAnswer = Tuple[int, Sequence[RawTensor], Optional[RawError], str]


class RawRequest(NamedTuple):
    """One request of a batch, as it came.

    Attributes:
        key: Names the request in every call of the channel. Never used twice.
        id: The client's request id, or empty.
        inputs: In the order of the configuration; inputs that were left out are missing.
        requested_outputs: Names; never empty, all outputs of the configuration by default.
        parameters: JSON text of an object with the client's own parameters; `{}` if none.
        correlation_id: Sequence id; 0 without.
        flags: 1 sequence start, 2 sequence end.
        timeout: The request's `timeout` parameter in microseconds; 0 if none.
        trace_context: What the server tells of the request's trace, the OpenTelemetry context as
            JSON text at its end; None: it isn't traced.
    """

    key: int
    id: str
    inputs: Tuple[RawTensor, ...]
    requested_outputs: Tuple[str, ...]
    parameters: str
    correlation_id: Union[int, str]
    flags: int
    timeout: int
    trace_context: Optional[str]


class InnerRequest(NamedTuple):
    """A request that a model makes itself (business logic scripting).

    Attributes:
        model_name: The model that is asked.
        model_version: -1: whichever its version policy names.
        id: Request id, may be empty.
        inputs: The tensors. A buffer may be (a part of) an input of a running request: it is then
            passed on without a copy.
        requested_outputs: Names; empty: all.
        parameters: JSON text of an object.
        correlation_id: Sequence id; 0 without.
        flags: Sequence flags.
        timeout: In microseconds; 0: none.
        decoupled: Whether more than one response is welcome.
        trace_context: That of the request which it is part of, or None.
    """

    model_name: str
    model_version: int
    id: str
    inputs: Sequence[RawTensor]
    requested_outputs: Sequence[str]
    parameters: str
    correlation_id: Union[int, str]
    flags: int
    timeout: int
    decoupled: bool
    trace_context: Optional[str]


# One response to an inner request: outputs, error, parameters as JSON text, whether it is the
# last one. A last one without outputs and error only ends the row.
OnInnerResponse = Callable[[Sequence[RawTensor], Optional[RawError], str, bool], None]


class Channel(Protocol):
    """What the server gives to the host. Every function may be called from any thread.

    When the server has gone the process ends at once: no function has to fail for it.
    """

    def respond(
        self,
        key: int,
        outputs: Sequence[RawTensor],
        error: Optional[RawError] = None,
        parameters: str = "",
        final: bool = True,
        sealed: Sequence[str] = (),
    ) -> None:
        """Sends one response. It is on its way when this returns; the buffers may be reused.

        Outputs that the client did not ask for, or that the configuration does not name, are left
        out by the server. After a final one the key is forgotten: more is dropped silently.

        Args:
            key: Of the request.
            outputs: None with `error`. None without `error` and with `final`: the end of a
                decoupled request, alone.
            error: If the request failed.
            parameters: JSON text of an object with response parameters, or empty.
            final: Whether it is the last one.
            sealed: Names of outputs whose buffers nobody will write to as long as they exist:
                they may be sent from where they are.
        """

    def respond_all(self, answers: Sequence[RawAnswer]) -> None:
        """Sends the only (final) response of each request: one message, one wake-up.

        A list may be emptied: large arrays that nobody else refers to are then sent without a copy.
        """

    def reschedule(self, key: int) -> None:
        """Gives a request back to its scheduler, which executes it again later."""

    def release(self, key: int) -> None:
        """Tells that a request can get no response any more (its sender was dropped).

        Without a final response before it, the server answers an error (nothing was sent) or ends
        the stream. Harmless after a final response.
        """

    def is_cancelled(self, key: int) -> bool:
        """Whether the client has left or cancelled. One read of shared memory."""

    def allocate(self, nbytes: int) -> memoryview:
        """Writable bytes in the memory that responses are sent from, 64-byte aligned.

        `respond` knows them by their address and sends them in place. They are reused when they
        were sent and no view of them is left.

        Args:
            nbytes: Size in bytes, at least 1.

        Raises:
            MemoryError: The system has none.
        """

    def log(self, level: int, file: str, line: int, text: str) -> None:
        """Writes to the server's log: 0 info, 1 warning, 2 error, 3 verbose. Buffered, cheap."""

    def is_logged(self, level: int) -> bool:
        """Whether the server writes this level now. One read of shared memory."""

    def update_metrics(
        self, updates: Sequence[Tuple[int, bool, float, Optional[Sequence[int]], float]]
    ) -> None:
        """Hands collected changes of metric series on, before every response that follows.

        Args:
            updates: Series number, whether the value is set (else added), value, bucket counts
                of a histogram or None, sum of a histogram.
        """

    def call(self, kind: str, payload: Dict[str, Any]) -> Dict[str, Any]:
        """Asks the server something and waits for the answer.

        Kinds: `load_model`, `unload_model`, `is_model_ready`, `metric_family`, `metric`,
        `metric_value`, `metric_drop`. Values of `payload` are plain JSON values; `bytes` are
        allowed as values of the dict `payload["files"]`.

        Raises:
            CallError: The server refused; its text.
        """

    def submit(self, request: InnerRequest, on_response: OnInnerResponse) -> int:
        """Starts an inner request.

        Args:
            request: What is asked. Its buffers may be reused when this returns.
            on_response: Called once a response, on the channel's own thread: it must be short and
                must not wait for the channel.

        Returns:
            A number for `cancel_submit`.
        """

    def cancel_submit(self, call: int) -> None:
        """Cancels an inner request. Its last response still comes."""


class CallError(Exception):
    """The server refused a `Channel.call`; the message is its text."""


class Host(Protocol):
    """What the host gives to the channel: one model in this process."""

    def complete_config(self, config: str) -> str:
        """Imports the model and has it complete its configuration.

        Called at most once, before `initialize`, in the process of the first instance only.

        Args:
            config: JSON text of the configuration so far.

        Returns:
            JSON text of the completed configuration.

        Raises:
            HostError: Its text is the load error that clients see.
        """

    def initialize(self, args: Dict[str, str]) -> Dict[str, Any]:
        """Imports the model if that was not done, makes the instance and initializes it.

        Args:
            args: As the model gets them.

        Returns:
            What the server must know: `{"has_is_ready": bool}`.

        Raises:
            HostError: Its text is the load error that clients see.
        """

    def execute(self, batch: List[RawRequest]) -> None:
        """Runs the model on one batch.

        Returns when the model can take the next one. By then each request was answered, or
        somebody keeps it to answer later, or it was released: a request that is none of it
        keeps its client waiting.

        Raises:
            HostError: Every request of the batch that has no final response fails with its text.
        """

    def is_ready(self) -> Optional[str]:
        """Asks the model's `is_ready`, on a thread of its own, also while `execute` runs.

        Returns:
            None if it is ready, else the reason.
        """

    def finalize(self) -> None:
        """Runs the model's `finalize`. Nothing runs any more, nothing will."""


class HostError(Exception):
    """A failure of the model, with the text that clients see."""


class WorkerSetup(NamedTuple):
    """What a host is made with, beside the channel.

    Attributes:
        model_name: Name of the model.
        version: Its version.
        instance_name: `<model>_<group>_<instance>`; empty while only the configuration is
            completed.
        model_dir: The model's directory.
        version_dir: `<model_dir>/<version>`.
        model_file: The file to import. For a backend written in Python that is the backend's own
            `model.py`, else a file in `version_dir`.
        is_backend_model: Whether `model_file` is a backend's.
        utils_dir: Directory of `triton_python_backend_utils.py`.
        decoupled: Whether the model is decoupled. Known from `initialize` on.
    """

    model_name: str
    version: int
    instance_name: str
    model_dir: str
    version_dir: str
    model_file: str
    is_backend_model: bool
    utils_dir: str
    decoupled: bool


MakeHost = Callable[[Channel, WorkerSetup], Host]
