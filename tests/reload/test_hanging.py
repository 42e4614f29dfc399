"""Loads that hang: they hold up no other model, no unload and no end of the server."""

from __future__ import annotations

import json
import socket
import threading

import pytest

from e2e.harness import wait_until
from e2e.test_workers import workers_of
from reload.repository import RepositoryServer

EXPLICIT = ("--model-control-mode", "explicit")
HANGS_IN_INITIALIZE = """
import time

class TritonPythonModel:
    def initialize(self, args):
        time.sleep(100000)

    def execute(self, requests):
        return [None for _ in requests]
"""
HANGS_IN_EXECUTE = """
import time

class TritonPythonModel:
    def execute(self, requests):
        print("begins")
        time.sleep(100000)
"""
WARM_UP = """
model_warmup {
  name: "first" batch_size: 1
  inputs { key: "X" value { data_type: TYPE_FP32 dims: 1 zero_data: true } }
}
"""


class Load(threading.Thread):
    """A load under way, in a thread of its own."""

    def __init__(self, server: RepositoryServer, name: str):
        super().__init__()
        self.server, self.model, self.answer = server, name, (0, b"")
        self.start()
        wait_until(lambda: server.state(name) == "LOADING", f"{name} to be loading")

    def run(self) -> None:
        self.answer = self.server.load(self.model)

    def wait(self) -> tuple[int, str]:
        self.join()
        return self.answer[0], self.answer[1].decode()


def test_hanging_loads_are_given_up(repository, serve):
    repository.write_python_model("starts", HANGS_IN_INITIALIZE)
    repository.write_python_model("warms", HANGS_IN_EXECUTE, more=WARM_UP)
    repository.write_python_model("leaves", HANGS_IN_INITIALIZE)
    repository.write_model("m", content="1")
    server = serve(*EXPLICIT, "--model-load-timeout-secs", "6")
    leaves = Load(server, "leaves")
    hanging = [Load(server, name) for name in ("starts", "warms")]
    assert server.load("m")[0] == 200
    assert server.ask() == (200, "1")

    # Unloading what hangs answers at once, and so does the load.
    assert server.unload("leaves")[0] == 200
    status, text = leaves.wait()
    assert status == 503
    assert "load of model 'leaves' was given up: the model was unloaded meanwhile" in text

    for load in hanging:
        status, text = load.wait()
        reason = f"load of model '{load.model}' was given up: expected at most 6 s"
        assert status == 503
        assert reason in text
        row = server.index()[(load.model, "1")]
        assert (row["state"], reason in row["reason"]) == ("UNAVAILABLE", True)
    wait_until(lambda: not workers_of(server.process.pid), "their processes to end")
    server.wait_metric("pytriton_model_load_failures", 3)
    assert server.ask() == (200, "1")


def ask_hanging(server: RepositoryServer) -> socket.socket:
    """A client of `hangs` whose request is being executed."""
    tensor = {"name": "X", "datatype": "FP32", "shape": [1], "data": [1]}
    body = json.dumps({"inputs": [tensor]}).encode()
    client = server.connect()
    head = f"POST /v2/models/hangs/infer HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    client.sendall(head.encode() + body)
    wait_until(lambda: "begins" in server.log, "the request to run")
    return client


def test_requests_of_an_unloaded_model_may_have_a_limit(repository, serve):
    repository.write_python_model("hangs", HANGS_IN_EXECUTE)
    server = serve(*EXPLICIT, "--load-model", "hangs", "--model-unload-timeout-secs", "1")
    with ask_hanging(server) as client:
        assert server.unload("hangs")[0] == 200
        answer = client.recv(65536).decode()
    assert answer.startswith("HTTP/1.1 500 ")
    assert "Stub process 'hangs_0' is not healthy" in answer
    wait_until(lambda: server.index()[("hangs", "1")]["state"] == "UNAVAILABLE", "its end")
    assert server.index()[("hangs", "1")]["reason"] == "unloaded"
    assert not workers_of(server.process.pid)
    assert "the workers of 'hangs:1' are ended with requests under way" in server.log


@pytest.mark.parametrize("is_unloaded", [False, True], ids=["loaded", "unloaded"])
def test_what_nobody_waits_for_holds_up_no_end(repository, serve, is_unloaded):
    repository.write_python_model("hangs", HANGS_IN_EXECUTE)
    server = serve(*EXPLICIT, "--load-model", "hangs", "--exit-timeout-secs", "1")
    ask_hanging(server).close()
    server.wait_metric("pytriton_connections", 1)  # the scrape's own
    if is_unloaded:
        assert server.unload("hangs")[0] == 200
    assert server.stop() == 0
    assert not workers_of(server.process.pid)


def test_a_start_that_hangs_can_be_stopped(repository, tmp_path):
    repository.write_python_model("starts", HANGS_IN_INITIALIZE)
    server = RepositoryServer(tmp_path, repository, "--exit-timeout-secs", "50")
    wait_until(lambda: server.get("/v2/health/live")[0] == 200, "the server to live")
    wait_until(lambda: server.state("starts") == "LOADING", "the model to be loading")
    pid = server.process.pid
    server.signal()
    assert server.process.wait(timeout=40) == 0, server.log
    assert not workers_of(pid)
