"""Connections of the asyncio clients: what arrives goes into a session, whoever waits is woken."""

from __future__ import annotations

import asyncio
import contextlib
import select
from typing import Any

from pytriton import _http1, _http2, _socket
from pytriton.client._connection import Session

__all__ = ["GrpcLink", "HttpLink", "Watch", "end"]

_MAX_EVENTS = 256  # connections that are read before the loop has its turn again


def end(transport: Any) -> None:
    """Closes a connection, also one whose loop has ended."""
    try:
        transport.abort()
    except RuntimeError:
        # The loop would do this next. A transport has no public way of closing without one.
        with contextlib.suppress(Exception):
            transport._call_connection_lost(None)


class _Link(asyncio.BufferedProtocol):
    """A connection: what arrives goes into the session, whoever waits is woken."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.transport: Any = None
        self.error: Exception | None = None  # why nothing works any more
        self.is_paused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def get_buffer(self, sizehint: int) -> Any:
        return self.session.get_buffer(sizehint)

    def buffer_updated(self, nbytes: int) -> None:
        try:
            self.session.buffer_updated(nbytes)
        except Exception as error:
            self.fail(ConnectionError(str(error)))
        else:
            self.wake()

    def eof_received(self) -> bool:
        try:
            self.session.eof_received()
        except ValueError as error:
            self.fail(ConnectionError(str(error)))
        else:
            self.wake()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(exc or ConnectionResetError("the server closed the connection"))

    def pause_writing(self) -> None:
        self.is_paused = True

    def resume_writing(self) -> None:
        self.is_paused = False

    def fail(self, error: Exception) -> None:
        """Ends the connection; everybody who waits gets the error."""
        if self.error is None:
            self.error = error
            end(self.transport)
            with contextlib.suppress(RuntimeError):  # the loop has ended, and who waited with it
                self.wake()

    def wake(self) -> None:
        """The session has news."""


class Watch:
    """Reads what arrives on any number of connections; the loop watches one descriptor for all.

    A loop takes several times as long to find out that a connection has something, and to read it
    through its transport, as the system takes for both.
    """

    def __init__(self) -> None:
        """Watches nothing."""
        self._links: dict[int, HttpLink] = {}
        self._epoll: select.epoll | None = None  # while there are links
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, fd: int, link: HttpLink) -> None:
        """From now on the link's `receive` is called when its descriptor has something."""
        if self._epoll is None:
            self._epoll = select.epoll()
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._epoll.fileno(), self._receive)
        self._epoll.register(fd, select.EPOLLIN)
        self._links[fd] = link

    def remove(self, fd: int) -> None:
        """Forgets a descriptor, which is about to be closed."""
        if self._links.pop(fd, None) is None or self._epoll is None or self._loop is None:
            return
        self._epoll.unregister(fd)
        if not self._links:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None

    def _receive(self) -> None:
        links = self._links
        if self._epoll is not None:
            for fd, _ in self._epoll.poll(0, _MAX_EVENTS):
                link = links.get(fd)  # None: a callback of this round has ended it
                if link is not None:
                    link.receive()


class HttpLink(_Link):
    """Carries one HTTP call at a time.

    Without TLS only the beginning and the end of the connection, and writing what the system does
    not take at once, are the transport's business.
    """

    session: _http1.Http1Session

    def __init__(self) -> None:
        super().__init__(_http1.Http1Session())
        self.waiter: asyncio.Future[None] | None = None
        self._fd = -1
        self._watch: Watch | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        if transport.get_extra_info("sslcontext") is None:
            self._fd = transport.get_extra_info("socket").fileno()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.remove(self._fd)
            self._watch = None
        super().connection_lost(exc)

    def read_with(self, watch: Watch) -> None:
        """The transport reads no more, the watch does; not with TLS."""
        if self._fd >= 0 and self.error is None and not self.transport.is_closing():
            self.transport.pause_reading()
            self._watch = watch
            watch.add(self._fd, self)

    def receive(self) -> None:
        """Reads what has arrived, once."""
        try:
            count = _socket.receive(self._fd, self.session.get_buffer())
        except OSError as error:
            self.fail(error)
            return
        if count > 0:
            self.buffer_updated(count)
        elif count == 0:
            self.eof_received()
            self.transport.close()

    def buffer_updated(self, nbytes: int) -> None:
        session = self.session
        try:
            session.buffer_updated(nbytes)
        except Exception as error:
            self.fail(ConnectionError(str(error)))
            return
        if session.is_done:
            waiter = self.waiter
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

    def wake(self) -> None:
        waiter = self.waiter
        if waiter is not None and not waiter.done():
            if self.session.is_done:
                waiter.set_result(None)
            elif self.error is not None:
                waiter.set_exception(self.error)

    def send(self, parts: list[Any]) -> None:
        """Sends a request. The link must be usable.

        A small one goes straight to the socket: the loop's transport would do the same, later.
        """
        first = parts[0]
        if len(parts) == 1 and self._fd >= 0 and not self.transport.get_write_buffer_size():
            try:
                sent = _socket.send(self._fd, first)
            except OSError:
                sent = 0  # the transport finds that out, too, and tells everybody
            if sent == len(first):
                return
            parts = [memoryview(first)[sent:]]
        for part in parts:
            self.transport.write(part if type(part) is bytes else memoryview(part).cast("B"))

    @property
    def is_usable(self) -> bool:
        return self.error is None and self.session.is_reusable and not self.transport.is_closing()


class GrpcLink(_Link):
    """Carries any number of gRPC calls."""

    session: _http2.Http2Session

    def __init__(self) -> None:
        super().__init__(_http2.Http2Session())
        self._will_flush = False

    def wake(self) -> None:
        for stream in self.session.touched:
            waiter = stream.user
            if waiter is not None and not waiter.done():
                waiter.set_result(None)
        self.session.touched.clear()
        if self.error is not None or not self.session.is_usable:
            self._check_end()
        self.flush()

    def flush_soon(self) -> None:
        """Flushes when all tasks that are ready now have had their turn: one write for all."""
        if not self._will_flush:
            self._will_flush = True
            asyncio.get_running_loop().call_soon(self._flush_now)

    def _flush_now(self) -> None:
        self._will_flush = False
        try:
            self.flush()
        except ValueError as error:
            self.fail(ConnectionError(str(error)))

    def _check_end(self) -> None:
        """Streams whose connection has gone will never close by themselves."""
        if self.error is not None:
            for stream in self.session.streams:
                if stream.user is not None and not stream.user.done():
                    stream.user.set_result(None)

    def flush(self) -> None:
        if self.error is None:
            while self.session.wants_write and not self.is_paused:
                output = self.session.take_output()
                if not output:
                    break
                for part in output:
                    self.transport.write(part)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.error is None:
            self.flush()

    @property
    def is_usable(self) -> bool:
        return self.error is None and self.session.is_usable and not self.transport.is_closing()
