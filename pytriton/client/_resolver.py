"""Looks up a server's addresses without waiting longer than a deadline allows."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future
from typing import Any

from pytriton.client._url import TritonUrl

__all__ = ["Address", "Resolver"]

Address = tuple[Any, ...]  # family, type, protocol, name, address: as getaddrinfo gives it


class Resolver:
    """Looks up one server. The system's resolver takes no time-out: a thread of ours waits for it.

    Callers that come meanwhile wait for the same look-up, so a dead resolver holds one thread.
    Thread rule: thread-safe.
    """

    def __init__(self, url: TritonUrl) -> None:
        """Looks up nothing yet.

        Args:
            url: The server's.
        """
        self._url = url
        self._lock = threading.Lock()
        self._running: Future[list[Address]] | None = None

    def look_up(self) -> Future[list[Address]]:
        """The addresses, at once when the URL holds one. Its error: socket.gaierror."""
        known = self._known()
        if known is not None:
            future: Future[list[Address]] = Future()
            future.set_result(known)
            return future
        with self._lock:
            if self._running is None or self._running.done():
                self._running = Future()
                # From here on nobody who stops waiting can cancel it for the others.
                self._running.set_running_or_notify_cancel()
                threading.Thread(
                    target=self._ask, args=(self._running,), name="pytriton-dns", daemon=True
                ).start()
            return self._running

    def _known(self) -> list[Address] | None:
        url = self._url
        if url.path:
            return [(socket.AF_UNIX, socket.SOCK_STREAM, 0, "", url.path)]
        try:
            return socket.getaddrinfo(
                url.hostname, url.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        except OSError:
            return None

    def _ask(self, future: Future[list[Address]]) -> None:
        try:
            found = socket.getaddrinfo(self._url.hostname, self._url.port, type=socket.SOCK_STREAM)
        except Exception as error:
            future.set_exception(
                error if isinstance(error, OSError) else socket.gaierror(str(error))
            )
        else:
            future.set_result(found)
