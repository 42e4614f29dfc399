"""Models that do what no model should: it hurts nobody but themselves, nothing is left of it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.harness import wait_until
from reload.repository import RepositoryServer

HEAD = """
import gc, multiprocessing, os, struct, subprocess, sys, threading, time
import triton_python_backend_utils as pb_utils

def respond(requests, values=None):
    answers = []
    for request in requests:
        x = pb_utils.get_input_tensor_by_name(request, "X").as_numpy()
        y = x * 2 if values is None else values
        answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("Y", y)]))
    return answers
"""
GOOD = (
    HEAD
    + """
class TritonPythonModel:
    def execute(self, requests):
        return respond(requests)
"""
)
# What it writes into the memory of its messages when it is asked for that.
RUBBISH = (
    HEAD
    + """
from pytriton_worker._link import Link

def the_ring():
    return next(found for found in gc.get_objects() if isinstance(found, Link))._ring

def write_endless_message():
    the_ring().send(0x80000004, struct.pack("<QQI", 0, 60 << 30, 5))

def break_position():
    words = memoryview(the_ring().memory).cast("I")
    words[32] = (words[32] + (256 << 10) + 8) & 0xFFFFFFFF
    the_ring().notify()

def lose_reading_position():
    words = memoryview(the_ring().memory).cast("I")
    words[16] = (words[16] + (512 << 10)) & 0xFFFFFFFF

def spoil_inbox():
    threading.Thread(target=threading.Event().wait).start()  # no daemon
    words = memoryview(the_ring().memory).cast("I")
    words[0] = (words[0] + (512 << 10)) & 0xFFFFFFFF

def flood():
    ring = the_ring()
    memory = memoryview(ring.memory)
    words = memory.cast("I")
    size = 256 << 10
    begin = (128 << 10) + size
    while not os.path.exists("enough"):  # releases of a request that nobody has
        memory[begin : begin + size] = struct.pack("<IIQ", 8, 6, 1 << 63) * (size // 16)
        words[32] = ((words[48] + size - 4096) & ~15) & 0xFFFFFFFF
        ring.notify()
    os._exit(0)

class TritonPythonModel:
    def execute(self, requests):
        x = pb_utils.get_input_tensor_by_name(requests[0], "X").as_numpy()
        job = {1: write_endless_message, 2: break_position, 3: flood, 4: lose_reading_position}
        job = job.get(int(x[0]))
        if x[0] == 5:
            spoil_inbox()
        elif job is not None and len(x) == 1:
            job()
            threading.Event().wait()  # nothing else is written
        elif job is not None:
            threading.Timer(0.01, job).start()  # when nobody waits for the worker
        return respond(requests)
"""
)
# Answers with the processes that it has started.
PARENT = (
    HEAD
    + """
import atexit
import numpy as np

class TritonPythonModel:
    def initialize(self, args):
        ended = [subprocess.Popen(["sleep", "1000"])]
        ended.append(multiprocessing.get_context("fork").Process(target=time.sleep, args=(1000,)))
        ended[1].start()
        for process in ended:  # as everywhere, it doesn't ignore signals
            process.terminate()
        ended[0].wait()
        ended[1].join()
        self.program = subprocess.Popen(["sleep", "1000"])
        self.fork = os.fork()
        if self.fork == 0:
            time.sleep(1000)
        atexit.register(lambda: open("ended", "w").close())

    def execute(self, requests):
        return respond(requests, np.array([self.program.pid, self.fork], np.float32))
"""
)
FORKING = (
    HEAD
    + """
def job(number):
    print("printed", number)
    pb_utils.Logger.log_info(f"logged {number}")
    try:
        pb_utils.load_model("another")
    except pb_utils.TritonModelException as error:
        print("refused:", error)
    return number

class TritonPythonModel:
    def execute(self, requests):
        with multiprocessing.get_context("fork").Pool(1) as pool:
            pool.map(job, [7])
        fork = os.fork()
        answer = respond(requests)  # both come back from here
        if fork == 0 and len(answer) > 0:
            return answer
        status = os.waitpid(fork, 0)[1]
        other = os.fork()
        if other == 0:
            sys.exit(9)
        print("ended with", os.WEXITSTATUS(status), os.WEXITSTATUS(os.waitpid(other, 0)[1]))
        return answer
"""
)


@pytest.fixture
def serve_model(repository, serve):
    def start(code: str) -> RepositoryServer:
        repository.write_python_model("model", code)
        repository.write_python_model("good", GOOD)
        return serve("--model-control-mode", "explicit", "--load-model", "model")

    return start


def ask(server: RepositoryServer, *values: float, model: str = "model") -> tuple[int, dict]:
    tensor = {"name": "X", "datatype": "FP32", "shape": [len(values)], "data": values}
    return server.infer(model, tensor)


@contextlib.contextmanager
def ended_at_last(pids: list[int]) -> Iterator[None]:
    try:
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


@pytest.mark.parametrize("job", [1, 2], ids=["endless message", "broken position"])
@pytest.mark.parametrize("beside", [(), (0,)], ids=["executing", "idle"])
def test_rubbish_in_its_messages_ends_a_worker_alone(serve_model, job, beside):
    server = serve_model(RUBBISH)
    ask(server, job, *beside)
    wait_until(lambda: "sent a malformed message" in server.log, "the server to notice")
    wait_until(lambda: ask(server, 21)[0] == 200, "another worker")
    assert server.load("good")[0] == 200
    assert ask(server, 21, model="good")[1]["outputs"][0]["data"] == [42]
    assert server.log.count("sent a malformed message") == 1


def test_a_worker_that_reads_from_nowhere_is_replaced(serve_model):
    server = serve_model(RUBBISH)
    assert ask(server, 4, 0)[0] == 200
    wait_until(lambda: told(server, "lost its place in its messages"), "the server to notice")
    wait_until(lambda: ask(server, 21)[0] == 200, "another worker")


def test_a_worker_ends_when_what_it_is_sent_makes_no_sense(serve_model):
    server = serve_model(RUBBISH)
    assert ask(server, 5)[0] == 200
    wait_until(lambda: "expected a whole message of the server" in server.log, "the reason")
    wait_until(lambda: ask(server, 21)[0] == 200, "another worker")


def told(server: RepositoryServer, text: str) -> bool:
    """Whether the log has that text; with each look a worker is asked something."""
    ask(server, 21)
    return text in server.log


def test_a_flood_of_messages_holds_up_no_other_model(serve_model, tmp_path):
    server = serve_model(RUBBISH)
    assert ask(server, 3, 0)[0] == 200
    for _ in range(3):
        assert server.load("good")[0] == 200
        assert ask(server, 21, model="good")[1]["outputs"][0]["data"] == [42]
        assert server.unload("good")[0] == 200
    (tmp_path / "enough").touch()


def test_what_a_model_has_started_ends_with_its_worker(serve_model, tmp_path):
    server = serve_model(PARENT)
    started = [int(pid) for pid in ask(server, 1)[1]["outputs"][0]["data"]]
    with ended_at_last(started):
        assert all(runs(pid) for pid in started)
        assert server.unload("model")[0] == 200
        assert (tmp_path / "ended").exists()  # what it had registered with atexit has run
        wait_until(lambda: not any(runs(pid) for pid in started), "what it had started to end")


def test_processes_that_a_model_forks_are_no_workers(serve_model):
    server = serve_model(FORKING)
    for _ in range(3):
        assert ask(server, 21)[1]["outputs"][0]["data"] == [42]
    for text in (
        "printed 7",
        "logged 7",
        "expected the model's worker, got a process that was forked from it",
        "a process that the model forked came back from the model",
        "ended with 1 9",
    ):
        wait_until(lambda text=text: server.log.count(text) == 3, f"three times: {text}")
    assert "malformed" not in server.log
