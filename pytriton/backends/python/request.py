"""InferenceRequest: what a model is asked, and what it may ask other models."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence, Set, Union

from .._channel import InnerRequest, RawRequest
from . import bls
from . import parameters as parameters_module
from .errors import TritonModelException
from .memory import InferenceTrace, MemoryType, PreferredMemory
from .response import InferenceResponse
from .sender import DetachedSender, InferenceResponseSender
from .tensor import Tensor, from_wire

RELEASE_ALL = 1
RELEASE_RESCHEDULE = 2
_CPU = PreferredMemory(MemoryType.TRITONSERVER_MEMORY_CPU)
_NO_TRACE = InferenceTrace()


def _check_types(arguments: Sequence[Any]) -> None:
    for name, value, expected in arguments:
        if not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
            raise TypeError(f"expected {expected.__name__} for {name}, got {type(value)}")
        if name in ("flags", "timeout") and value < 0:
            raise TypeError(f"expected a number of at least 0 for {name}, got {value}")


def _list_of(values: Any, name: str) -> List[Any]:
    if isinstance(values, (str, bytes, dict)) or not hasattr(values, "__iter__"):
        raise TypeError(f"expected a list for {name}, got {type(values)}")
    return list(values)


class InferenceRequest:
    """A request.

    The constructor makes a request for another model, to be run with `exec` or `async_exec`, as
    often as wanted. Requests that a model is asked have the same accessors.

    Args:
        request_id: any text.
        correlation_id: which sequence it belongs to: a number or a text; 0: none.
        inputs: the tensors.
        requested_output_names: which outputs to return; empty: all.
        model_name: the model to ask.
        model_version: -1: the one that its version policy names.
        flags: sequence start (1) and end (2).
        timeout: in microseconds; 0: none.
        preferred_memory: where outputs should lie; memory of the CPU is all there is.
        trace: the trace it is part of, usually that of the request being answered.
        parameters: dict of str to bool, int or str.

    Raises:
        TypeError: arguments of other types, None among them.
        TritonModelException: an input is None, an output name empty, the correlation id a float,
            or parameters have other types.
        RuntimeError: a negative correlation id.
    """

    __slots__ = (
        *("__weakref__", "_correlation_id", "_flags", "_id", "_inputs", "_model_name"),
        *("_model_version", "_parameters", "_release", "_requested", "_timeout", "_trace"),
    )

    _inputs: Optional[List[Tensor]]
    _release: int

    def __init__(
        self,
        request_id: str = "",
        correlation_id: Union[int, str] = 0,
        inputs: Any = None,
        requested_output_names: Any = None,
        model_name: Any = None,
        model_version: int = -1,
        flags: int = 0,
        timeout: int = 0,
        preferred_memory: PreferredMemory = _CPU,
        trace: InferenceTrace = _NO_TRACE,
        parameters: Any = None,
    ) -> None:
        _check_types(
            (
                ("request_id", request_id, str),
                ("model_name", model_name, str),
                ("model_version", model_version, int),
                ("flags", flags, int),
                ("timeout", timeout, int),
                ("preferred_memory", preferred_memory, PreferredMemory),
                ("trace", trace, InferenceTrace),
            )
        )
        tensors = _list_of(inputs, "inputs")
        names = _list_of(requested_output_names, "requested_output_names")
        about = f"for request with id '{request_id}' and model name '{model_name}'"
        for tensor in tensors:
            if tensor is None:
                raise TritonModelException(f"Input tensor {about} should not be empty.")
            if not isinstance(tensor, Tensor):
                raise TypeError(f"expected a Tensor among the inputs, got {type(tensor)}")
        for name in names:
            if not isinstance(name, str):
                raise TypeError(f"expected str among requested_output_names, got {type(name)}")
            if not name:
                raise TritonModelException(f"Requested output name {about} should not be empty.")
        self._correlation_id = _check_correlation_id(correlation_id)
        self._id = request_id
        self._inputs = tensors
        self._requested = names
        self._model_name = model_name
        self._model_version = model_version
        self._flags = flags
        self._timeout = timeout
        self._trace = trace
        self._parameters = parameters_module.encode(parameters)
        self._release = RELEASE_ALL

    def inputs(self) -> List[Tensor]:
        """The input tensors."""
        return self._inputs  # type: ignore[return-value]

    def request_id(self) -> str:
        """The request's id; may be empty."""
        return self._id

    def correlation_id(self) -> Union[int, str]:
        """Which sequence the request belongs to; 0: none."""
        return self._correlation_id

    def flags(self) -> int:
        """Sequence flags: start (1) and end (2)."""
        return self._flags

    def set_flags(self, flags: int) -> None:
        """Sets the sequence flags.

        Raises:
            TypeError: no int.
        """
        _check_types((("flags", flags, int),))
        self._flags = flags

    def timeout(self) -> int:
        """The request's timeout parameter in microseconds; 0: none."""
        return self._timeout

    def parameters(self) -> str:
        """JSON text of an object with the request's own parameters."""
        return self._parameters

    def requested_output_names(self) -> Set[str]:
        """The outputs to return."""
        return set(self._requested)

    def trace(self) -> InferenceTrace:
        """The trace that the request is part of."""
        return self._trace

    def is_cancelled(self) -> bool:
        """Whether the client has left or cancelled; always live."""
        return False

    def get_response_sender(self) -> Union[InferenceResponseSender, DetachedSender]:
        """What answers this request, the same object on every call."""
        return DetachedSender()

    def set_release_flags(self, flags: int) -> None:
        """Chooses what happens to the request after `execute`.

        Args:
            flags: TRITONSERVER_REQUEST_RELEASE_ALL, or TRITONSERVER_REQUEST_RELEASE_RESCHEDULE to
                get it again later.

        Raises:
            TypeError: no int.
        """
        _check_types((("flags", flags, int),))
        self._release = flags

    def _inner(self, decoupled: bool) -> InnerRequest:
        return InnerRequest(
            model_name=self._model_name,
            model_version=self._model_version,
            id=self.request_id(),
            inputs=[(t._name, t._code, t._shape, t._data) for t in self.inputs()],
            requested_outputs=list(self._requested),
            parameters=self.parameters(),
            correlation_id=self.correlation_id(),
            flags=self.flags(),
            timeout=self.timeout(),
            decoupled=decoupled,
            trace_context=self._trace._handoff,
        )

    def exec(self, decoupled: bool = False) -> Union[InferenceResponse, bls.ResponseIterator]:
        """Runs the request on its model and waits.

        Args:
            decoupled: whether the model may give any number of responses.

        Returns:
            The response, with `has_error()` when it failed; or an iterator over the responses.

        Raises:
            TypeError: no bool.
            TritonModelException: inside `finalize`.
        """
        _check_types((("decoupled", decoupled, bool),))
        inner = self._inner(decoupled)
        return bls.stream(inner) if decoupled else bls.run(inner)

    def async_exec(self, decoupled: bool = False) -> Any:
        """Runs the request on its model; the same as `exec`, but to be awaited.

        Raises:
            TypeError: no bool.
            RuntimeError: no event loop runs.
            TritonModelException: inside `finalize`.
        """
        _check_types((("decoupled", decoupled, bool),))
        return bls.run_async(self._inner(decoupled))


def _check_correlation_id(correlation_id: Any) -> Union[int, str]:
    if correlation_id is None:
        raise TypeError("expected int or str for correlation_id, got None")
    if not isinstance(correlation_id, (int, str)):
        raise TritonModelException("Correlation ID must be integer or string")
    if isinstance(correlation_id, int) and not 0 <= correlation_id < 1 << 64:
        raise RuntimeError(
            f"expected a correlation id from 0 to 18446744073709551615, got {correlation_id}"
        )
    return correlation_id


class ServedRequest(InferenceRequest):
    """A request that the model is asked: a view of what came through the channel."""

    __slots__ = ("_host", "_raw", "_sender")

    _sender: Optional[InferenceResponseSender]
    _raw: RawRequest

    def __init__(self, raw: RawRequest, host: Any) -> None:
        self._raw = raw
        self._host = host
        self._inputs = None
        self._sender = None
        self._release = RELEASE_ALL

    def inputs(self) -> List[Tensor]:
        """The input tensors, in the order of the configuration."""
        tensors = self._inputs
        if tensors is None:
            tensors = self._inputs = [from_wire(*raw) for raw in self._raw[2]]
        return tensors

    def request_id(self) -> str:
        """The client's request id; may be empty."""
        return self._raw.id

    def correlation_id(self) -> Union[int, str]:
        """Which sequence the request belongs to; 0: none."""
        return self._raw.correlation_id

    def flags(self) -> int:
        """Sequence flags: start (1) and end (2)."""
        return self._raw.flags

    def set_flags(self, flags: int) -> None:
        """Sets the sequence flags.

        Raises:
            TypeError: no int.
        """
        _check_types((("flags", flags, int),))
        self._raw = self._raw._replace(flags=flags)

    def timeout(self) -> int:
        """The request's timeout parameter in microseconds; 0: none."""
        return self._raw.timeout

    def parameters(self) -> str:
        """JSON text of an object with the client's own parameters."""
        return self._raw.parameters

    def requested_output_names(self) -> Set[str]:
        """The outputs that the client wants; all when it named none."""
        return set(self._raw.requested_outputs)

    def trace(self) -> InferenceTrace:
        """The trace that the request is part of."""
        return InferenceTrace(self._raw.trace_context)

    def is_cancelled(self) -> bool:
        """Whether the client has left or cancelled; always live."""
        return bool(self._host.channel.is_cancelled(self._raw[0]))

    def get_response_sender(self) -> InferenceResponseSender:
        """What answers this request, the same object on every call."""
        sender = self._sender
        if sender is None:
            sender = self._sender = self._host.make_sender(self._raw[0])
        return sender

    def _inner(self, decoupled: bool) -> InnerRequest:
        self._model_name = self._host.runtime.setup.model_name
        self._model_version = self._host.runtime.setup.version
        self._requested = list(self._raw.requested_outputs)
        return super()._inner(decoupled)
