"""Changes of instance_group and version_policy, which leave the versions that serve loaded."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from e2e.harness import wait_until
from reload.repository import CONFIG, PYTHON_CONFIG, Repository, RepositoryServer

EXPLICIT = ("--model-control-mode", "explicit", "--load-model", "m")
POLL = ("--model-control-mode", "poll", "--repository-poll-secs", "1")
BODY = json.dumps(
    {"inputs": [{"name": "X", "datatype": "FP32", "shape": [1], "data": [1]}]}
).encode()
# Answers with the process that runs it, and keeps a diary of all of them.
MODEL = """
import os
import time
import numpy
import triton_python_backend_utils as pb_utils

def note(text):
    with open(DIARY, "a") as diary:
        diary.write(f"{text} {os.getpid()}\\n")

class TritonPythonModel:
    def initialize(self, args):
        if os.path.exists(DIARY + ".refuse"):
            raise RuntimeError("no room for another one")
        note("initialize")

    def execute(self, requests):
        time.sleep(0.002)  # so that one alone can't do it
        pid = numpy.array([os.getpid()], numpy.float32)
        return [pb_utils.InferenceResponse([pb_utils.Tensor("Y", pid)]) for _ in requests]

    def finalize(self):
        note("finalize")
"""


def groups(count: int) -> str:
    return f"instance_group [ {{ count: {count} kind: KIND_CPU }} ]\n"


class Diary:
    def __init__(self, path: Path):
        self.path = path

    def pids(self, word: str) -> list[int]:
        lines = [line.split() for line in self.path.read_text().splitlines()]
        return [int(pid) for what, pid in lines if what == word]


class Askers:
    """Clients that never stop asking; they note who answered, and every failure."""

    def __init__(self, server: RepositoryServer, count: int = 4):
        self._server = server
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self.failures: list[tuple[int, bytes]] = []
        self._pids: dict[int, int] = {}
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        while not self._stopping.is_set():
            status, body = self._server.call("POST", "/v2/models/m/infer", BODY)
            with self._lock:
                if status != 200:
                    self.failures.append((status, body))
                    continue
                pid = int(json.loads(body)["outputs"][0]["data"][0])
                self._pids[pid] = self._pids.get(pid, 0) + 1

    def take(self) -> dict[int, int]:
        """Who has answered how often since the last call."""
        with self._lock:
            pids, self._pids = self._pids, {}
            return pids

    def __enter__(self) -> Askers:
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def diary(tmp_path: Path, repository: Repository) -> Diary:
    path = tmp_path / "diary"
    repository.write_python_model("m", MODEL.replace("DIARY", repr(str(path))), more=groups(1))
    return Diary(path)


def counts(server: RepositoryServer) -> list[int]:
    config = json.loads(server.get("/v2/models/m/config")[1])
    return [group["count"] for group in config["instance_group"]]


def is_gone(pid: int) -> bool:
    return not os.path.exists(f"/proc/{pid}")


@pytest.mark.parametrize("mode", [EXPLICIT, POLL], ids=["explicit", "poll"])
def test_workers_come_and_go_while_the_others_serve_on(repository, serve, diary, mode):
    server = serve(*mode)
    first = diary.pids("initialize")
    descriptors = server.descriptors()

    def change(count: int) -> None:
        repository.write_config("m", PYTHON_CONFIG + groups(count))
        if mode is EXPLICIT:
            assert server.load("m") == (200, b"")
        wait_until(lambda: counts(server) == [count], f"{count} instances")

    with Askers(server) as askers:
        change(3)
        all_of_them = diary.pids("initialize")
        assert len(all_of_them) == 3
        assert all_of_them[:1] == first  # it was not begun anew
        assert diary.pids("finalize") == []
        askers.take()
        seen: set[int] = set()

        def have_all_answered() -> bool:
            seen.update(askers.take())
            return seen == set(all_of_them)

        wait_until(have_all_answered, "answers of all three")
        change(1)
        wait_until(lambda: len(diary.pids("finalize")) == 2, "two to be finalized")
        wait_until(lambda: all(is_gone(pid) for pid in diary.pids("finalize")), "two to end")
        askers.take()
        assert wait_until(askers.take, "answers").keys() == set(first)
    assert askers.failures == []
    assert set(diary.pids("finalize")) == set(all_of_them[1:])
    assert diary.pids("initialize") == all_of_them
    wait_until(lambda: server.descriptors() <= descriptors, "no descriptor to be left")


def test_one_that_cannot_start_leaves_the_others_serving(repository, serve, diary):
    server = serve(*EXPLICIT)
    first = diary.pids("initialize")
    refuse = Path(f"{diary.path}.refuse")
    with Askers(server) as askers:
        refuse.touch()
        repository.write_config("m", PYTHON_CONFIG + groups(3))
        status, body = server.load("m")
        assert status == 400
        assert b"no room for another one" in body
        assert counts(server) == [1]
        assert server.state("m") == "READY"
        assert "no room for another one" in json.dumps(server.index()[("m", "1")])
        askers.take()
        assert wait_until(askers.take, "answers").keys() == set(first)
        refuse.unlink()
        assert server.load("m") == (200, b"")  # nothing but the reason has changed
        assert counts(server) == [3]
    assert askers.failures == []
    assert len(diary.pids("initialize")) == 3
    assert diary.pids("initialize")[:1] == first


def test_an_override_of_the_count_is_applied_in_place(repository, serve, diary):
    server = serve(*EXPLICIT)
    config = json.loads(server.get("/v2/models/m/config")[1])
    config["instance_group"][0]["count"] = 2
    assert server.load("m", config=json.dumps(config)) == (200, b"")
    assert counts(server) == [2]
    assert len(diary.pids("initialize")) == 2
    assert diary.pids("finalize") == []
    assert server.load("m") == (200, b"")  # what the file says is valid again
    assert counts(server) == [1]
    wait_until(lambda: len(diary.pids("finalize")) == 1, "one to be finalized")
    assert len(diary.pids("initialize")) == 2


def test_a_model_that_is_otherwise_changed_is_loaded_anew(repository, serve, diary):
    server = serve(*EXPLICIT)
    more = 'parameters { key: "new" value { string_value: "1" } }\n'
    repository.write_config("m", PYTHON_CONFIG + groups(2) + more)
    assert server.load("m") == (200, b"")
    assert len(diary.pids("initialize")) == 3
    wait_until(lambda: len(diary.pids("finalize")) == 1, "the old one to be finalized")


def inferences(server: RepositoryServer, version: str) -> int:
    body = server.get(f"/v2/models/m/versions/{version}/stats")[1]
    return json.loads(body)["model_stats"][0]["inference_count"]


def test_a_version_that_stays_keeps_its_statistics_when_the_policy_changes(repository, serve):
    repository.write_model("m", content="one", more="version_policy { all {} }")
    repository.add_version("m", 2, "two")
    server = serve(*EXPLICIT)
    assert server.ask() == (200, "two")
    policy = "version_policy { specific { versions: [ 2 ] } }"
    repository.write_config("m", CONFIG.format(more=policy))
    assert server.load("m") == (200, b"")
    assert inferences(server, "2") == 1
    wait_until(lambda: server.state("m", "1") == "UNAVAILABLE", "version 1 to go")
    config = json.loads(server.get("/v2/models/m/config")[1])
    assert config["version_policy"] == {"specific": {"versions": [2]}}
    repository.write_config("m", CONFIG.format(more="version_policy { all {} }"))
    assert server.load("m") == (200, b"")
    assert server.state("m", "1") == "READY"
    assert inferences(server, "2") == 1
