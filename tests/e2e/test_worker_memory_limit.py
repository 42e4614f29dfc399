"""A worker in a memory cgroup takes too much, and the kernel kills it: told as what it was."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.conftest import StartServer
from e2e.harness import wait_until
from e2e.test_worker_crashes import ask, serve
from e2e.test_workers import workers_of
from reload.repository import Repository, RepositoryServer

ROOT = Path("/sys/fs/cgroup")
LIMIT = 192 << 20
# Instances that are told so move into the cgroup; a request may then ask for megabytes.
GREEDY = """
import os
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def initialize(self, args):
        group = {group!r}
        if group and args["model_instance_name"].endswith("_0"):
            with open(group + "/cgroup.procs", "w") as file:
                file.write(str(os.getpid()))

    def execute(self, requests):
        answers = []
        for request in requests:
            x = pb_utils.get_input_tensor_by_name(request, "X").as_numpy()
            np.ones(int(x[0]) << 20, np.uint8)
            answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("Y", x)]))
        return answers
"""
BY_THE_KERNEL = "killed by signal 9 (Killed) by the kernel, for want of memory"
LIKELY = "killed by signal 9 (Killed), most likely by the kernel for want of memory"


def limits() -> tuple[Path, dict[str, str]]:
    """Where memory cgroups are made, and the files that limit one."""
    if (ROOT / "memory/memory.limit_in_bytes").exists():
        return ROOT / "memory", {"memory.limit_in_bytes": str(LIMIT), "memory.swappiness": "0"}
    return ROOT, {"memory.max": str(LIMIT), "memory.swap.max": "0"}


@pytest.fixture
def group() -> Iterator[Path]:
    root, files = limits()
    folder = root / f"pytriton-test-{uuid.uuid4().hex}"
    try:
        folder.mkdir()
    except OSError as error:
        pytest.skip(f"needs a writable memory cgroup, got: {error}")
    try:
        for name, value in files.items():
            (folder / name).write_text(value)
    except OSError as error:
        folder.rmdir()
        pytest.skip(f"needs the memory controller in {root}, got: {error}")
    yield folder
    # Whoever is still there has ended with the server, or is about to.
    wait_until(lambda: not (folder / "cgroup.procs").read_text().split(), "the group to be empty")
    folder.rmdir()


def test_a_worker_killed_for_memory_says_so_and_is_replaced(
    group: Path, start: StartServer, tmp_path: Path
) -> None:
    code = GREEDY.replace("{group!r}", repr(str(group)))
    server = serve(start, tmp_path, code, "instance_group { count: 2 }")
    pid = server.process.pid
    old = set(workers_of(pid))
    member = int((group / "cgroup.procs").read_text())
    assert member in old
    stop = threading.Event()
    wrong: list[object] = []

    def client() -> None:
        while not stop.is_set():
            answer = ask(server, [1.0])
            if answer[0] != 200:
                wrong.append(answer)

    clients = [threading.Thread(target=client) for _ in range(2)]
    for one in clients:
        one.start()
    try:
        # The instance that takes a request is not ours to choose: the other one survives it.
        for _ in range(50):
            status, answer = ask(server, [512.0])
            if status != 200:
                break
        assert BY_THE_KERNEL in answer["error"], answer
        wait_until(lambda: len(set(workers_of(pid)) - old) == 1, "another worker")
        wait_until(lambda: (group / "cgroup.procs").read_text().split(), "it to serve")
    finally:
        stop.set()
        for one in clients:
            one.join()
    assert not wrong, wrong[0]
    assert member not in workers_of(pid)
    assert BY_THE_KERNEL in server.log
    server.stop()


def test_a_model_that_takes_too_much_while_it_loads_is_told_in_the_index(
    group: Path, tmp_path: Path
) -> None:
    moved = "file.write(str(os.getpid()))"
    code = GREEDY.replace("{group!r}", repr(str(group)))
    code = code.replace(moved, f"{moved}\n            np.ones(512 << 20, np.uint8)")
    repository = Repository(tmp_path / "models")
    repository.write_python_model("m", code)
    server = RepositoryServer(tmp_path, repository, "--model-control-mode=explicit").wait_ready()
    try:
        status, body = server.load("m")
        assert status == 400
        # It went into the cgroup after it was looked at, so the system's count tells.
        assert LIKELY in body.decode()
        assert LIKELY in server.index()["m", "1"]["reason"]
        assert LIKELY in server.log
    finally:
        server.stop()


def test_a_worker_that_was_moved_later_is_judged_by_the_system(
    group: Path, start: StartServer, tmp_path: Path
) -> None:
    server = serve(start, tmp_path, GREEDY.replace("{group!r}", "''"))
    (group / "cgroup.procs").write_text(str(workers_of(server.process.pid)[0]))
    status, answer = ask(server, [512.0])
    assert status == 500
    assert LIKELY in answer["error"], answer
    wait_until(lambda: ask(server, [1.0])[0] == 200, "another worker")
    server.stop()
