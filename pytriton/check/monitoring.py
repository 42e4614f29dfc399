"""Watches a process and its children while a functional test runs: what each does, in the log."""

from __future__ import annotations

import argparse
import logging
import os
import pathlib
import re
import threading
from collections.abc import Iterator
from typing import Any, Callable

__all__ = [
    "ProcessMonitoring",
    "ProcessMonitoringThread",
    "TestMonitoringContext",
]

_COLOR = re.compile(r"\x1b\[[0-9;]*m")
_STATUS = ("State", "PPid", "Threads", "VmRSS", "voluntary_ctxt_switches")


class ProcessMonitoring:
    """Tells the state of a process and of all its descendants, from /proc.

    Attributes:
        pid: Of the process.
    """

    def __init__(
        self,
        pid: int,
        logger: logging.Logger | None = None,
        loglevel: int = logging.INFO,
        remove_color: bool = False,
    ) -> None:
        """Looks at nothing yet.

        Args:
            pid: Of the process.
            logger: Where states are told; None: this module's.
            loglevel: Level of the messages.
            remove_color: Leave out colors that custom monitors give.
        """
        self.pid = pid
        self._logger = logger or logging.getLogger(__name__)
        self._loglevel = loglevel
        self._remove_color = remove_color
        self._monitors: list[Callable[[int], Any]] = []

    @property
    def children(self) -> list[int]:
        """Pids of all descendants that live."""
        parents: dict[int, list[int]] = {}
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                parents.setdefault(_parent(entry), []).append(int(entry.name))
        found: list[int] = []
        waiting = [self.pid]
        while waiting:
            next_ones = parents.get(waiting.pop(), [])
            found += next_ones
            waiting += next_ones
        return sorted(found)

    def register_custom_monitor(self, custom_monitor: Callable[[int], Any]) -> None:
        """Adds to each state what a function tells.

        Args:
            custom_monitor: Called with each pid; gives a text, or something iterable of texts.
        """
        self._monitors.append(custom_monitor)

    def dump_state(self) -> None:
        """Logs the state of the process and of its descendants."""
        for pid in [self.pid, *self.children]:
            for line in self._lines(pid):
                text = _COLOR.sub("", line) if self._remove_color else line
                self._logger.log(self._loglevel, "%s", text)

    def _lines(self, pid: int) -> Iterator[str]:
        folder = pathlib.Path("/proc") / str(pid)
        try:
            command = (
                folder.joinpath("cmdline")
                .read_bytes()
                .replace(b"\0", b" ")
                .decode(errors="replace")
            )
            yield f"process {pid}: {command.strip()}"
            for line in folder.joinpath("status").read_text(errors="replace").splitlines():
                if line.partition(":")[0] in _STATUS:
                    yield f"  {line}"
            for task in sorted(folder.joinpath("task").iterdir()):
                name = task.joinpath("comm").read_text(errors="replace").strip()
                waits = task.joinpath("wchan").read_text(errors="replace").strip("0\n")
                yield f"  thread {task.name} {name} {waits}".rstrip()
        except OSError as error:
            yield f"process {pid}: {error.strerror or error}"
        for monitor in self._monitors:
            told = monitor(pid)
            for text in [told] if isinstance(told, str) else told or ():
                yield f"  {text}"


def _parent(folder: pathlib.Path) -> int:
    try:
        # The name stands in parentheses and may hold any character.
        return int(
            folder.joinpath("stat").read_text(errors="replace").rpartition(")")[2].split()[1]
        )
    except (OSError, IndexError, ValueError):
        return -1


class ProcessMonitoringThread:
    """Dumps the state again and again within a `with` block."""

    def __init__(self, monitoring: ProcessMonitoring, interval: float = 60) -> None:
        """Starts nothing yet.

        Args:
            monitoring: What to dump.
            interval: Between two dumps, in seconds.
        """
        self._monitoring = monitoring
        self._interval = interval
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins."""
        self._thread = threading.Thread(target=self._run, name="pytriton-monitoring", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Ends; returns when the last dump is done."""
        self._ends.set()
        if self._thread is not None:
            self._thread.join()

    def __enter__(self) -> ProcessMonitoringThread:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._ends.wait(self._interval):
            self._monitoring.dump_state()


class TestMonitoringContext:
    """Watches this process while a functional test runs, if its arguments ask for it."""

    __test__ = False  # the name is for pytest to pass by

    def __init__(self, args: argparse.Namespace) -> None:
        """Starts nothing yet.

        Args:
            args: With what `extend_args` has added.
        """
        interval = getattr(args, "process_monitoring_interval", 0) or 0
        monitoring = ProcessMonitoring(os.getpid(), remove_color=True)
        self._thread = ProcessMonitoringThread(monitoring, interval) if interval > 0 else None

    @staticmethod
    def extend_args(parser: argparse.ArgumentParser) -> None:
        """Adds `--process-monitoring-interval SECONDS`; 0: not at all."""
        parser.add_argument("--process-monitoring-interval", type=float, default=0)

    def __enter__(self) -> TestMonitoringContext:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._thread is not None:
            self._thread.stop()
