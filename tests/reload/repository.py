"""Repositories of identity models, servers of them, and clients that never stop asking."""

from __future__ import annotations

import http.client
import json
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from e2e.harness import Server, free_ports, wait_until

CONFIG = """backend: "identity"
max_batch_size: 8
input {{ name: "x" data_type: TYPE_FP32 dims: [ 4 ] }}
output {{ name: "y" data_type: TYPE_FP32 dims: [ 4 ] }}
{more}
"""
PYTHON_CONFIG = """backend: "python"
input { name: "X" data_type: TYPE_FP32 dims: [ -1 ] }
output { name: "Y" data_type: TYPE_FP32 dims: [ -1 ] }
"""
BODY = json.dumps(
    {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}]}
).encode()


class Repository:
    """A model repository on disk. `content` is what answers of a version say about its files."""

    def __init__(self, path: Path):
        self.path = path
        path.mkdir(parents=True, exist_ok=True)

    def write_model(
        self, name: str, *, content: str = "0", version: int = 1, more: str = ""
    ) -> None:
        """Publishes a model as an operator should: staged outside, then renamed."""
        staged = self.path.parent / f"staged-{name}"
        (staged / str(version)).mkdir(parents=True)
        (staged / "config.pbtxt").write_text(CONFIG.format(more=more))
        (staged / str(version) / "content.txt").write_text(content)
        staged.rename(self.path / name)

    def write_python_model(self, name: str, code: str, *, more: str = "") -> None:
        """A model.py, version 1, that has X and Y as every one of them."""
        staged = self.path.parent / f"staged-{name}"
        (staged / "1").mkdir(parents=True)
        (staged / "config.pbtxt").write_text(PYTHON_CONFIG + more)
        (staged / "1" / "model.py").write_text(code)
        staged.rename(self.path / name)

    def write_content(self, name: str, content: str, version: int = 1) -> None:
        staged = self.path.parent / f"content-{name}"
        staged.write_text(content)
        staged.rename(self.path / name / str(version) / "content.txt")

    def write_config(self, name: str, text: str) -> None:
        staged = self.path.parent / f"config-{name}"
        staged.write_text(text)
        staged.rename(self.path / name / "config.pbtxt")

    def add_version(self, name: str, version: int, content: str) -> None:
        staged = self.path.parent / f"version-{name}"
        staged.mkdir()
        (staged / "content.txt").write_text(content)
        staged.rename(self.path / name / str(version))

    def remove_version(self, name: str, version: int) -> None:
        gone = self.path.parent / f"gone-{name}-{version}"
        (self.path / name / str(version)).rename(gone)
        shutil.rmtree(gone)


class RepositoryServer(Server):
    """A server of repositories alone."""

    def __init__(self, folder: Path, repository: Repository, *options: str):
        self.http, self.grpc, self.metrics = free_ports(3)
        self.log_path = folder / f"server-{self.http}.log"
        command = [sys.executable, "-m", "pytriton.serve", "--model-repository"]
        command += [str(repository.path), *options]
        for name, port in (("http", self.http), ("grpc", self.grpc), ("metrics", self.metrics)):
            command += [f"--{name}-port", str(port), *self.address(name)]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)

    def state(self, name: str, version: str = "1") -> str:
        """What the index says of a version: its state, "" for none."""
        return self.index().get((name, version), {}).get("state", "")

    def load(self, name: str, **parameters: str) -> tuple[int, bytes]:
        body = json.dumps({"parameters": parameters}).encode() if parameters else b""
        return self.call("POST", f"/v2/repository/models/{name}/load", body)

    def unload(self, name: str) -> tuple[int, bytes]:
        return self.call("POST", f"/v2/repository/models/{name}/unload", b"")

    def index(self, **body: Any) -> dict[tuple[str, str], dict[str, Any]]:
        status, text = self.call("POST", "/v2/repository/index", json.dumps(body).encode())
        assert status == 200, text
        return {(row["name"], row.get("version", "")): row for row in json.loads(text)}

    def ask(self, name: str = "m") -> tuple[int, str]:
        """One inference: status, and which files answered (or the error)."""
        return parse(*self.call("POST", f"/v2/models/{name}/infer", BODY))

    def wait_content(self, name: str, content: str) -> None:
        wait_until(lambda: self.ask(name) == (200, content), f"{name} to be served from {content}")

    def wait_metric(self, name: str, value: float) -> None:
        def is_there() -> bool:
            text = self.get("/metrics", port=self.metrics)[1].decode()
            return f"\n{name} {value:g}\n" in text

        wait_until(is_there, f"{name} to be {value}")


def parse(status: int, body: bytes) -> tuple[int, str]:
    answer = json.loads(body or b"{}")
    if status != 200:
        return status, answer.get("error", "")
    assert answer["outputs"][0]["data"] == [1, 2, 3, 4], answer
    return status, answer["parameters"]["content"]


class Clients:
    """Closed-loop clients, each with one connection; they note every answer that is not right.

    An answer is right when it comes from content that was served between its request's start and
    its end: `serving` is told before a change begins and `settled` when it has surely ended.
    """

    def __init__(self, port: int, count: int, content: str, name: str = "m"):
        self._path = f"/v2/models/{name}/infer"
        self._port = port
        self._lock = threading.Lock()
        # What may answer, from the first change on: a request may last over several.
        self._allowed = [{content}]
        self._stop = threading.Event()
        self.answers = 0
        self.wrong: list[object] = []
        self.seconds: list[float] = []
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def serving(self, content: str) -> None:
        """From now on `content` may answer too."""
        with self._lock:
            self._allowed.append(self._allowed[-1] | {content})

    def settled(self, content: str) -> None:
        """Requests that begin from now on are answered by `content` only."""
        with self._lock:
            self._allowed.append({content})

    def _run(self) -> None:
        import time

        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self._stop.is_set():
            began = len(self._allowed) - 1
            start = time.perf_counter()
            try:
                connection.request("POST", self._path, BODY)
                response = connection.getresponse()
                status, content = parse(response.status, response.read())
            except Exception as error:
                self.wrong.append(error)
                return
            self.seconds.append(time.perf_counter() - start)
            with self._lock:
                self.answers += 1
                allowed = set().union(*self._allowed[began:])
                if status != 200 or content not in allowed:
                    self.wrong.append((status, content, allowed))
        connection.close()

    def wait_answers(self, more: int) -> None:
        target = self.answers + more
        wait_until(lambda: self.answers >= target or self.wrong, f"{more} more answers", 60)

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
