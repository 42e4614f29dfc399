"""How the asyncio clients carry calls: connections that belong to one event loop.

HTTP: a call takes a connection of a pool. gRPC: all calls share one connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Coroutine
from typing import Any, NoReturn

from pytriton.client._aio_links import GrpcLink, HttpLink, Watch, end
from pytriton.client._call import Call, Deadline, Reply, Unprocessed, retry_pause
from pytriton.client._connection import tls_context
from pytriton.client._resolver import Resolver
from pytriton.client._url import TritonUrl
from pytriton.client._wire import (
    GrpcFields,
    grpc_fields,
    grpc_message,
    grpc_reply,
    http_head,
)

__all__ = ["AioTransport"]

_MAX_IDLE = 256  # connections kept open without a call


class _Alarms:
    """Futures that end at their deadlines; one timer for all that wait equally long."""

    def __init__(self) -> None:
        self._waiting: dict[float, deque[tuple[float, asyncio.Future[None]]]] = {}

    def waiter(self, deadline: Deadline) -> asyncio.Future[None]:
        """A future that fails with TimeoutError at the deadline unless it is done before."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        if deadline.at == math.inf:
            return future
        queue = self._waiting.get(deadline.seconds)
        if queue is None:
            queue = self._waiting[deadline.seconds] = deque()
            loop.call_later(deadline.left(), self._ring, deadline.seconds)
        # Calls of one length end about in the order they began: what is done stands in front.
        while len(queue) > 1 and queue[0][1].done():
            queue.popleft()
        queue.append((deadline.at, future))
        return future

    def _ring(self, seconds: float) -> None:
        queue = self._waiting[seconds]
        now = time.monotonic()
        while queue and (queue[0][0] <= now or queue[0][1].done()):
            future = queue.popleft()[1]
            if not future.done():
                future.set_exception(TimeoutError("timed out"))
        if queue:
            left = queue[0][0] - now
            asyncio.get_running_loop().call_later(left, self._ring, seconds)
        else:
            del self._waiting[seconds]


def _fail(error: Exception) -> NoReturn:
    """Raises what callers expect of a call that ended so."""
    if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
        raise TimeoutError("timed out") from None
    if isinstance(error, ValueError):
        raise ConnectionError(str(error)) from error
    raise error


class AioTransport:
    """Carries calls to one server. Any number of tasks may call.

    Belongs to the event loop that uses it; when that has ended, to the next one that does, on new
    connections.
    """

    def __init__(self, url: TritonUrl, tls: ssl.SSLContext | None = None) -> None:
        """Makes no connection yet.

        Args:
            url: The server's.
            tls: The caller's context for https and grpcs; None: verify by the system's authorities.
        """
        self.url = url
        self._is_grpc = url.is_grpc
        self._tls = tls_context(url, tls)
        self._resolver = Resolver(url)
        self._fields = GrpcFields(url)
        self._is_closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        # What belongs to that loop.
        self._idle: list[HttpLink] = []
        self._busy: set[HttpLink] = set()
        self._shared: GrpcLink | None = None
        self._opening: asyncio.Task[GrpcLink] | None = None
        self._alarms = _Alarms()
        self._watch = Watch()

    async def close(self) -> None:
        """Ends all connections, also those with calls under way. Idempotent."""
        self._is_closed = True
        self._drop("the client is closed")
        await asyncio.sleep(0)  # let the transports see it

    def call(self, call: Call, deadline: Deadline) -> Coroutine[Any, Any, Any]:
        """Sends a call and reads its answer; again, if the server has not begun with it.

        Args:
            call: What to send.
            deadline: Bounds everything, from connecting on.

        Returns:
            What the call reads, to be awaited.

        Raises:
            TimeoutError: There was no answer in time.
            OSError: The server can't be reached, or broke the connection.
            PyTritonClientInferenceServerError: It answered with an error.
            RuntimeError: Another event loop uses the client.
        """
        if asyncio.get_running_loop() is not self._loop:
            self._settle()
        return self._grpc(call, deadline) if self._is_grpc else self._http(call, deadline)

    def _settle(self) -> None:
        """From now on the transport belongs to the running loop."""
        if self._loop is not None:
            if self._loop.is_running():
                raise RuntimeError("expected calls of one event loop, got one of another")
            self._drop("its event loop has ended")
            self._opening = None
            self._alarms = _Alarms()
            self._watch = Watch()
        self._loop = asyncio.get_running_loop()

    def _links(self) -> list[HttpLink | GrpcLink]:
        shared = [self._shared] if self._shared is not None else []
        return [*self._idle, *self._busy, *shared]

    def _drop(self, reason: str) -> None:
        """Ends all connections; the calls on them fail for that reason."""
        links = self._links()
        self._idle, self._shared = [], None
        for link in links:
            link.fail(ConnectionError(reason))

    async def _again(self, error: Exception, call: Call, deadline: Deadline, retries: int) -> Any:
        """Sends a call once more if that is allowed; else raises what callers expect."""
        if not isinstance(error, Unprocessed):
            _fail(error)
        await asyncio.sleep(retry_pause(error, retries, deadline))
        carry = self._grpc if self._is_grpc else self._http
        return await carry(call, deadline, retries + 1)

    async def stream(self, call: Call, seconds: float) -> AsyncIterator[Any]:
        """Sends a call with many answers.

        Args:
            call: What to send.
            seconds: Bounds connecting and sending, and then the wait for each message.

        Returns:
            Messages as arrays of bytes. Closing the iterator cancels the call.

        Raises:
            As call.
        """
        if asyncio.get_running_loop() is not self._loop:
            self._settle()
        link = await self._grpc_link(Deadline(seconds))
        stream = link.session.request(grpc_fields(self.url, call, None), call.body)
        try:
            link.flush_soon()
            while True:
                if not stream.messages and not stream.is_closed:
                    await self._news(link, stream, Deadline(seconds))
                while stream.messages:
                    yield grpc_message(stream, stream.messages.pop(0))
                if stream.is_closed:
                    break
            call.read(grpc_reply(stream, needs_message=False))
        except Exception as error:
            _fail(error)
        finally:
            self._leave(link, stream)

    # One coroutine a call, and the future that it waits for: every layer costs.

    async def _http(self, call: Call, deadline: Deadline, retries: int = 0) -> Any:
        try:
            link = self._idle_link() or await self._http_link(deadline)
            session = link.session
            self._busy.add(link)
            is_done = False
            try:
                link.waiter = waiter = self._alarms.waiter(deadline)
                session.begin()
                link.send(call.whole or http_head(self.url, call))
                await waiter
                is_done = True
                reply = Reply(session.status, session.headers, session.body)
            except ConnectionError as error:
                if session.is_untouched and call.method == "GET" and not self._is_closed:
                    raise Unprocessed(str(error)) from error
                raise
            finally:
                self._put_back(link, is_done)
        except Exception as error:
            return await self._again(error, call, deadline, retries)
        return call.read(reply)

    async def _grpc(self, call: Call, deadline: Deadline, retries: int = 0) -> Any:
        try:
            link = self._shared
            if link is None or not link.is_usable:
                link = await self._grpc_link(deadline)
            stream = link.session.request(self._fields.of(call, deadline), call.body)
            try:
                link.flush_soon()
                while not stream.is_closed:
                    if link.error is not None:
                        raise link.error
                    stream.user = waiter = self._alarms.waiter(deadline)
                    await waiter
            finally:
                if not stream.is_closed:
                    self._leave(link, stream)
            reply = grpc_reply(stream)
        except Exception as error:
            return await self._again(error, call, deadline, retries)
        return call.read(reply)

    def _idle_link(self) -> HttpLink | None:
        while self._idle:
            link = self._idle.pop()
            if link.is_usable:
                return link
            link.transport.abort()
        return None

    def _put_back(self, link: HttpLink, is_done: bool) -> None:
        """A call has ended; its connection is kept if it may carry another."""
        link.waiter = None
        self._busy.discard(link)
        is_open = is_done and link.error is None and link.session.is_reusable
        if is_open and len(self._idle) < _MAX_IDLE and not self._is_closed:
            self._idle.append(link)
        else:
            link.transport.abort()

    async def _news(self, link: GrpcLink, stream: Any, deadline: Deadline) -> None:
        """Waits until the stream has messages or has ended."""
        if link.error is not None:
            raise link.error
        stream.user = waiter = self._alarms.waiter(deadline)
        try:
            await waiter
        finally:
            stream.user = None
        if link.error is not None and not stream.is_closed and not stream.messages:
            raise link.error

    @staticmethod
    def _leave(link: GrpcLink, stream: Any) -> None:
        if not stream.is_closed and link.error is None:
            link.session.cancel(stream)
            link.flush_soon()

    async def _http_link(self, deadline: Deadline) -> HttpLink:
        if self._is_closed:
            raise ConnectionError("the client is closed")
        link: HttpLink = await self._connect(HttpLink, deadline)
        link.read_with(self._watch)
        return link

    async def _grpc_link(self, deadline: Deadline) -> GrpcLink:
        """The shared connection; the first caller opens it, the others wait for that."""
        while True:
            if self._is_closed:
                raise ConnectionError("the client is closed")
            if self._shared is not None and self._shared.is_usable:
                return self._shared
            if self._opening is None:
                self._opening = asyncio.ensure_future(self._connect(GrpcLink, deadline))
                self._opening.add_done_callback(self._opened)
            opening = self._opening
            try:
                await asyncio.wait_for(asyncio.shield(opening), max(deadline.left(), 1e-3))
            except (asyncio.TimeoutError, TimeoutError):
                if not deadline.left():  # else it was the deadline of who opened it
                    raise
            finally:
                # Waiting for what is done gives nobody else a turn, also not the task's callback.
                if opening.done():
                    self._opened(opening)

    def _opened(self, task: asyncio.Task[GrpcLink]) -> None:
        if self._opening is not task:
            return
        self._opening = None
        if not task.cancelled() and task.exception() is None:
            if self._is_closed:
                task.result().fail(ConnectionError("the client is closed"))
            else:
                self._shared = task.result()

    async def _connect(self, kind: Any, deadline: Deadline) -> Any:
        return await asyncio.wait_for(self._opened_at(kind), max(deadline.left(), 1e-3))

    async def _opened_at(self, kind: Any) -> Any:
        """A connection to the first address that takes it."""
        loop = asyncio.get_running_loop()
        if self.url.path:
            return (await loop.create_unix_connection(kind, self.url.path))[1]
        name = self.url.hostname if self._tls is not None else None
        problem: OSError = OSError(f"no address for {self.url.hostname}")
        for family, _, protocol, _, address in await asyncio.wrap_future(self._resolver.look_up()):
            try:
                _, link = await loop.create_connection(
                    kind,
                    address[0],
                    address[1],
                    family=family,
                    proto=protocol,
                    ssl=self._tls,
                    server_hostname=name,
                )
            except OSError as error:
                problem = error
            else:
                return link
        raise problem

    def __del__(self) -> None:
        """Dropped without close, maybe by another thread than the loop's."""
        with contextlib.suppress(Exception):
            for link in self._links():
                try:
                    link.transport._loop.call_soon_threadsafe(link.transport.abort)
                except RuntimeError:  # that loop has ended
                    end(link.transport)
