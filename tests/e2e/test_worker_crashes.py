"""Workers that die again and again, or run out of memory: the server stays what it was."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

from e2e.conftest import StartServer
from e2e.harness import Server, wait_until
from e2e.test_workers import workers_of

INSTANCES = 8
ROUNDS = 7  # all instances die in each, the first only warms up
GROWTH = 16 << 20
CONFIG = """
backend: "python"
input [ { name: "X" data_type: TYPE_FP32 dims: [ -1 ] } ]
output [ { name: "Y" data_type: TYPE_FP32 dims: [ -1 ] } ]
"""
TWICE = """
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            x = pb_utils.get_input_tensor_by_name(request, "X").as_numpy()
            answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("Y", x * 2)]))
        return answers
"""
# Asks for as many megabytes as it is told, with no more than 256 beyond what it has.
GREEDY = """
import resource
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def initialize(self, args):
        with open("/proc/self/statm") as file:
            pages = int(file.read().split()[0])
        limit = pages * resource.getpagesize() + (256 << 20)
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    def execute(self, requests):
        answers = []
        for request in requests:
            x = pb_utils.get_input_tensor_by_name(request, "X").as_numpy()
            np.ones(int(x[0]) << 20, np.uint8)
            answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("Y", x)]))
        return answers
"""


def serve(start: StartServer, folder: Path, code: str, more: str = "") -> Server:
    version = folder / "models" / "m" / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(code)
    (version.parent / "config.pbtxt").write_text(CONFIG + more)
    return start("small.py", "--model-repository", str(folder / "models"))


def ask(server: Server, values: list[float]) -> tuple[int, dict]:
    tensor = {"name": "X", "datatype": "FP32", "shape": [len(values)], "data": values}
    return server.infer("m", tensor)


def descriptors_of(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def resident_of(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def kill_all(server: Server, pid: int) -> None:
    """Kills every worker; returns when as many others serve."""
    old = set(workers_of(pid))
    for worker in old:
        os.kill(worker, signal.SIGKILL)

    def are_back() -> bool:
        new = set(workers_of(pid)) - old
        return len(new) == INSTANCES

    wait_until(are_back, "as many workers")
    wait_until(lambda: ask(server, [1])[0] == 200, "an answer")


def test_fifty_crashes_under_load_cost_nothing_that_stays(start, tmp_path):
    server = serve(start, tmp_path, TWICE, f"instance_group {{ count: {INSTANCES} }}")
    pid = server.process.pid
    template = parent_of(workers_of(pid)[0])
    stop = threading.Event()
    wrong: list[tuple[int, dict]] = []

    def client() -> None:
        # Large enough that it is lent to the worker, and that results are lent back.
        values = [3.0] * 8192
        while not stop.is_set():
            status, answer = ask(server, values)
            is_right = status == 200 and answer["outputs"][0]["data"] == [6.0] * 8192
            is_told = status != 200 and "is not healthy." in answer.get("error", "")
            if not (is_right or is_told):
                wrong.append((status, answer))

    clients = [threading.Thread(target=client) for _ in range(2)]
    for one in clients:
        one.start()
    try:
        kill_all(server, pid)
        resident = resident_of(pid)
        for _ in range(ROUNDS - 1):
            kill_all(server, pid)
        grown = resident_of(pid) - resident
    finally:
        stop.set()
        for one in clients:
            one.join()
    assert not wrong, wrong[0]
    assert grown < GROWTH, f"{grown} bytes"
    before = descriptors_of(pid), descriptors_of(template)
    kill_all(server, pid)

    def is_settled() -> bool:
        return descriptors_of(pid) <= before[0] and descriptors_of(template) <= before[1]

    wait_until(is_settled, f"no more than {before} descriptors")


def test_a_model_that_gets_no_memory_fails_its_request_alone(start, tmp_path):
    server = serve(start, tmp_path, GREEDY)
    worker = workers_of(server.process.pid)
    status, answer = ask(server, [1024])
    assert status == 500
    assert "Unable to allocate 1.00 GiB" in answer["error"]
    assert ask(server, [1])[0] == 200
    assert workers_of(server.process.pid) == worker


def test_a_worker_that_is_killed_from_outside_may_have_taken_too_much(start, tmp_path):
    server = serve(start, tmp_path, TWICE)
    os.kill(workers_of(server.process.pid)[0], signal.SIGKILL)
    hint = "killed by signal 9 (Killed), perhaps for want of memory"
    wait_until(lambda: hint in server.log, "the reason in the log")
    wait_until(lambda: ask(server, [1])[0] == 200, "another worker")
