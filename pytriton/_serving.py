"""Serving in the foreground: signals, and what a process is tuned to."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pytriton import _core

if TYPE_CHECKING:
    from pytriton._triton_base import TritonBase

LOGGER = logging.getLogger("pytriton.triton")

# How soon a user's own thread must give the interpreter to a waiting batch: the default of 5 ms
# makes p99 nine times as long.
_SWITCH_INTERVAL_S = 0.0005


class _Terminated(BaseException):
    """SIGTERM came while the main thread waited."""


def serve_until_stopped(triton: TritonBase, period_s: float) -> None:
    """Runs `triton` until it stops or this process is asked to end.

    Args:
        triton: The server.
        period_s: How often an idle server gives memory back, in seconds.
    """
    _core.tune_process()
    _core.guard_process()
    switch_interval = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    with _sigterm_raises():
        try:
            triton.run()
            _wait(triton, period_s)
        except KeyboardInterrupt:
            LOGGER.info("SIGINT received, exiting.")
        except _Terminated:
            LOGGER.info("SIGTERM received, exiting.")
        finally:
            triton.stop()
            sys.setswitchinterval(switch_interval)


def _wait(triton: TritonBase, period_s: float) -> None:
    seen = trimmed = 0
    with triton._condition:
        while triton.is_alive():
            triton._condition.wait(period_s)
            server = triton._server
            executions = 0 if server is None else server.executions
            # Idle for a whole period after work: its memory goes back, once.
            if executions == seen and executions != trimmed:
                _core.trim_process()
                trimmed = executions
            seen = executions


@contextlib.contextmanager
def _sigterm_raises() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_sigterm(number: int, frame: Any) -> None:
        # Only the first one: a second must not break the stop.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise _Terminated

    previous = signal.signal(signal.SIGTERM, on_sigterm)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
