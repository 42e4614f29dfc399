"""Servers of one model repository: pytriton, and the Triton that nvidia-pytriton bundles."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import processes
from load_tool import LoadError, Target
from servers import LOGS, STOP_SECONDS, _free_ports

START_SECONDS = 60
SOURCES = Path(__file__).parent / "worker_models"


def write_model(repository: Path, name: str, source: str, config: str) -> None:
    """A model of one version; `source` is a file of worker_models/."""
    folder = repository / name / "1"
    folder.mkdir(parents=True)
    shutil.copy(SOURCES / source, folder / "model.py")
    (folder.parent / "config.pbtxt").write_text(config)


def _site_packages(python: Path) -> Path:
    asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
    return Path(subprocess.check_output([str(python), "-c", asked], text=True).strip())


def triton_command(python: Path, folder: Path) -> tuple[list[str], dict[str, str]]:
    """How the Triton of nvidia-pytriton is started with its python backend.

    Args:
        python: interpreter of the environment that has nvidia-pytriton; CPython 3.11.
        folder: where the directory of backends is made.

    Returns:
        Its command and its environment.
    """
    packages = _site_packages(python)
    home = packages / "pytriton" / "tritonserver"
    backend = folder / "backends" / "python"
    backend.mkdir(parents=True)
    for part in ("libtriton_python.so", "triton_python_backend_utils.py"):
        shutil.copy(home / "backends" / "python" / part, backend)
    shutil.copy(home / "python_backend_stubs" / "3.11" / "triton_python_backend_stub", backend)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME")}
    environment["LD_LIBRARY_PATH"] = str(packages / "nvidia_pytriton.libs")
    environment["PATH"] = f"{python.parent}:{environment['PATH']}"
    command = [str(home / "bin" / "tritonserver"), f"--backend-directory={backend.parent}"]
    return [*command, f"--cache-directory={home / 'caches'}"], environment


class RepositoryServer:
    """A running server in mode explicit, in its own session; use as a context manager."""

    def __init__(
        self, name: str, command: list[str], environment: dict[str, str], repository: Path
    ) -> None:
        self.name = name
        self.http, self.grpc, metrics = _free_ports(3)
        LOGS.mkdir(parents=True, exist_ok=True)
        ports = (("http", self.http), ("grpc", self.grpc), ("metrics", metrics))
        options = [f"--{kind}-port={port}" for kind, port in ports]
        options += [f"--model-repository={repository}", "--model-control-mode=explicit"]
        with open(LOGS / f"repository-{name}.log", "wb") as log:
            self.process = subprocess.Popen(
                [*command, *options],
                stdout=log,
                stderr=log,
                cwd=LOGS,
                env=environment,
                start_new_session=True,
            )
        end = time.monotonic() + START_SECONDS
        while self.call("GET", "/v2/health/ready")[0] != 200:
            if time.monotonic() > end or self.process.poll() is not None:
                self.stop()
                raise LoadError(f"{name} did not start, see {log.name}")
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        """Of the root of its processes."""
        return self.process.pid

    def target(self, model: str) -> Target:
        """Where a load for a model goes."""
        return Target("grpc", f"127.0.0.1:{self.grpc}", model)

    def pause(self) -> None:
        """Takes its processes off the cores until `resume`."""
        processes.signal_tree(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Lets them go on."""
        processes.signal_tree(self.pid, signal.SIGCONT)

    def call(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """Status and body of a REST call; status 0 when nobody listens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.http, timeout=60)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read()
        except ConnectionError:
            return 0, b""
        finally:
            connection.close()

    def load(self, model: str) -> float:
        """Loads a model; seconds until it was ready."""
        return self._control(model, "load")

    def unload(self, model: str) -> float:
        """Unloads a model; seconds until the index says that it is gone."""
        begin = time.monotonic()
        self._control(model, "unload")
        while self._state(model) not in ("UNAVAILABLE", None):
            time.sleep(0.002)
        return time.monotonic() - begin

    def _control(self, model: str, verb: str) -> float:
        begin = time.monotonic()
        status, body = self.call("POST", f"/v2/repository/models/{model}/{verb}", b"{}")
        if status != 200:
            raise LoadError(f"{self.name}: {verb} of {model}: {body.decode()}")
        return time.monotonic() - begin

    def _state(self, model: str) -> str | None:
        _, body = self.call("POST", "/v2/repository/index", b"{}")
        return next((row.get("state") for row in json.loads(body) if row["name"] == model), None)

    def ask(self, model: str, value: float) -> list[float]:
        """One request of one float; the values that come back."""
        tensor = {"name": "X", "datatype": "FP32", "shape": [1, 1], "data": [value]}
        body = json.dumps({"inputs": [tensor]}).encode()
        status, answer = self.call("POST", f"/v2/models/{model}/infer", body)
        if status != 200:
            raise LoadError(f"{self.name}: {model}: {answer.decode()}")
        values: list[float] = json.loads(answer)["outputs"][0]["data"]
        return values

    def stop(self) -> None:
        """Stops it in an orderly way, by force if that takes too long."""
        processes.end(self.process, STOP_SECONDS)

    def __enter__(self) -> RepositoryServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def pytriton_command() -> tuple[list[str], dict[str, str]]:
    """How this project's server is started."""
    command = [sys.executable, "-m", "pytriton.serve"]
    return command, dict(os.environ)
