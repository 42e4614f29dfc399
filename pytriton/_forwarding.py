"""Forwards the requests of an attached model to the process that serves it."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator
from typing import Any, Callable

import numpy as np

from pytriton._binding import ModelBinding
from pytriton._datatypes import wire_type
from pytriton._remote_models import Place
from pytriton.client._aio_transport import AioTransport
from pytriton.client._base import input_tensor
from pytriton.client._call import Deadline, InferRequest, InferTensor
from pytriton.client._grpc import GrpcSpeaker, stream_outputs
from pytriton.client._server_client import ServerClient
from pytriton.client._url import TritonUrl
from pytriton.client.exceptions import PyTritonClientError, PyTritonClientInferenceServerError
from pytriton.exceptions import PyTritonInvalidOperationError
from pytriton.model_config.triton_model_config import TritonModelConfig
from pytriton.proxy.types import Request

__all__ = ["ForwardingBinding", "check_peer"]

# Requests under way at once; more wait in this server's queue.
_MAX_CALLS = 65536
_RECONNECT_S = 0.05
# The other process answers when it can; whoever waits has a deadline of its own and cancels.
_NO_DEADLINE = Deadline(math.inf)


def check_peer(place: Place, seconds: float) -> None:
    """Makes sure that the process at that socket is the one that wants to attach its model.

    Args:
        place: Where it says that it is.
        seconds: How long it may take to answer.

    Raises:
        PyTritonInvalidOperationError: Nobody answers there, or somebody else.
    """
    client = ServerClient(_url(place), GrpcSpeaker({}), seconds)
    try:
        name = client.get_server_metadata().get("name")
    except (OSError, PyTritonClientError) as error:
        raise PyTritonInvalidOperationError(
            f"expected the process to attach at the Unix socket {place.socket}, got: {error}; "
            "it must run on this machine, as the same user, and share that directory"
        ) from error
    finally:
        client.close()
    if name != place.peer:
        raise PyTritonInvalidOperationError(
            f"expected the process to attach at the Unix socket {place.socket}, got another one"
        )


def _url(place: Place) -> TritonUrl:
    return TritonUrl.from_url(f"grpc+unix://{place.socket}")


class ForwardingBinding(ModelBinding):
    """What the core asks about an attached model."""

    def __init__(
        self, config: TritonModelConfig, place: Place, on_gone: Callable[[], None]
    ) -> None:
        """Makes no connection.

        Args:
            config: Of the model; without a batcher, so that each call has one request.
            place: Where it is served.
            on_gone: Called on the model's loop when the other process has gone.
        """
        self._forwarder = Forwarder(config, place)
        self._on_gone = on_gone
        function = self._forwarder.stream if config.decoupled else self._forwarder.answer
        super().__init__(config, [function], False, lambda error: None, _MAX_CALLS)

    def watch(self) -> None:
        """From now on, tells when the other process goes."""
        calls = self.instances[0].calls
        assert calls is not None
        calls.call_soon(self._forwarder.watch, self._on_gone)

    def describe_error(
        self, error: BaseException, ids: list[str], stream: bool
    ) -> str | tuple[str, str]:
        """The other process's own words; it has logged what is to be logged."""
        if isinstance(error, PyTritonClientInferenceServerError):
            return error.status or "INTERNAL", error.message
        if isinstance(error, OSError):
            name = self.config.model_name
            return "UNAVAILABLE", f"the process that serves model '{name}' has gone: {error}"
        return super().describe_error(error, ids, stream)


class Forwarder:
    """Calls the other process. Belongs to the event loop of the model's instance."""

    def __init__(self, config: TritonModelConfig, place: Place) -> None:
        """Makes no connection.

        Args:
            config: Of the model.
            place: Where it is served.
        """
        self._config = config
        self._path = place.socket
        self._speaker = GrpcSpeaker({})
        self._transport = AioTransport(_url(place))
        self._datatypes = {
            spec.name: wire_type(spec.dtype, spec.name)[0] for spec in config.inputs or ()
        }
        self._watching: asyncio.Task[None] | None = None

    async def answer(self, requests: list[Request]) -> list[dict[str, Any]]:
        """One response to each request.

        Raises:
            OSError: The other process has gone.
            PyTritonClientInferenceServerError: Its answer is an error.
        """
        return [await self._answer_one(request) for request in requests]

    async def _answer_one(self, request: Request) -> dict[str, Any]:
        call = self._speaker.infer(self._message(request))
        outputs: dict[str, Any] = await self._transport.call(call, _NO_DEADLINE)
        return outputs

    async def stream(self, requests: list[Request]) -> AsyncIterator[list[dict[str, Any]]]:
        """Responses as they come. Raises as answer."""
        call = self._speaker.stream(self._message(requests[0]))
        messages: Any = self._transport.stream(call, math.inf)
        try:
            async for message in messages:
                outputs = stream_outputs(message)
                if outputs:
                    yield [outputs]
        finally:
            await messages.aclose()

    def _message(self, request: Request) -> InferRequest:
        return InferRequest(
            self._config.model_name,
            str(self._config.model_version),
            request.id,
            [self._tensor(name, array) for name, array in request.items()],
            list(request.requested_output_names or ()),
            parameters=request.parameters or {},
        )

    def _tensor(self, name: str, array: Any) -> InferTensor:
        if self._datatypes[name] != "BF16":
            return input_tensor(name, array, True)
        # They were widened to float32: the upper halves are what came.
        halves = (np.ascontiguousarray(array).view(np.uint32) >> 16).astype("<u2")
        return InferTensor(name, "BF16", array.shape, halves)

    def watch(self, on_gone: Callable[[], None]) -> None:
        """Begins to watch the other process. On the loop.

        Args:
            on_gone: Called once when nobody listens any more.
        """
        self._watching = asyncio.ensure_future(self._watch(on_gone))

    async def _watch(self, on_gone: Callable[[], None]) -> None:
        try:
            while await self._was_there():
                await asyncio.sleep(_RECONNECT_S)
            on_gone()
        finally:
            await self._transport.close()

    async def _was_there(self) -> bool:
        """Holds a connection until it ends; False: nobody listens."""
        try:
            reader, writer = await asyncio.open_unix_connection(self._path)
        except OSError:
            return False
        try:
            with contextlib.suppress(OSError):
                await reader.read()
        finally:
            writer.close()
        return True
