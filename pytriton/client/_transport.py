"""How the sync clients carry calls: a pool of connections that any thread may use."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from typing import Any

from pytriton import _http1, _http2
from pytriton.client._call import Call, Deadline, Reply, Unprocessed, retry_pause
from pytriton.client._connection import Connection, tls_context
from pytriton.client._resolver import Resolver
from pytriton.client._url import TritonUrl
from pytriton.client._wire import (
    GrpcFields,
    grpc_fields,
    grpc_message,
    grpc_reply,
    http_head,
)

__all__ = ["Transport"]

_MAX_IDLE = 128  # connections kept open without a call


class _Link:
    """A connection and the session on it."""

    def __init__(self, connection: Connection, is_grpc: bool) -> None:
        self.connection = connection
        self.http2 = _http2.Http2Session() if is_grpc else None
        self.http1 = None if is_grpc else _http1.Http1Session()

    def is_usable(self) -> bool:
        """May carry another call."""
        try:
            if self.http1 is not None:
                return self.http1.is_reusable and self.connection.is_quiet()
            assert self.http2 is not None
            while not self.connection.is_quiet():  # settings, pings, or the server's farewell
                self.connection.receive(self.http2, Deadline(1e-3))
                if not self.http2.is_usable:
                    return False
            return self.http2.is_usable
        except (OSError, ValueError):
            return False


class Transport:
    """Carries calls to one server. Any number of threads may call at once."""

    def __init__(self, url: TritonUrl, tls: ssl.SSLContext | None = None) -> None:
        """Makes no connection yet.

        Args:
            url: The server's.
            tls: The caller's context for https and grpcs; None: verify by the system's authorities.
        """
        self.url = url
        self._tls = tls_context(url, tls)
        self._resolver = Resolver(url)
        self._fields = GrpcFields(url)
        self._idle: list[_Link] = []  # append and pop are atomic: no lock
        self._is_closed = False

    def close(self) -> None:
        """Closes what is idle; what is in use is closed when its call ends. Idempotent."""
        self._is_closed = True
        while True:
            try:
                self._idle.pop().connection.close()
            except IndexError:
                return

    def call(self, call: Call, deadline: Deadline) -> Any:
        """Sends a call and reads its answer; again, if the server has not begun with it.

        Args:
            call: What to send.
            deadline: Bounds everything, from connecting on.

        Raises:
            TimeoutError: There was no answer in time.
            OSError: The server can't be reached, or broke the connection.
            PyTritonClientInferenceServerError: It answered with an error.
        """
        retries = 0
        while True:
            try:
                reply = self._exchange(call, deadline)
            except Unprocessed as error:
                time.sleep(retry_pause(error, retries, deadline))
                retries += 1
            else:
                return call.read(reply)

    def _exchange(self, call: Call, deadline: Deadline) -> Reply:
        link = self._take(deadline)
        is_done = False
        try:
            if link.http1 is not None:
                reply = self._http(link, link.http1, call, deadline)
            else:
                reply = self._grpc(link, link.http2, call, deadline)
            is_done = True
            return reply
        except ValueError as error:
            raise ConnectionError(str(error)) from error
        finally:
            if is_done:
                self._give_back(link)
            else:
                link.connection.close()

    def stream(self, call: Call, seconds: float) -> Iterator[Any]:
        """Sends a call with many answers now; the iterator only reads.

        Args:
            call: What to send.
            seconds: Bounds the sending, and then the wait for each message.

        Returns:
            Messages as arrays of bytes. Closing the iterator cancels the call.

        Raises:
            As call; from the iterator as well.
        """
        deadline = Deadline(seconds)
        link = self._take(deadline)
        session = link.http2
        assert session is not None
        try:
            stream = session.request(grpc_fields(self.url, call, None), call.body)
            self._flush(link, session, deadline)
        except BaseException as error:
            link.connection.close()
            if isinstance(error, ValueError):
                raise ConnectionError(str(error)) from error
            raise
        return self._messages(link, stream, call, seconds)

    def _messages(self, link: _Link, stream: Any, call: Call, seconds: float) -> Iterator[Any]:
        session = link.http2
        assert session is not None
        is_done = False
        try:
            while True:
                deadline = Deadline(seconds)
                while not stream.messages and not stream.is_closed:
                    link.connection.receive(session, deadline)
                    session.touched.clear()
                    self._flush(link, session, deadline)
                if not stream.messages:
                    break
                yield grpc_message(stream, stream.messages.pop(0))
            is_done = True
            call.read(grpc_reply(stream, needs_message=False))
        except ValueError as error:
            raise ConnectionError(str(error)) from error
        finally:
            if is_done:
                self._give_back(link)
            else:
                link.connection.close()  # the server sees that nobody waits any more

    def _take(self, deadline: Deadline) -> _Link:
        while True:
            if self._is_closed:
                raise ConnectionError("the client is closed")
            try:
                link = self._idle.pop()
            except IndexError:
                return _Link(
                    Connection(self.url, self._resolver, self._tls, deadline), self.url.is_grpc
                )
            if link.is_usable():
                return link
            link.connection.close()

    def _give_back(self, link: _Link) -> None:
        session = link.http1
        usable = link.http2.is_usable if session is None else session.is_reusable  # type: ignore[union-attr]
        if not usable or len(self._idle) >= _MAX_IDLE:
            link.connection.close()
            return
        self._idle.append(link)
        if self._is_closed:  # meanwhile, by another thread
            self.close()

    def _http(self, link: _Link, session: Any, call: Call, deadline: Deadline) -> Reply:
        session.begin()
        connection = link.connection
        connection.sent = 0
        try:
            try:
                connection.send(call.whole or http_head(self.url, call), session, deadline)
            except (BrokenPipeError, ConnectionResetError):
                # It may have answered before it closed, for example that the request is too large.
                connection.receive(session, deadline)
            while not session.is_done:
                connection.receive(session, deadline)
        except (ConnectionError, ValueError) as error:
            if session.is_untouched and (not connection.sent or call.method == "GET"):
                raise Unprocessed(str(error)) from error
            raise
        return Reply(session.status, session.headers, session.body)

    def _grpc(self, link: _Link, session: Any, call: Call, deadline: Deadline) -> Reply:
        stream = session.request(self._fields.of(call, deadline), call.body)
        self._flush(link, session, deadline)
        connection = link.connection
        while not stream.is_closed:
            connection.receive(session, deadline)
            self._flush(link, session, deadline)
        session.touched.clear()
        return grpc_reply(stream)

    @staticmethod
    def _flush(link: _Link, session: Any, deadline: Deadline) -> None:
        while session.wants_write:
            output = session.take_output()
            if not output:  # what is left waits for the server's permission
                return
            link.connection.send(output, session, deadline)
