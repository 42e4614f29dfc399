"""Closed-loop clients on a model whose content changes: what they got, round by round."""

from __future__ import annotations

import ctypes
import mmap
import statistics
import struct
import threading
import time
from dataclasses import dataclass

from load_tool import LoadError, LoadTool, Target

from e2e.harness import wait_until
from reload.repository import Clients, RepositoryServer

CHECKING_CLIENTS = 4
ROUND_S = 0.5


@dataclass(frozen=True)
class Round:
    """One run of pytriton-load: when it began and ended, and what it printed."""

    began: float
    ended: float
    result: dict


class Load:
    """60 clients of pytriton-load and 4 of Python's, until `stop`; in rounds of ROUND_S."""

    def __init__(self, tool: LoadTool, server: RepositoryServer, content: str, count: int):
        self._tool, self._count = tool, count - CHECKING_CLIENTS
        self._target = Target("http", f"127.0.0.1:{server.http}", "m")
        self._window_path = server.log_path.with_suffix(".window")
        self._window_path.write_bytes(struct.pack("=qq", int(content), int(content)))
        with self._window_path.open("r+b") as file:
            # Numbers that are written at once: the load tool reads them at any time.
            self._window = (ctypes.c_int64 * 2).from_buffer(mmap.mmap(file.fileno(), 16))
        self._stopping = threading.Event()
        self._clients = Clients(server.http, CHECKING_CLIENTS, content)
        self._rounds: list[Round] = []
        self._faults: list[str] = []
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        options = {"identity": "x,y", "elements": 4, "warmup": 0}
        options |= {"concurrency": self._count, "connections": self._count}
        options["number"] = f"content,{self._window_path}"
        while not self._stopping.is_set():
            began = time.perf_counter()
            try:
                result = self._tool.run(self._target, duration=ROUND_S, **options)
            except LoadError as error:
                self._faults.append(str(error))
                return
            self._rounds.append(Round(began, time.perf_counter(), result))

    def serving(self, number: int) -> None:
        """From now on content `number` may answer too."""
        self._clients.serving(str(number))
        self._window[1] = number

    def settled(self, number: int) -> None:
        """Requests that begin from now on are answered by content `number` only."""
        self._clients.settled(str(number))
        self._window[0] = number

    def wait_rounds(self, more: int) -> None:
        """Until so many more rounds have ended, or a fault has ended the load."""
        wanted = len(self._rounds) + more
        wait_until(lambda: len(self._rounds) >= wanted or self._faults, f"{more} rounds", 600)

    def within(self, begin: float, end: float) -> tuple[float, float]:
        """Right answers a second and p99 in ms: medians of the rounds that lie between two times.

        Of those that touch the span, when it is shorter than a round.
        """
        inside = [one for one in self._rounds if begin <= one.began and one.ended <= end]
        touching = [one for one in self._rounds if begin < one.ended and one.began < end]
        results = [one.result for one in inside or touching]
        if not results:
            raise LoadError(f"expected a round, got none: {self._faults}")
        rate, p99_us = (
            statistics.median(one[key] for one in results) for key in ("rate", "p99_us")
        )
        return rate, p99_us / 1000

    def stop(self) -> tuple[int, int]:
        """Ends it; the answers in all, and how many were wrong or missing, which are printed."""
        self._stopping.set()
        self._thread.join()
        self._clients.stop()
        faults = [*self._faults, *self._clients.wrong]
        for fault in faults[:3]:
            print(fault)
        answers = sum(one.result["ended"] for one in self._rounds) + self._clients.answers
        return answers, len(faults)
