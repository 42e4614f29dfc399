"""Instances that come and go under open streams, unloads, several versions and other backends."""

from __future__ import annotations

import json
import os
import queue
import signal
import threading
from pathlib import Path

import numpy as np
import onnx
import pytest
import tritonclient.grpc as grpcclient
from onnx import TensorProto, helper

from e2e.harness import wait_until
from e2e.test_workers import workers_of
from reload.repository import PYTHON_CONFIG, RepositoryServer
from reload.test_instance_groups import BODY, EXPLICIT, Diary, counts, groups, is_gone

# Where a test finds it: {note} writes to the diary, {folder} is a directory of the test.
HEAD = """
import json
import os
import threading
import time
import numpy
import triton_python_backend_utils as pb_utils

def note(text):
    with open({diary!r}, "a") as diary:
        diary.write(f"{{text}} {{os.getpid()}}\\n")

def wait_for(name):
    while not os.path.exists(os.path.join({folder!r}, name)):
        time.sleep(0.005)

def answer(value):
    return pb_utils.InferenceResponse([pb_utils.Tensor("Y", numpy.array([value], numpy.float32))])
"""
# Answers with the number of instances that its configuration names.
COUNTS = """
class TritonPythonModel:
    def initialize(self, args):
        self.count = json.loads(args["model_config"])["instance_group"][0]["count"]
        note("initialize")

    def execute(self, requests):
        return [answer(self.count) for _ in requests]

    def finalize(self):
        note("finalize")
"""
# Streams its process's number, and the last one when the test says so.
STREAMS = """
class TritonPythonModel:
    def execute(self, requests):
        note("execute")
        for request in requests:
            sender = request.get_response_sender()
            sender.send(answer(os.getpid()))
            threading.Thread(target=self.go_on, args=(sender,)).start()
        time.sleep(0.02)  # so that the other one gets the next

    def go_on(self, sender):
        wait_for("go_on")
        sender.send(answer(os.getpid()))
        sender.send(flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)

    def finalize(self):
        note("finalize")
"""
# All but the first instance wait for the test to begin.
SLOW_START = """
class TritonPythonModel:
    def initialize(self, args):
        note("begin")
        if args["model_instance_name"] != "m_0_0":
            wait_for("start")
        note("initialize")

    def execute(self, requests):
        return [answer(os.getpid()) for _ in requests]
"""
DECOUPLED = "model_transaction_policy { decoupled: true }\n"
ALL_VERSIONS = "version_policy { all {} }\n"


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    path = tmp_path / "diary"
    path.touch()
    return Diary(path)


def code(diary: Diary, text: str) -> str:
    return HEAD.format(diary=str(diary.path), folder=str(diary.path.parent)) + text


def value(answer: tuple[int, bytes]) -> float:
    assert answer[0] == 200, answer
    return json.loads(answer[1])["outputs"][0]["data"][0]


def ask(server: RepositoryServer, version: str = "") -> float:
    where = f"/versions/{version}" if version else ""
    return value(server.call("POST", f"/v2/models/m{where}/infer", BODY))


def test_a_replaced_worker_is_told_the_configuration_that_is_valid_now(repository, serve, diary):
    repository.write_python_model("m", code(diary, COUNTS), more=groups(1))
    server = serve(*EXPLICIT)
    (first,) = diary.pids("initialize")
    assert ask(server) == 1
    repository.write_config("m", PYTHON_CONFIG + groups(2))
    assert server.load("m") == (200, b"")
    repository.write_config("m", PYTHON_CONFIG + groups(1))
    assert server.load("m") == (200, b"")
    config = json.loads(server.get("/v2/models/m/config")[1])
    config["instance_group"][0]["count"] = 3
    assert server.load("m", config=json.dumps(config)) == (200, b"")
    assert first not in diary.pids("finalize")
    before = len(diary.pids("initialize"))
    for pid in set(diary.pids("initialize")) - set(diary.pids("finalize")):
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: len(diary.pids("initialize")) == before + 3, "three to be replaced")
    wait_until(lambda: server.get("/v2/models/m/ready")[0] == 200, "the model to be ready")
    assert [ask(server) for _ in range(6)] == [3] * 6


def test_an_open_stream_ends_before_its_instance_leaves(repository, serve, diary):
    repository.write_python_model("m", code(diary, STREAMS), more=groups(2) + DECOUPLED)
    server = serve(*EXPLICIT)
    answers: queue.Queue = queue.Queue()
    tensor = grpcclient.InferInput("X", [1], "FP32")
    tensor.set_data_from_numpy(np.ones(1, np.float32))
    with grpcclient.InferenceServerClient(f"127.0.0.1:{server.grpc}") as client:
        client.start_stream(lambda result, error: answers.put(error or result))
        firsts: list[int] = []
        while len(set(firsts)) < 2:
            for _ in range(3):
                client.async_stream_infer("m", [tensor])
            firsts += [int(answers.get(timeout=30).as_numpy("Y")[0]) for _ in range(3)]
        repository.write_config("m", PYTHON_CONFIG + groups(1) + DECOUPLED)
        assert server.load("m") == (200, b"")
        assert counts(server) == [1]
        assert diary.pids("finalize") == []
        (diary.path.parent / "go_on").touch()
        rest = [int(answers.get(timeout=30).as_numpy("Y")[0]) for _ in firsts]
        assert sorted(rest) == sorted(firsts)
        wait_until(lambda: len(diary.pids("finalize")) == 1, "one to be finalized")
        (gone,) = diary.pids("finalize")
        wait_until(lambda: is_gone(gone), "its process to end")
        client.async_stream_infer("m", [tensor])
        last = [int(answers.get(timeout=30).as_numpy("Y")[0]) for _ in range(2)]
        assert set(last) == set(firsts) - {gone}


def test_an_unload_gives_up_instances_that_are_being_added(repository, serve, diary):
    repository.write_python_model("m", code(diary, SLOW_START), more=groups(1))
    server = serve(*EXPLICIT)
    descriptors = server.descriptors()
    repository.write_config("m", PYTHON_CONFIG + groups(3))
    told: list[tuple[int, bytes]] = []
    loading = threading.Thread(target=lambda: told.append(server.load("m")))
    loading.start()
    wait_until(lambda: len(diary.pids("begin")) >= 2, "another instance to begin")
    assert server.state("m") == "READY"
    assert server.unload("m")[0] == 200
    loading.join()
    assert told[0][0] == 503, told
    assert b"was unloaded meanwhile" in told[0][1]
    wait_until(lambda: server.state("m") == "UNAVAILABLE", "the model to go")
    wait_until(lambda: all(is_gone(pid) for pid in diary.pids("begin")), "every worker to end")
    wait_until(lambda: server.descriptors() <= descriptors, "no descriptor to be left")
    (diary.path.parent / "start").touch()
    assert server.load("m") == (200, b"")
    assert counts(server) == [3]
    assert len(diary.pids("initialize")) == 4


def test_instances_of_all_versions_come_and_go_together(repository, serve, diary):
    repository.write_python_model("m", code(diary, COUNTS), more=groups(1) + ALL_VERSIONS)
    (repository.path / "m" / "1").rename(repository.path.parent / "one")
    for version in ("1", "2", "3"):
        folder = repository.path / "m" / version
        folder.mkdir()
        (folder / "model.py").write_text(code(diary, COUNTS))
    server = serve(*EXPLICIT)
    first = diary.pids("initialize")
    assert len(first) == 3
    repository.write_config("m", PYTHON_CONFIG + groups(2) + ALL_VERSIONS)
    assert server.load("m") == (200, b"")
    assert len(diary.pids("initialize")) == 6
    assert diary.pids("finalize") == []
    # A version more, in the same step as another count.
    (repository.path / "m" / "3").rename(repository.path / "m" / "4")
    repository.write_config("m", PYTHON_CONFIG + groups(1) + ALL_VERSIONS)
    assert server.load("m") == (200, b"")
    assert [server.state("m", version) for version in "124"] == ["READY"] * 3
    wait_until(lambda: len(diary.pids("finalize")) == 4, "what is too much to be finalized")
    assert set(first[:2]).isdisjoint(diary.pids("finalize"))
    assert [ask(server, version) for version in "124"] == [1, 1, 1]
    assert server.call("POST", "/v2/models/m/versions/3/infer", BODY)[0] == 503


def test_sessions_of_onnxruntime_come_and_go(repository, serve):
    (repository.path / "m" / "1").mkdir(parents=True)
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [None]) for n in ("X", "Y")]
    node = helper.make_node("Add", ["X", "X"], ["Y"])
    graph = helper.make_graph([node], "twice", values[:1], values[1:])
    opset = helper.make_opsetid("", 13)
    onnx.save(
        helper.make_model(graph, opset_imports=[opset], ir_version=8),
        repository.path / "m" / "1" / "model.onnx",
    )
    config = PYTHON_CONFIG.replace("python", "onnxruntime")
    repository.write_config("m", config + groups(1))
    server = serve(*EXPLICIT)

    def workers() -> set[int]:
        return set(workers_of(server.process.pid))

    wrong: list[object] = []
    stopping = threading.Event()

    def ask_on() -> None:
        while not stopping.is_set():
            try:
                if ask(server) != 2:
                    wrong.append("value")
            except Exception as error:
                wrong.append(error)

    askers = [threading.Thread(target=ask_on) for _ in range(3)]
    for asker in askers:
        asker.start()
    before = workers()
    for count in (3, 1, 2):
        repository.write_config("m", config + groups(count))
        assert server.load("m") == (200, b"")
        wait_until(
            lambda count=count: len(workers_of(server.process.pid)) == count, f"{count} workers"
        )
        assert set(before) <= set(workers_of(server.process.pid)), "it was loaded anew"
    stopping.set()
    for asker in askers:
        asker.join()
    assert not wrong, wrong[:3]
