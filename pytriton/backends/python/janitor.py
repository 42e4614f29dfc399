"""Janitor: tells the server what finalizers found, from a thread that may wait."""

from __future__ import annotations

import queue
import threading
from typing import Optional

from .._channel import Channel


class Janitor:
    """Releases requests whose senders were dropped.

    A finalizer may run anywhere, even inside the channel that it would have to use; so it only
    leaves a note (`SimpleQueue.put` may be entered again). The thread starts with `start`.
    """

    __slots__ = ("_channel", "_queue", "_thread")

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._queue: queue.SimpleQueue[Optional[int]] = queue.SimpleQueue()
        self._thread: Optional[threading.Thread] = None

    def start(self) -> None:
        """Starts the thread; call it before the first sender is made. Idempotent."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="janitor", daemon=True)
            self._thread.start()

    def release(self, key: int) -> None:
        """Notes that a request can get no response any more."""
        self._queue.put(key)

    def stop(self) -> None:
        """Ends the thread after what was noted; waits for it."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while True:
            key = self._queue.get()
            if key is None:
                return
            self._channel.release(key)
