"""The servers to compare: how each is installed, started, reached and stopped."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import processes
from load_tool import ROOT, LoadError, LoadTool, Target

SCRIPTS = ROOT / "bench" / "servers"
LOGS = ROOT / "build" / "bench-logs"
STOP_SECONDS = 40  # the peers' own exit timeout is 30
LARGEST_REQUEST = 64 << 20  # bytes

NVIDIA = "nvidia-pytriton==0.7.0"
NVIDIA_PYTHON = "/usr/bin/python3.11"  # its bundled Triton is linked against Debian's


@dataclass(frozen=True)
class Kind:
    """One of the servers.

    Attributes:
        name: short name, as in tables.
        script: the server script.
        requirements: what pip installs for it; empty for an interpreter that is given.
        protocols: of the load generator, in the order of its ports.
    """

    name: str
    script: Path
    requirements: tuple[str, ...]
    protocols: tuple[str, ...]
    base_python: str = sys.executable


PYTRITON = Kind("pytriton", SCRIPTS / "triton_server.py", (), ("http", "grpc"))
PEER = Kind(
    "nvidia-pytriton", SCRIPTS / "triton_server.py", (NVIDIA,), ("http", "grpc"), NVIDIA_PYTHON
)
MOSEC = Kind("mosec", SCRIPTS / "mosec_server.py", ("mosec", "numpy"), ("raw",))
KINDS = (PYTRITON, PEER, MOSEC)


def install(kind: Kind) -> Path:
    """Makes the kind's virtual environment below build/ where it is missing.

    Returns:
        Its interpreter.
    """
    folder = ROOT / "build" / f"bench-{kind.name.lower()}-venv"
    python = folder / "bin" / "python"
    stamp = folder / ("installed-" + "-".join(kind.requirements).replace("=", "_"))
    if not stamp.exists():
        print(f"installing {' '.join(kind.requirements)}", file=sys.stderr, flush=True)
        subprocess.run([kind.base_python, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        subprocess.run([*pip, *kind.requirements], check=True, stderr=subprocess.DEVNULL)
        stamp.touch()
    return python


def _free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


@contextmanager
def echo_server() -> Iterator[int]:
    """A server that sends back what it gets, and the port of it, for protocol `raw`."""
    (port,) = _free_ports(1)
    process = subprocess.Popen([sys.executable, str(SCRIPTS / "echo_server.py"), str(port)])
    try:
        while process.poll() is None:
            with suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            time.sleep(0.02)
        yield port
    finally:
        process.kill()
        process.wait()


def _environment(kind: Kind) -> dict[str, str]:
    """Ours; a peer must not find the wrong `pytriton` by it."""
    hidden = ("PYTHONPATH", "PYTHONHOME") if kind.requirements else ()
    return {name: value for name, value in os.environ.items() if name not in hidden}


@dataclass
class Server:
    """A running server of a kind, in its own session. Use as a context manager."""

    kind: Kind
    python: Path
    options: tuple[str, ...] = ()
    ports: dict[str, int] = field(default_factory=dict)
    start_seconds: float = 0.0
    process: subprocess.Popen | None = None

    def start(self, tool: LoadTool) -> Server:
        """Starts it and waits for its first right answer; `start_seconds` tells how long it took.

        Raises:
            LoadError: no right answer within a minute.
        """
        http, grpc, metrics = _free_ports(3)
        if self.kind is MOSEC:
            self.ports = {"raw": http}
            options = ["--address", "127.0.0.1", "--port", str(http), "--timeout", "60000"]
            options += ["--max-request-size", str(LARGEST_REQUEST)]
        else:
            self.ports = {"http": http, "grpc": grpc}
            options = ["--http-port", str(http), "--grpc-port", str(grpc)]
            options += ["--metrics-port", str(metrics)]
        LOGS.mkdir(parents=True, exist_ok=True)
        command = [str(self.python), str(self.kind.script), *options, *self.options]
        started_ns = time.monotonic_ns()
        with open(LOGS / f"{self.kind.name.lower()}.log", "ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=LOGS,
                env=_environment(self.kind),
                start_new_session=True,
            )
        try:
            first = tool.run(self.target(self.kind.protocols[0]), first_answer=60)
        except BaseException:
            self.stop()
            raise
        self.start_seconds = (first["first_answer_monotonic_ns"] - started_ns) / 1e9
        return self

    def target(self, protocol: str, model: str = "AddSub") -> Target:
        """Where a load for it goes."""
        return Target(protocol, f"127.0.0.1:{self.ports[protocol]}", model)

    @property
    def pid(self) -> int:
        """Of the root of its processes."""
        assert self.process is not None
        return self.process.pid

    def measure(self, tool: LoadTool, target: Target, **options: float) -> dict:
        """One load, with the server's CPU seconds for 10,000 requests as `server_cpu`."""
        before = processes.cpu_seconds(self.pid)
        result = tool.run(target, **options)
        spent = processes.cpu_seconds(self.pid) - before
        result["server_cpu"] = spent / max(result["ended"], 1) * 1e4
        if self.process is not None and self.process.poll() is not None:
            raise LoadError(f"the server ended with code {self.process.returncode}")
        return result

    def pause(self) -> None:
        """Takes its processes off the cores until `resume`; a server that ended stays so."""
        if self.process is not None:
            processes.signal_tree(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Lets them go on."""
        if self.process is not None:
            processes.signal_tree(self.pid, signal.SIGCONT)

    def stop(self) -> float:
        """Stops it in an orderly way, by force if that takes too long.

        Returns:
            How long it took, in seconds.
        """
        if self.process is None:
            return 0.0
        self.resume()
        members = processes.tree(self.pid)
        begin = time.monotonic()
        processes.end(self.process, STOP_SECONDS)
        seconds = time.monotonic() - begin
        for pid in set(members) & set(processes.tree(self.process.pid)):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        self.process = None
        return seconds

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
