"""Requests of a model to other models: blocking, awaited, and streams of responses."""

from __future__ import annotations

import collections
import contextlib
import threading
from typing import (
    TYPE_CHECKING,
    Any,
    AsyncIterator,
    Callable,
    Deque,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
)

from .._channel import InnerRequest, RawError, RawTensor
from . import runtime
from .errors import TritonError, TritonModelException
from .response import InferenceResponse, response_from_wire

if TYPE_CHECKING:
    import asyncio


def _start(request: InnerRequest, on_response: Any) -> Tuple[Optional[int], Optional[TritonError]]:
    """Submits it; the number of the call, or why it was not submitted."""
    current = runtime.current()
    if not current.may_call:
        raise TritonModelException("BLS is only supported during the 'execute' function.")
    if (
        current.is_blocking
        and current.instance_count == 1
        and request.model_name == current.setup.model_name
        and threading.current_thread() is threading.main_thread()
    ):
        return None, TritonError(
            f"Model {request.model_name} - Error when running inference: the model's only "
            "instance asks its own model and would wait for itself"
        )
    return current.channel.submit(request, on_response), None


class _OneResponse:
    """Waits for the one response of a call."""

    __slots__ = ("_arrived", "response")

    def __init__(self) -> None:
        self.response: Optional[InferenceResponse] = None
        self._arrived = threading.Lock()
        self._arrived.acquire()

    def take(
        self,
        outputs: Sequence[RawTensor],
        error: Optional[RawError],
        parameters: str,
        is_final: bool,
    ) -> None:
        if self.response is None:
            self.response = response_from_wire(outputs, error, parameters)
            self._arrived.release()

    def wait(self) -> InferenceResponse:
        self._arrived.acquire()
        assert self.response is not None
        return self.response


def run(request: InnerRequest) -> InferenceResponse:
    """Runs a request and waits for its response."""
    waiter = _OneResponse()
    _, refusal = _start(request, waiter.take)
    if refusal is not None:
        return InferenceResponse([], refusal)
    return waiter.wait()


class ResponseIterator:
    """The responses of a request to a decoupled model, as they come.

    Works with `for` and `async for`. Iterating again after the end gives the stored responses
    again.
    """

    __slots__ = ("_call", "_changed", "_is_complete", "_next", "_responses", "_wakers")

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._responses: List[InferenceResponse] = []
        self._next = 0
        self._is_complete = False
        self._call: Optional[int] = None
        self._wakers: Deque[Callable[[], None]] = collections.deque()

    def _take(
        self,
        outputs: Sequence[RawTensor],
        error: Optional[RawError],
        parameters: str,
        is_final: bool,
    ) -> None:
        response = response_from_wire(outputs, error, parameters)
        with self._changed:
            self._responses.append(response)
            self._is_complete = is_final
            self._changed.notify_all()
            while self._wakers:
                self._wakers.popleft()()

    def _refuse(self, error: TritonError) -> None:
        self._responses.append(InferenceResponse([], error))
        self._is_complete = True

    def _pop(self) -> Optional[InferenceResponse]:
        if self._next == len(self._responses):
            if self._is_complete:
                raise StopIteration("Iteration is done for the responses.")
            return None
        self._next += 1
        return self._responses[self._next - 1]

    def _rewind(self) -> None:
        with self._changed:
            if self._is_complete and self._next == len(self._responses):
                self._next = 0

    def __iter__(self) -> Iterator[InferenceResponse]:
        self._rewind()
        return self

    def __next__(self) -> InferenceResponse:
        with self._changed:
            while True:
                response = self._pop()
                if response is not None:
                    return response
                self._changed.wait()

    def __aiter__(self) -> AsyncIterator[InferenceResponse]:
        self._rewind()
        return self

    async def __anext__(self) -> InferenceResponse:
        import asyncio

        loop = asyncio.get_running_loop()
        while True:
            with self._changed:
                try:
                    response = self._pop()
                except StopIteration as end:
                    raise StopAsyncIteration(*end.args) from None
                if response is not None:
                    return response
                arrived = loop.create_future()
                self._wakers.append(_waker(loop, arrived, None))
            await arrived

    def cancel(self) -> None:
        """Cancels the request; responses may still come, the last one does."""
        if self._call is not None:
            runtime.current().channel.cancel_submit(self._call)


def _waker(loop: asyncio.AbstractEventLoop, future: Any, value: Any) -> Callable[[], None]:
    def resolve() -> None:
        if not future.done():
            future.set_result(value)

    def wake() -> None:
        # The loop may have ended, and with it whoever waited.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(resolve)

    return wake


def stream(request: InnerRequest) -> ResponseIterator:
    """Runs a request and gives its responses as they come."""
    iterator = ResponseIterator()
    call, refusal = _start(request, iterator._take)
    if refusal is not None:
        iterator._refuse(refusal)
    iterator._call = call
    return iterator


def run_async(request: InnerRequest) -> Any:
    """Starts a request; a future of its response, or of an iterator over its responses.

    A future that is cancelled cancels the request.

    Raises:
        RuntimeError: no event loop runs.
    """
    import asyncio

    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()
    if request.decoupled:
        future.set_result(stream(request))
        return future

    def take(
        outputs: Sequence[RawTensor], error: Optional[RawError], parameters: str, is_final: bool
    ) -> None:
        _waker(loop, future, response_from_wire(outputs, error, parameters))()

    call, refusal = _start(request, take)
    if refusal is not None:
        future.set_result(InferenceResponse([], refusal))
        return future
    channel = runtime.current().channel

    def finished(done: Any) -> None:
        if done.cancelled() and call is not None:
            channel.cancel_submit(call)

    future.add_done_callback(finished)
    return future
