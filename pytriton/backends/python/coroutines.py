"""The event loop of models with coroutines: one loop and one thread for the process.

asyncio is imported by who uses it: it costs a load as much as a quarter of numpy.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Optional

if TYPE_CHECKING:
    import asyncio
    from concurrent.futures import Future


class LoopThread:
    """Runs coroutines of the model; the thread starts with the first one."""

    __slots__ = ("_loop", "_thread")

    def __init__(self) -> None:
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._thread: Optional[threading.Thread] = None

    def submit(self, coroutine: Any) -> Future[Any]:
        """Starts a coroutine; its result as a future for threads."""
        import asyncio

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
