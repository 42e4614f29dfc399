"""The event loop of models with coroutines: one loop and one thread for the process."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from typing import Any, Optional


class LoopThread:
    """Runs coroutines of the model; the thread starts with the first one."""

    __slots__ = ("_loop", "_thread")

    def __init__(self) -> None:
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._thread: Optional[threading.Thread] = None

    def submit(self, coroutine: Any) -> Future[Any]:
        """Starts a coroutine; its result as a future for threads."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name="Thread-1 (run_forever)", daemon=True
            )
            self._thread.start()
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop)

    def stop(self) -> None:
        """Ends the loop and its thread; what still runs is abandoned."""
        if self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop = self._thread = None


def is_awaitable(value: Any) -> bool:
    """Whether a model's function returned a coroutine instead of a result."""
    return hasattr(value, "__await__") or (hasattr(value, "send") and hasattr(value, "throw"))
