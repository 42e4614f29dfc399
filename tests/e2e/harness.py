"""Real servers for the tests: started as a user starts them, watched from outside."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

SERVERS = Path(__file__).parent / "servers"
START_SECONDS = 30
T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, seconds: float = START_SECONDS) -> T:
    """Asks again and again until `condition` gives something true; fails naming `what`."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.01)


def free_ports(count: int) -> list[int]:
    """Ports below the range that the kernel gives to clients: none takes them first."""
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(10000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in ports:
            ports.append(port)
    return ports


class Server:
    """One server process."""

    def __init__(
        self,
        app: str,
        folder: Path,
        *options: str,
        ports: list[int] | None = None,
        environment: dict[str, str] | None = None,
    ):
        self.http, self.grpc, self.metrics = ports or free_ports(3)
        self.log_path = folder / f"server-{self.http}.log"
        command = [sys.executable, "-m", "pytriton.serve"]
        for name, port in (("http", self.http), ("grpc", self.grpc), ("metrics", self.metrics)):
            command += [f"--{name}-port", str(port), *self.address(name)]
        # Without an app: what the options name, such as a model repository.
        command += [*options, *([str(SERVERS / app)] if app else [])]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd=folder,
                env={**os.environ, **(environment or {})},
            )

    @staticmethod
    def address(name: str) -> list[str]:
        return [f"--{name}-address", "127.0.0.1"]

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def wait_ready(self) -> Server:
        def ready() -> bool:
            assert self.process.poll() is None, f"the server ended at once:\n{self.log}"
            return self.get("/v2/health/ready")[0] == 200

        try:
            wait_until(ready, "the server to be ready")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log}") from None
        return self

    def get(self, path: str, port: int | None = None) -> tuple[int, bytes]:
        """Status and body; status 0 when nobody listens."""
        return self.call("GET", path, port=port)

    def call(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
        port: int | None = None,
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port or self.http, timeout=30)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.read()
        except ConnectionError:
            return 0, b""
        finally:
            connection.close()

    def infer(self, model: str, *inputs: dict[str, Any], **more: Any) -> tuple[int, dict[str, Any]]:
        """A JSON inference: status and the decoded answer."""
        body = json.dumps({"inputs": list(inputs), **more}).encode()
        status, answer = self.call("POST", f"/v2/models/{model}/infer", body)
        return status, json.loads(answer)

    def control(self, command: str) -> list[int]:
        """Tells the zoo's gate to open or close; gives what it has seen since it was closed."""
        tensor = {"name": "COMMAND", "datatype": "BYTES", "shape": [1], "data": [command]}
        status, answer = self.infer("control", tensor)
        assert status == 200, answer
        return answer["outputs"][0]["data"]

    def metric(self, name: str, model: str) -> float:
        """The sum of a metric's values for one model."""
        status, body = self.get("/metrics", port=self.metrics)
        assert status == 200
        lines = [line for line in body.decode().splitlines() if line.startswith(name + "{")]
        return sum(float(line.split()[-1]) for line in lines if f'model="{model}"' in line)

    def wait_pending(self, model: str, count: int) -> None:
        wait_until(
            lambda: self.metric("nv_inference_pending_request_count", model) == count,
            f"{count} queued requests of {model}",
        )

    def connect(self, port: int | None = None, seconds: float = 30) -> socket.socket:
        return socket.create_connection(("127.0.0.1", port or self.http), timeout=seconds)

    def signal(self, number: int = signal.SIGTERM) -> None:
        self.process.send_signal(number)

    def stop(self) -> int:
        """SIGTERM; gives the exit code."""
        if self.process.poll() is None:
            self.signal()
        return self.process.wait(timeout=60)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=30)

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def is_port_free(self, port: int) -> bool:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
            return True


def read_response(sock: socket.socket, method: str = "POST") -> tuple[int, dict[str, str], bytes]:
    """Reads one HTTP/1.1 answer; what follows it stays unread only if it came later."""
    response = http.client.HTTPResponse(sock, method=method)
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return response.status, headers, response.read()


def until_eof(sock: socket.socket) -> bytes:
    """Everything the peer still sends, until it closes (or resets)."""
    received = b""
    try:
        while part := sock.recv(1 << 16):
            received += part
    except ConnectionError:
        pass
    return received


def add_sub_body(rows: int = 1) -> bytes:
    """A valid JSON request for add_sub."""
    tensor = {"datatype": "FP32", "shape": [rows, 4], "data": [1, 2, 3, 4] * rows}
    return json.dumps({"inputs": [{"name": name, **tensor} for name in ("a", "b")]}).encode()


def post(path: str, body: bytes, *headers: str) -> bytes:
    """A request as bytes, for tests that care how it is sent."""
    head = [f"POST {path} HTTP/1.1", "Host: t", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*head, "", ""]).encode() + body


def refused_start(script: str, folder: Path) -> str:
    """Starts a server that must not come up; what it says."""
    done = subprocess.run(
        [sys.executable, "-m", "pytriton.serve", str(SERVERS / script)],
        cwd=folder,
        text=True,
        capture_output=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    return done.stderr
