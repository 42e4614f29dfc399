"""A connection of a sync client: a socket, the session on it, deadlines that bound every wait."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Callable, Protocol

from pytriton import _socket
from pytriton.client._call import Deadline
from pytriton.client._resolver import Resolver
from pytriton.client._url import TritonUrl

__all__ = ["Connection", "Session", "tls_context"]

_SOCKET_BUFFERS = 64  # buffers given to one sendmsg


class Session(Protocol):
    """A protocol without sockets: _http1.Http1Session or _http2.Http2Session."""

    def get_buffer(self, sizehint: int = -1) -> Any:
        """Where to put received bytes."""

    def buffer_updated(self, count: int) -> None:
        """So many were put there. Raises ValueError for bytes that are no protocol."""

    def eof_received(self) -> None:
        """The peer has closed. Raises ValueError when that is no end."""


def tls_context(url: TritonUrl, given: ssl.SSLContext | None) -> ssl.SSLContext | None:
    """What to use for TLS: the caller's context, or one that verifies the server's name.

    Args:
        url: The server's.
        given: The caller's; for gRPC it is told to offer HTTP/2, which servers insist on.
    """
    if not url.is_secure:
        return None
    context = given or ssl.create_default_context()
    if url.is_grpc or given is None:
        context.set_alpn_protocols(["h2"] if url.is_grpc else ["http/1.1"])
    return context


class Connection:
    """A connected socket that never blocks beyond a deadline.

    Used by one thread at a time; any thread may close it.
    """

    def __init__(
        self,
        url: TritonUrl,
        resolver: Resolver,
        tls: ssl.SSLContext | None,
        deadline: Deadline,
    ) -> None:
        """Connects, address by address.

        Args:
            url: The server's.
            resolver: Knows its addresses.
            tls: How to encrypt; None: not at all.
            deadline: Bounds looking up, connecting and the handshake.

        Raises:
            OSError: No address answers (TimeoutError: not in time), or TLS fails.
        """
        self._socket: Any = _connected(url, resolver, deadline)
        # Bytes of the call that the system has taken; set to 0 by whoever begins one.
        self.sent = 0
        if tls is not None:
            self._encrypt(tls, url.hostname, deadline)
        self._is_tls = tls is not None
        self._socket.setblocking(False)
        self._fd = self._socket.fileno()
        self._plain = _socket.Descriptor(self._fd)
        self._poll = select.poll()

    def _encrypt(self, tls: ssl.SSLContext, hostname: str, deadline: Deadline) -> None:
        try:
            self._socket.settimeout(max(deadline.left(), 1e-3))
            self._socket = tls.wrap_socket(self._socket, server_hostname=hostname)
        except BaseException:
            self._socket.close()
            raise

    def close(self) -> None:
        """Ends it. Idempotent."""
        self._socket.close()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self._socket.close()

    def is_quiet(self) -> bool:
        """Nothing was received since the last exchange: neither bytes nor the end."""
        return _socket.is_quiet(self._fd)

    def send(self, parts: list[Any], session: Session, deadline: Deadline) -> None:
        """Sends everything; received bytes go into the session meanwhile.

        Args:
            parts: Buffers; a single one is bytes.
            session: What runs on this connection.
            deadline: Until when.

        Raises:
            TimeoutError: It took too long.
            OSError: The connection broke.
            ValueError: The server sent bytes that are no protocol.
        """
        if not self._is_tls and len(parts) == 1:
            sent = self._plain.send(parts[0])
            self.sent += max(sent, 0)
            if sent == len(parts[0]):
                return
            parts = [memoryview(parts[0])[sent:]]
        views = [memoryview(part).cast("B") for part in parts if memoryview(part).nbytes]
        while views:
            sent = self._try(lambda: self._send_some(views), select.POLLOUT, session, deadline)
            self.sent += sent
            while sent:
                if sent < views[0].nbytes:
                    views[0] = views[0][sent:]
                    break
                sent -= views.pop(0).nbytes

    def receive(self, session: Session, deadline: Deadline) -> None:
        """Waits for bytes and gives them to the session once.

        Raises:
            TimeoutError: It took too long.
            OSError: The connection broke.
            ValueError: The server sent bytes that are no protocol, or closed too early.
        """
        if self._is_tls:
            count = self._try(lambda: self._receive_some(session), select.POLLIN, None, deadline)
        else:
            count = self._plain.receive(session.get_buffer(), deadline.at)
        if count:
            session.buffer_updated(count)
        else:
            session.eof_received()

    def _send_some(self, views: list[memoryview]) -> int:
        if self._is_tls:
            return int(self._socket.send(views[0]))
        return int(self._socket.sendmsg(views[:_SOCKET_BUFFERS]))

    def _receive_some(self, session: Session) -> int:
        return int(self._socket.recv_into(session.get_buffer()))

    def _try(
        self, operation: Callable[[], int], event: int, reader: Session | None, deadline: Deadline
    ) -> int:
        """Repeats an operation until it does not want to wait; with a reader, reads meanwhile."""
        while True:
            try:
                return operation()
            except (BlockingIOError, ssl.SSLWantWriteError, ssl.SSLWantReadError) as error:
                wanted = event
                if isinstance(error, ssl.SSLWantReadError):
                    wanted = select.POLLIN
                elif isinstance(error, ssl.SSLWantWriteError):
                    wanted = select.POLLOUT
            except InterruptedError:
                continue
            found = self._wait(wanted | (select.POLLIN if reader else 0), deadline)
            if reader is not None and found & (select.POLLIN | select.POLLHUP):
                with contextlib.suppress(BlockingIOError, ssl.SSLWantReadError):
                    count = self._receive_some(reader)
                    if not count:
                        raise ConnectionResetError("the server closed the connection")
                    reader.buffer_updated(count)

    def _wait(self, events: int, deadline: Deadline) -> int:
        left = deadline.left()
        self._poll.register(self._fd, events)
        # poll counts in whole milliseconds: round up, so as not to spin in the last one.
        found = self._poll.poll(int(left * 1000) + 1 if left else 0)
        if not found:
            raise TimeoutError("timed out")
        return int(found[0][1])


def _connected(url: TritonUrl, resolver: Resolver, deadline: Deadline) -> socket.socket:
    problem: OSError = OSError(f"no address for {url.hostname}")
    try:
        addresses = resolver.look_up().result(deadline.left())
    except FutureTimeoutError:
        raise TimeoutError(f"timed out looking up {url.hostname}") from None
    for family, kind, protocol, _, address in addresses:
        sock = socket.socket(family, kind, protocol)
        try:
            left = deadline.left()
            if not left:
                raise TimeoutError("timed out")
            sock.settimeout(left)
            sock.connect(address)
            if family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        except OSError as error:
            sock.close()
            problem = error
            if isinstance(error, (TimeoutError, socket.timeout)):
                break
        except BaseException:
            sock.close()
            raise
    raise problem
