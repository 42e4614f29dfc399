"""Calls as data: what is sent, how the answer is read. The transports only carry them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable, NamedTuple, Protocol

from pytriton.client._tensors import signature, with_batch

__all__ = [
    "Call",
    "Deadline",
    "InferRequest",
    "InferTensor",
    "Plan",
    "Reply",
    "Speaker",
    "Unprocessed",
    "remember",
    "retry_pause",
]


_MAX_KNOWN = 256  # combinations of shapes; clients with more pay for making them again


class Deadline:
    """A moment that bounds every phase of a call.

    Attributes:
        at: Of time.monotonic(), in seconds.
        seconds: How long it was when the call began.
    """

    __slots__ = ("at", "seconds")

    def __init__(self, seconds: float) -> None:
        """Counts from now.

        Args:
            seconds: How long.
        """
        self.seconds = seconds
        self.at = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds until then; at least 0."""
        return max(self.at - time.monotonic(), 0.0)

    def within(self, seconds: float) -> Deadline:
        """The earlier of this one and one in so many seconds."""
        return Deadline(min(seconds, self.left()))


_MAX_RETRIES = 4
_RETRY_PAUSE_S = 0.01


class Unprocessed(ConnectionError):
    """The server has certainly not begun with the call, or beginning twice does no harm."""


def retry_pause(error: Unprocessed, retries: int, deadline: Deadline) -> float:
    """How long to wait, in seconds, before the call is sent again.

    Args:
        error: What the last try ended with.
        retries: Retries before this one.
        deadline: Of the call.

    Raises:
        Unprocessed: The error: there were enough tries, or there is no time left.
    """
    pause: float = _RETRY_PAUSE_S * 4**retries if retries else 0.0
    if retries >= _MAX_RETRIES or deadline.left() <= pause:
        raise error
    return pause


class Reply(NamedTuple):
    """What a server answered.

    Attributes:
        status: HTTP's status, or gRPC's.
        headers: Of HTTP, names in lower case.
        body: Bytes of the body, or of the one message.
        message: gRPC's text of an error.
    """

    status: int
    headers: Mapping[str, str]
    body: Any
    message: str = ""


class Call(NamedTuple):
    """One exchange.

    Attributes:
        method: HTTP's method; gRPC is always POST.
        path: Path of the URL.
        headers: Header fields, names in lower case.
        body: Buffers; for gRPC with its frame.
        read: Makes of a reply what the caller wants. Raises PyTritonClientInferenceServerError.
        whole: The HTTP request with its head and body, if it was made already.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: Sequence[Any]
    read: Callable[[Reply], Any]
    whole: list[Any] | None = None


@dataclasses.dataclass
class InferTensor:
    """One input.

    Attributes:
        name: Of the input.
        datatype: The wire's name of the type.
        shape: Dimensions, with the batch dimension.
        contents: A contiguous buffer; None: the data are in a region.
        array: The array; None: the data are in a region.
        region: (name, byte offset, byte size) of a registered region; None: the data are sent.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    contents: Any = None
    array: Any = None
    region: tuple[str, int, int] | None = None


@dataclasses.dataclass
class InferRequest:
    """An inference.

    Attributes:
        model_name: Of the model.
        model_version: Its version; "": the latest.
        request_id: Comes back with the response.
        inputs: Inputs.
        output_names: Wanted outputs; none: all.
        output_regions: Where outputs go: (region's name, byte offset, byte size) by output name.
        parameters: Request parameters.
        headers: Header fields of the caller.
        is_binary: Tensors as bytes; else as JSON.
        compression: None, or "gzip".
    """

    model_name: str
    model_version: str
    request_id: str
    inputs: list[InferTensor]
    output_names: list[str]
    output_regions: Mapping[str, tuple[str, int, int]] = dataclasses.field(default_factory=dict)
    parameters: Mapping[str, str | int | bool] = dataclasses.field(default_factory=dict)
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    is_binary: bool = True
    compression: str | None = None


class Plan:
    """What plain inferences of one model have in common, so that each does only what is its own.

    Attributes:
        model_name: Of the model.
        model_version: Its version; "": the latest.
        input_names: Of the inputs, in the order of the configuration.
        output_names: Wanted outputs.
        requests: What was made for names, types and shapes of inputs seen before.
    """

    def __init__(
        self,
        model_name: str,
        model_version: str,
        input_names: list[str],
        output_names: list[str],
    ) -> None:
        """Begins without experience."""
        self.model_name = model_name
        self.model_version = model_version
        self.input_names = input_names
        self.output_names = output_names
        self.requests: dict[Any, Any] = {}

    def made(
        self, named: dict[str, Any], is_sample: bool, make: Callable[[Plan, Any, bool], Any]
    ) -> Any:
        """What was made for such inputs; None: these arrays can't be sent plainly.

        Args:
            named: Inputs by name.
            is_sample: They are to get a batch dimension.
            make: Makes it of this plan, the inputs with that dimension, and is_sample.
        """
        key = signature(named, is_sample)
        if key is None:
            return None
        found = self.requests.get(key)
        if found is None:
            found = make(self, with_batch(named) if is_sample else named, is_sample)
            remember(self.requests, key, found)
        return found


def remember(known: dict[Any, Any], key: Any, value: Any) -> None:
    """Keeps what is likely to be wanted again, within bounds.

    Args:
        known: Where to keep it.
        key: By what it is looked up.
        value: What is kept.
    """
    if len(known) >= _MAX_KNOWN:
        known.clear()
    known[key] = value


class Speaker(Protocol):
    """What a protocol can say; every method makes a Call that reads what the comment tells."""

    def server_live(self) -> Call:
        """Reads a bool."""

    def server_ready(self) -> Call:
        """Reads a bool."""

    def model_ready(self, name: str, version: str) -> Call:
        """Reads a bool."""

    def server_metadata(self) -> Call:
        """Reads a dict with "extensions"."""

    def model_metadata(self, name: str, version: str) -> Call:
        """Reads a dict with "inputs" and "outputs", each with name, datatype and shape."""

    def model_config(self, name: str, version: str) -> Call:
        """Reads a dict as the HTTP endpoint gives it; None: the server has no configurations."""

    def repository_index(self) -> Call:
        """Reads a list of dicts with name, version, state and reason."""

    def log_verbose_level(self) -> Call:
        """How much the server writes into its log."""

    def load_model(self, name: str, config: str | None, files: Mapping[str, bytes] | None) -> Call:
        """Reads nothing."""

    def unload_model(self, name: str) -> Call:
        """Reads nothing."""

    def register_region(self, region: Any) -> Call:
        """Reads nothing."""

    def unregister_region(self, region: Any) -> Call:
        """Reads nothing."""

    def infer(self, request: InferRequest) -> Call:
        """Reads the outputs: arrays by name; None for an output that went into a region."""

    def infer_plainly(
        self, plan: Plan, number: int, named: dict[str, Any], is_sample: bool
    ) -> Call | None:
        """The same, quickly, for numeric arrays and no extras; None: not for these arrays.

        Of a sample the inputs get a batch dimension, and the outputs lose it.
        """
