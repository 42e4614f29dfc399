"""RemoteTriton over processes that die: either side is killed, and the other one lives on."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from e2e.harness import SERVERS, Server, wait_until
from pytriton.client import ModelClient
from pytriton.client.exceptions import PyTritonClientInferenceServerError

TOKEN = "attached"
ONE = np.ones((1, 1), np.float32)


class Remote:
    """A process that attaches servers/attached.py's models."""

    def __init__(self, url: str, folder: Path, token: str = TOKEN):
        self.log_path = folder / "remote.log"
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(SERVERS / "attached.py"), url, token], stdout=log, stderr=log
            )

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def wait_attached(self) -> Remote:
        def is_attached() -> bool:
            assert self.process.poll() is None, self.log
            return "attached" in self.log

        wait_until(is_attached, "the models to be attached")
        return self

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=30)


@pytest.fixture
def host(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTRITON_ACCESS_TOKEN", TOKEN)
    server = Server("small.py", tmp_path).wait_ready()
    yield server
    server.kill()


@pytest.fixture
def remote(host, tmp_path):
    remote = Remote(f"127.0.0.1:{host.http}", tmp_path).wait_attached()
    yield remote
    remote.end()


def is_ready(host: Server, model: str) -> bool:
    return host.get(f"/v2/models/{model}/ready")[0] == 200


def test_a_killed_remote_fails_its_requests_and_is_unloaded(host, remote, tmp_path):
    assert is_ready(host, "attached_wait")
    assert is_ready(host, "attached_add")
    errors: list[PyTritonClientInferenceServerError] = []

    def wait(url: str) -> None:
        with ModelClient(url, "attached_wait", inference_timeout_s=60) as client:
            with pytest.raises(PyTritonClientInferenceServerError) as error:
                client.infer_batch(ONE)
            errors.append(error.value)

    urls = [f"http://127.0.0.1:{host.http}", f"grpc://127.0.0.1:{host.grpc}"]
    threads = [threading.Thread(target=wait, args=(url,)) for url in urls]
    for thread in threads:
        thread.start()
    wait_until(lambda: remote.log.count("waiting") == 2, "both requests to wait")
    remote.process.kill()
    for thread in threads:
        thread.join(60)
    assert sorted(str(error.status) for error in errors) == ["503", "UNAVAILABLE"]
    gone = "the process that serves model 'attached_wait' has gone"
    assert all(gone in error.message for error in errors)
    for model in ("attached_wait", "attached_add"):
        wait_until(lambda: not is_ready(host, model), f"{model} to be unloaded")  # noqa: B023
    assert is_ready(host, "sleepy")
    # Its names are free again.
    again = Remote(f"127.0.0.1:{host.http}", tmp_path).wait_attached()
    try:
        with ModelClient(urls[0], "attached_add") as client:
            assert client.infer_batch(ONE)["y"].tolist() == [[2.0]]
    finally:
        again.process.send_signal(signal.SIGTERM)
        assert again.process.wait(timeout=30) == 0, again.log
    assert not is_ready(host, "attached_add")


def test_a_killed_server_ends_the_remote(host, remote):
    host.kill()
    assert remote.process.wait(timeout=60) == 0, remote.log
    assert "serves the models no more" in remote.log


def test_a_stop_of_the_server_waits_for_requests_of_the_remote(host, remote):
    answers: list[list[list[float]]] = []

    def ask() -> None:
        with ModelClient(f"127.0.0.1:{host.http}", "attached_slow") as client:
            answers.append(client.infer_batch(ONE)["y"].tolist())

    thread = threading.Thread(target=ask)
    thread.start()
    wait_until(lambda: "begun" in remote.log, "the request to begin")
    host.signal()
    thread.join(60)
    assert answers == [[[1.0]]]
    assert host.process.wait(timeout=60) == 0
    assert remote.process.wait(timeout=60) == 0, remote.log


def test_a_wrong_token_attaches_nothing(host, tmp_path):
    remote = Remote(f"127.0.0.1:{host.http}", tmp_path, token="guessed")
    assert remote.process.wait(timeout=60) == 1
    assert "expected the server's access_token" in remote.log
    assert not is_ready(host, "attached_add")


def test_a_server_of_repositories_without_a_token_takes_no_models(tmp_path, monkeypatch):
    monkeypatch.delenv("PYTRITON_ACCESS_TOKEN", raising=False)
    (tmp_path / "models").mkdir()
    server = Server("", tmp_path, "--model-repository", str(tmp_path / "models")).wait_ready()
    try:
        remote = Remote(f"127.0.0.1:{server.http}", tmp_path)
        assert remote.process.wait(timeout=60) == 1
        assert "explicit model load / unload is not allowed" in remote.log
        assert not is_ready(server, "attached_add")
    finally:
        server.kill()


def test_a_server_of_repositories_with_a_token_takes_models(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTRITON_ACCESS_TOKEN", TOKEN)
    (tmp_path / "models").mkdir()
    server = Server("", tmp_path, "--model-repository", str(tmp_path / "models")).wait_ready()
    remote = Remote(f"127.0.0.1:{server.http}", tmp_path)
    try:
        remote.wait_attached()
        assert is_ready(server, "attached_add")
    finally:
        remote.end()
        server.kill()
