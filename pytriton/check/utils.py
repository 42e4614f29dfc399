"""Helpers of functional tests: a script in a thread, free ports, a look into logs."""

from __future__ import annotations

import importlib
import logging
import pathlib
import re
import socket
import subprocess
import threading
from typing import Any

from pytriton.check.monitoring import (
    ProcessMonitoring,
    ProcessMonitoringThread,
    TestMonitoringContext,
)

__all__ = [
    "DEFAULT_LOG_FORMAT",
    "ProcessMonitoring",
    "ProcessMonitoringThread",
    "ScriptThread",
    "TestMonitoringContext",
    "find_free_port",
    "search_warning_on_too_verbose_log_level",
]

LOGGER = logging.getLogger(__name__)
DEFAULT_LOG_FORMAT = (
    "%(asctime)s - %(levelname)8s - %(process)8d - %(threadName)s - %(name)s: %(message)s"
)


def find_free_port() -> int:
    """A TCP port that was free a moment ago. Port 0 in TritonConfig can't be taken by others."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def search_warning_on_too_verbose_log_level(logs: str) -> bool:
    """Whether the logs hold the warning that verbose logging makes a server slow."""
    pattern = (
        "Triton Inference Server is running with enabled verbose logs.*"
        "It may affect inference performance"
    )
    return re.search(pattern, logs) is not None


def _popen() -> Any:
    """The Popen of psutil, which can do more, if there is one; else the standard library's."""
    try:
        return importlib.import_module("psutil").Popen
    except ImportError:
        return subprocess.Popen


class ScriptThread(threading.Thread):
    """Runs a command and keeps what it prints; ends it on leaving the `with` block.

    Attributes:
        output: What it has printed, standard output and error together.
        process: The process, where psutil is installed one of psutil's, which also tells its
            children; None before the start.
        returncode: Its exit code; None while it runs.
    """

    def __init__(self, cmd: list[str], workdir: pathlib.Path | str | None = None, **kwargs: Any):
        """Prepares.

        Args:
            cmd: The command.
            workdir: Directory to run in.
            kwargs: For threading.Thread.
        """
        super().__init__(daemon=True, **kwargs)
        self._command = cmd
        self._workdir = workdir
        self._started_process = threading.Event()
        self.process: subprocess.Popen[str] | None = None
        self.output = ""
        self.returncode: int | None = None

    def __enter__(self) -> ScriptThread:
        self.start()
        self._started_process.wait()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()
        self.join()

    def stop(self) -> None:
        """Sends SIGTERM."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def run(self) -> None:
        """The thread's work."""
        try:
            self.process = _popen()(
                self._command,
                cwd=self._workdir,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        finally:
            self._started_process.set()
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            LOGGER.info("%s", line.rstrip("\n"))
        self.returncode = self.process.wait()
