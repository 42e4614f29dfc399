"""Models of a repository in worker processes: they answer, they die, the server stays."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from pathlib import Path

from e2e.conftest import StartServer
from e2e.harness import Server, wait_until

CONFIG = """
backend: "python"
input [ { name: "X" data_type: TYPE_FP32 dims: [ -1 ] } ]
output [ { name: "Y" data_type: TYPE_FP32 dims: [ -1 ] } ]
"""
MODEL = """
import os
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def initialize(self, args):
        if os.path.exists("broken"):
            raise RuntimeError("broken")
        print("started é " + args["model_instance_name"])

    def execute(self, requests):
        answers = []
        for request in requests:
            x = pb_utils.get_input_tensor_by_name(request, "X").as_numpy()
            if x[0] < 0:
                os._exit(7)
            answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("Y", x * 2)]))
        return answers
"""


def write_model(repository: Path, name: str = "twice", code: str = MODEL) -> Path:
    version = repository / name / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(code)
    (repository / name / "config.pbtxt").write_text(CONFIG)
    return repository


def serve(start: StartServer, folder: Path) -> Server:
    repository = write_model(folder / "models")
    return start("small.py", "--model-repository", str(repository))


def workers_of(pid: int) -> list[int]:
    """Worker processes whose server is (or was) that process."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            arguments = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if str(pid).encode() in arguments and any(a.endswith(b"_worker.py") for a in arguments):
            found.append(int(entry.name))
    return found


def ask(server: Server, value: float) -> tuple[int, dict]:
    tensor = {"name": "X", "datatype": "FP32", "shape": [1], "data": [value]}
    return server.infer("twice", tensor)


def test_a_model_py_answers_and_its_prints_reach_the_log(start, tmp_path):
    server = serve(start, tmp_path)
    status, answer = ask(server, 21)
    assert status == 200, answer
    assert answer["outputs"][0]["data"] == [42.0]
    wait_until(lambda: "started é twice_" in server.log, "the model's output in the log")


def test_a_worker_that_ends_is_an_error_at_once_and_is_replaced(start, tmp_path):
    server = serve(start, tmp_path)
    status, answer = ask(server, -1)
    assert status == 500
    assert answer["error"].startswith("Failed to process the request(s) for model 'twice_")
    assert "is not healthy." in answer["error"]
    assert "exit status 7" in answer["error"]
    status, answer = ask(server, 1)
    assert status == 200, answer


def kill_one(pids: list[int]) -> bool:
    """Kills the first; False: there was none, or it had ended meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        for pid in pids[:1]:
            os.kill(pid, signal.SIGKILL)
            return True
    return False


def test_killed_workers_lose_no_request(start, tmp_path):
    server = serve(start, tmp_path)
    answers: list[tuple[int, dict]] = []
    stop = threading.Event()

    def client() -> None:
        while not stop.is_set():
            answers.append(ask(server, 3))

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        seen = len([a for a in answers if a[0] == 200])
        wait_until(lambda: kill_one(workers_of(server.process.pid)), "a worker to kill")
        wait_until(
            lambda seen=seen: len([a for a in answers if a[0] == 200]) > seen + 8, "more answers"
        )
    stop.set()
    for thread in threads:
        thread.join()
    for status, answer in answers:
        if status == 200:
            assert answer["outputs"][0]["data"] == [6.0]
        else:
            assert "is not healthy." in answer["error"], answer
    assert server.process.poll() is None


def test_workers_end_with_a_killed_server(start, tmp_path):
    server = serve(start, tmp_path)
    pid = server.process.pid
    assert workers_of(pid)
    server.kill()
    wait_until(lambda: not workers_of(pid), "the workers to end")


def test_a_model_whose_worker_cannot_come_back_is_not_ready(start, tmp_path):
    server = serve(start, tmp_path)
    assert server.get("/v2/models/twice/ready")[0] == 200
    flag = tmp_path / "broken"
    flag.touch()
    assert ask(server, -1)[0] == 500
    wait_until(lambda: server.get("/v2/models/twice/ready")[0] == 400, "the model to be unready")
    flag.unlink()
    wait_until(lambda: server.get("/v2/models/twice/ready")[0] == 200, "the model to be ready")
    assert ask(server, 1)[0] == 200
