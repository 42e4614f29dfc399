"""Servers for the end-to-end tests. Whoever starts one gets it stopped, and its end checked."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from e2e.fake_cuda import FakeCuda
from e2e.harness import Server

StartServer = Callable[..., Server]
RunLoad = Callable[..., dict[str, Any]]
_ROOT = Path(__file__).resolve().parents[2]
_LOAD_BUILD = _ROOT / "build" / "bench-load"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[StartServer]:
    """`start("small.py", "--option", "value", ...)` gives a server that is ready."""
    servers: list[Server] = []

    def start_one(app: str, *options: str, **more: Any) -> Server:
        servers.append(Server(app, tmp_path, *options, **more))
        return servers[-1].wait_ready()

    yield start_one
    for server in servers:
        if server.process.poll() is None:
            server.kill()


@pytest.fixture(scope="session")
def fake_cuda(tmp_path_factory: pytest.TempPathFactory) -> FakeCuda:
    """A driver library without a GPU, built for this run and loaded into this process."""
    fake = FakeCuda(tmp_path_factory.mktemp("fake_cuda"))
    fake.load()
    return fake


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server with every test model; it must survive its module and stop cleanly."""
    server = Server("zoo.py", tmp_path_factory.mktemp("zoo")).wait_ready()
    yield server
    assert server.process.poll() is None, f"the server died:\n{server.log}"
    assert server.get("/v2/health/live")[0] == 200
    server.control("open")
    code = server.stop()
    assert code == 0, f"exit code {code}:\n{server.log}"


_OUTCOMES = ("right", "refused", "wrong", "failed", "vanished", "first_answer_monotonic_ns")


@pytest.fixture(scope="session")
def load_program() -> Path:
    """Built for the tests; the build folder is that of `make bench`."""
    configure = ["cmake", "-S", str(_ROOT / "bench" / "load"), "-B", str(_LOAD_BUILD)]
    for command in (configure, ["cmake", "--build", str(_LOAD_BUILD), "--parallel"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return _LOAD_BUILD / "pytriton-load"


@pytest.fixture
def load(load_program: Path) -> RunLoad:
    """`load(address, "--option", "value", code=0)` gives the JSON result."""

    def run(address: str, *options: str, code: int = 0) -> dict:
        # A busy machine may answer nothing within so short a time; then it gets a longer one.
        for duration in ("0.3", "5"):
            command = [str(load_program), "--json", "--address", address, "--warmup", "0.05"]
            command += ["--duration", duration, *options]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
            result = json.loads(done.stdout) if done.stdout else {"error": done.stderr}
            if not done.stdout or any(result[name] for name in _OUTCOMES):
                break
        assert done.returncode == code, done.stdout + done.stderr
        return result

    return run
