"""Start, stop, kill: what a process leaves behind, and what its clients see."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from e2e.conftest import StartServer
from e2e.harness import SERVERS, Server, free_ports, post, read_response, until_eof, wait_until

BUSY_SECONDS = 2.0


def sleepy_body(seconds: float) -> bytes:
    tensor = {"name": "SECONDS", "datatype": "FP32", "shape": [1, 1], "data": [seconds]}
    return json.dumps({"inputs": [tensor]}).encode()


def infer_now(server: Server) -> int:
    return server.call("POST", "/v2/models/sleepy/infer", sleepy_body(0))[0]


def test_sigterm_finishes_what_is_under_way(start: StartServer):
    server = start("small.py")
    watcher = server.connect()
    with server.connect() as busy:
        busy.sendall(post("/v2/models/sleepy/infer", sleepy_body(BUSY_SECONDS)))
        wait_until(lambda: server.metric("nv_inference_pending_request_count", "sleepy") == 0, "it")
        server.signal(signal.SIGTERM)

        def not_ready() -> bool:
            watcher.sendall(b"GET /v2/health/ready HTTP/1.1\r\nHost: t\r\n\r\n")
            return read_response(watcher, "GET")[0] == 400

        wait_until(not_ready, "readiness to turn false while the port still answers")
        assert read_response(busy)[0] == 200
    watcher.close()
    assert server.process.wait(timeout=30) == 0
    assert server.is_port_free(server.http)


def test_sigint_stops_as_well(start: StartServer):
    server = start("small.py")
    server.signal(signal.SIGINT)
    assert server.process.wait(timeout=30) == 0


def test_the_exit_timeout_ends_the_wait(start: StartServer):
    server = start("small.py", "--exit-timeout-secs", "1")
    with server.connect() as busy:
        busy.sendall(post("/v2/models/sleepy/infer", sleepy_body(20)))
        wait_until(lambda: server.descriptors() > 0, "the server")
        server.signal(signal.SIGTERM)
        assert b"exit-timeout-secs has passed" in until_eof(busy)
    # The callable sleeps on: it isn't waited for.
    assert server.process.wait(timeout=15) == 1


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


def test_kill_leaves_nothing(start: StartServer):
    shared_memory = set(os.listdir("/dev/shm"))
    server = start("small.py")
    assert infer_now(server) == 200
    children = children_of(server.process.pid)
    server.kill()
    assert set(os.listdir("/dev/shm")) <= shared_memory
    assert not [child for child in children if Path(f"/proc/{child}").exists()]
    for port in (server.http, server.grpc, server.metrics):
        assert server.is_port_free(port)


def test_a_busy_port_fails_at_once_and_is_named(start: StartServer, tmp_path: Path):
    first = start("small.py")
    second = Server("small.py", tmp_path, ports=[first.http, *free_ports(2)])
    assert second.process.wait(timeout=30) != 0
    assert str(first.http) in second.log
    assert infer_now(first) == 200


def test_two_servers_side_by_side(start: StartServer):
    first, second = start("small.py"), start("small.py")
    assert infer_now(first) == 200
    assert infer_now(second) == 200
    assert first.stop() == 0
    assert infer_now(second) == 200


def test_the_port_can_be_taken_again_at_once(start: StartServer):
    server = start("small.py")
    assert infer_now(server) == 200
    assert server.stop() == 0
    again = start("small.py", ports=[server.http, server.grpc, server.metrics])
    assert infer_now(again) == 200


RESTARTS = """
import http.client, sys
sys.path.insert(0, {folder!r})
import small
from pytriton.triton import Triton, TritonConfig

ports = dict(http_port={http}, grpc_port={grpc}, metrics_port={metrics})
triton = Triton(config=TritonConfig(**ports))
triton.bind("sleepy", small.sleepy,
            [small.Tensor(name="SECONDS", dtype=small.np.float32, shape=(1,))],
            [small.Tensor(name="OUT", dtype=small.np.float32, shape=(1,))])
for _ in range(3):
    triton.run()
    connection = http.client.HTTPConnection("127.0.0.1", {http})
    connection.request("GET", "/v2/models/sleepy/ready")
    assert connection.getresponse().status == 200
    triton.stop()
print("restarted")
"""


def test_restart_on_the_same_object():
    http, grpc, metrics = free_ports(3)
    script = RESTARTS.format(folder=str(SERVERS), http=http, grpc=grpc, metrics=metrics)
    command = [sys.executable, "-c", script]
    result = subprocess.run(command, text=True, capture_output=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert "restarted" in result.stdout


def test_unix_sockets(start: StartServer, tmp_path: Path):
    http, grpc = tmp_path / "http.sock", tmp_path / "grpc.sock"
    server = start("small.py", "--http-unix-socket", str(http), "--grpc-unix-socket", str(grpc))
    for path in (http, grpc):
        for flag in ("--http1.1", "--http2-prior-knowledge"):
            command = ["curl", "-sf", flag, "--unix-socket", str(path)]
            body = ["--data-binary", sleepy_body(0).decode()]
            url = "http://localhost/v2/models/sleepy/infer"
            answer = subprocess.run([*command, *body, url], check=True, capture_output=True).stdout
            assert json.loads(answer)["outputs"][0]["data"] == [0.0]
    assert server.stop() == 0
    assert not http.exists()
    assert not grpc.exists()


def test_without_arguments_it_says_what_to_give():
    command = [sys.executable, "-m", "pytriton.serve"]
    result = subprocess.run(command, text=True, capture_output=True, timeout=60, check=False)
    assert result.returncode == 2
    assert "app.py" in result.stderr + result.stdout


def test_help_lists_options_with_default_and_unit():
    command = [sys.executable, "-m", "pytriton.serve", "--help"]
    result = subprocess.run(command, text=True, capture_output=True, timeout=60, check=True)
    for word in ("--http-port", "8000", "--exit-timeout-secs", "--log-verbose", "--metrics-port"):
        assert word in result.stdout
