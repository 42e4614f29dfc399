"""TritonServer: a server in a process of its own, by PyTriton's internal name."""

from __future__ import annotations

import collections
import pathlib
import subprocess
import sys
import threading
from collections.abc import Sequence
from typing import Callable, Literal

from pytriton.server.triton_server_config import TritonServerConfig
from pytriton.utils.endpoint_utils import get_endpoint

__all__ = ["TritonServer"]

_KEPT_LINES = 10_000
_STOP_TIMEOUT_S = 60.0


class TritonServer:
    """Runs `python -m pytriton.serve` with the flags of a configuration.

    Programs should use `Triton`, or that command; this is for code that knows PyTriton's inside.

    Thread rule: one thread at a time.
    """

    def __init__(
        self,
        *,
        path: str | pathlib.Path,
        libs_path: str | pathlib.Path,
        config: TritonServerConfig,
        gpus: Sequence[int] | None = None,
        verbose: bool = True,
    ) -> None:
        """Starts nothing.

        Args:
            path: No effect: there is no tritonserver.
            libs_path: No effect.
            config: The flags.
            gpus: No effect; set CUDA_VISIBLE_DEVICES.
            verbose: Whether what the server prints is printed here.
        """
        self._config = config
        self._is_verbose = verbose
        self._callbacks: list[Callable[[TritonServer], object]] = []
        self._lines: collections.deque[str] = collections.deque(maxlen=_KEPT_LINES)
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    def start(self) -> None:
        """Starts the process, unless it runs."""
        if self.is_alive():
            return
        words = self._config.to_args_list()
        flags = [f"{name}={value}" for name, value in zip(words[::2], words[1::2])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pytriton.serve", *flags],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()

    def stop(self) -> None:
        """Ends the process; work under way is finished."""
        process, reader = self._process, self._reader
        if process is None or reader is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
        reader.join()
        self._process = None

    def register_on_exit(self, callback: Callable[[TritonServer], object]) -> None:
        """Has a function called with this object when the process has ended."""
        self._callbacks.append(callback)

    def unregister_on_exit(self, callback: Callable[[TritonServer], object]) -> None:
        """Takes such a function back."""
        self._callbacks.remove(callback)

    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def logs(self) -> str:
        """What the server has printed, its last 10,000 lines."""
        return "".join(list(self._lines))

    def get_endpoint(self, endpoint: Literal["http", "grpc", "metrics"]) -> str:
        """The URL of an endpoint, as `scheme://host:port`."""
        return get_endpoint(self._config, endpoint)

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                self._lines.append(line)
                if self._is_verbose:
                    sys.stdout.write(line)
        process.wait()
        for callback in list(self._callbacks):
            callback(self)
