"""The threads of a FuturesModelClient."""

from __future__ import annotations

import queue
import threading
from types import SimpleNamespace
from typing import Any

from pytriton.client._futures_client import _Pool


class HeldQueue(queue.Queue):
    """Holds up who has taken a job until it is told to go."""

    def __init__(self) -> None:
        super().__init__()
        self.taken, self.go = threading.Event(), threading.Event()

    def get(self, *args: Any, **options: Any) -> Any:
        job = super().get(*args, **options)
        self.taken.set()
        self.go.wait(30)
        return job


def test_a_thread_that_has_just_taken_a_call_is_not_idle():
    """The second call needs a thread of its own: it must not wait until the first has ended."""
    pool = _Pool(SimpleNamespace(close=lambda: None), None, 10)
    pool._jobs = jobs = HeldQueue()
    meeting = threading.Barrier(2)
    first = pool.submit(lambda _: meeting.wait(10), 1)
    assert jobs.taken.wait(30)
    second = pool.submit(lambda _: meeting.wait(10), 1)
    jobs.go.set()
    assert {first.result(), second.result()} == {0, 1}
    pool.close().join()
