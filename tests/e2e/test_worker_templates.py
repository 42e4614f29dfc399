"""Workers are forked from a template, and nobody depends on it."""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from e2e.conftest import StartServer
from e2e.harness import Server, wait_until

CONFIG = """
backend: "python"
input [ { name: "X" data_type: TYPE_FP32 dims: [ -1 ] } ]
output [ { name: "Y" data_type: TYPE_FP64 dims: [ -1 ] } ]
"""
# Answers with its process, its parent, and a number that no other worker should draw.
MODEL = """
import os
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        facts = np.array([os.getpid(), os.getppid(), np.random.random()])
        return [pb_utils.InferenceResponse([pb_utils.Tensor("Y", facts)]) for _ in requests]
"""
# Starts what goes on when it has ended.
STARTING_MODEL = (
    MODEL
    + """
import subprocess
import time

subprocess.Popen(["sh", "-c", "sleep 1000 & wait"])
if os.fork() == 0:
    time.sleep(1000)
"""
)


def serve(
    start: StartServer,
    folder: Path,
    *options: str,
    models: tuple[str, ...] = ("m",),
    code: str = MODEL,
):
    for name in models:
        version = folder / "models" / name / "1"
        version.mkdir(parents=True)
        (version / "model.py").write_text(code)
        (version.parent / "config.pbtxt").write_text(CONFIG)
    return start("small.py", "--model-repository", str(folder / "models"), *options)


def facts_of(server: Server, model: str = "m") -> tuple[int, int, float]:
    """Process, parent, random number."""
    tensor = {"name": "X", "datatype": "FP32", "shape": [1], "data": [0]}
    status, answer = server.infer(model, tensor)
    assert status == 200, answer
    pid, parent, number = answer["outputs"][0]["data"]
    return int(pid), int(parent), number


def program_of(pid: int) -> str:
    arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    return Path(next(a for a in arguments if a.endswith(b".py")).decode()).name


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def test_workers_of_one_environment_have_one_template(start, tmp_path):
    server = serve(start, tmp_path, models=("a", "b"))
    a, b = facts_of(server, "a"), facts_of(server, "b")
    assert a[0] != b[0]
    assert a[1] == b[1]
    assert a[2] != b[2]
    assert program_of(a[0]) == program_of(b[0]) == "_worker.py"
    assert program_of(a[1]) == "_template.py"
    assert Path(f"/proc/{a[1]}/stat").read_text().rpartition(")")[2].split()[1] == str(
        server.process.pid
    )


def test_without_templates_a_worker_is_the_servers_own_child(start, tmp_path):
    server = serve(start, tmp_path, "--worker-templates=0")
    assert facts_of(server)[1] == server.process.pid


def test_a_killed_template_takes_its_workers_along_and_they_are_replaced(start, tmp_path):
    server = serve(start, tmp_path)
    pid, template, _ = facts_of(server)
    os.kill(template, signal.SIGKILL)
    wait_until(lambda: not is_alive(pid), "the worker to end")
    tensor = {"name": "X", "datatype": "FP32", "shape": [1], "data": [0]}
    wait_until(lambda: server.infer("m", tensor)[0] == 200, "another worker")
    _, another, _ = facts_of(server)
    assert another != template
    assert program_of(another) == "_template.py"


def test_how_a_forked_worker_ended_is_told(start, tmp_path):
    server = serve(start, tmp_path)
    pid, template, _ = facts_of(server)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: "killed by signal 9" in server.log, "the reason in the log")
    assert facts_of(server)[1] == template
    assert not Path(f"/proc/{pid}").exists(), "the template has not reaped it"


def tree_of(pid: int) -> list[int]:
    """Its descendants."""
    found = []
    with contextlib.suppress(OSError):  # it has ended
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in map(int, children.read_text().split()):
                found += [child, *tree_of(child)]
    return found


def test_nothing_is_left_of_a_killed_server(start, tmp_path):
    server = serve(start, tmp_path, models=("a", "b"), code=STARTING_MODEL)
    pid, template, _ = facts_of(server, "a")
    wait_until(lambda: len(tree_of(server.process.pid)) == 9, "all to be started")
    tree = tree_of(server.process.pid)
    assert {pid, template} < set(tree)
    try:
        server.kill()
        wait_until(lambda: not any(map(is_alive, tree)), "all of them to end")
    finally:
        for left in filter(is_alive, tree):
            os.kill(left, signal.SIGKILL)
