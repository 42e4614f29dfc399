"""What operators see of models in workers: their prints, their readiness, their environments."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import tarfile
import threading
from pathlib import Path

import numpy as np
import pytest

from e2e.conftest import StartServer
from e2e.harness import Server, wait_until
from e2e.test_workers import CONFIG, workers_of

HEAD = "import os\nimport sys\nimport triton_python_backend_utils as pb_utils\n"
TWICE = """
class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            x = request.inputs()[0].as_numpy()
            answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("Y", x * 2)]))
        return answers
"""
TALKS = """
class TritonPythonModel:
    def initialize(self, args):
        print("no request yet")
    def execute(self, requests):
        print("one line")
        print("half a ", end="")
        print("line\\nand another")
        print("an error", file=sys.stderr)
        raise ValueError("what a pity")
"""
STATE = """
class TritonPythonModel:
    def is_ready(self):
        return not os.path.exists("busy")
    def execute(self, requests):
        return [pb_utils.InferenceResponse([]) for _ in requests]
"""
# Where it runs, as numbers: whether this is the environment's interpreter and its module is found.
WHERE = """
import numpy as np
import marker
class TritonPythonModel:
    def execute(self, requests):
        same = float(sys.prefix.startswith(os.environ.get("VIRTUAL_ENV", "none")))
        y = np.array([same, marker.VALUE], np.float32)
        return [pb_utils.InferenceResponse([pb_utils.Tensor("Y", y)]) for _ in requests]
"""


def write_model(repository: Path, name: str, code: str, more: str = "") -> Path:
    version = repository / name / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(HEAD + code)
    (repository / name / "config.pbtxt").write_text(CONFIG + more)
    return repository / name


def environment(path: str) -> str:
    parameter = f'key: "EXECUTION_ENV_PATH" value {{ string_value: "{path}" }}'
    return f"parameters {{ {parameter} }}\n"


def make_environment(folder: Path) -> Path:
    """A virtual environment that finds the tests' numpy, and a module that nobody else has."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "numpy.pth").write_text(str(Path(np.__file__).parents[1]))
    (packages / "marker.py").write_text("VALUE = 41\n")
    return folder


def serve(start: StartServer, repository: Path, *options: str) -> Server:
    return start("small.py", "--model-repository", str(repository), *options)


def ask(server: Server, model: str, values: list[float], **more) -> tuple[int, dict]:
    tensor = {"name": "X", "datatype": "FP32", "shape": [len(values)], "data": values}
    return server.infer(model, tensor, **more)


def test_lines_and_failures_tell_model_and_request(start, tmp_path):
    write_model(tmp_path / "models", "talks", TALKS)
    server = serve(start, tmp_path / "models")
    status, answer = ask(server, "talks", [1.0], id="me")
    assert status == 500
    assert "ValueError: what a pity" in answer["error"]
    expected = (
        'talks:1:talks_0] "no request yet"',
        'talks:1:talks_0] "[request id: me] one line"',
        'talks:1:talks_0] "[request id: me] half a line"',
        'talks:1:talks_0] "[request id: me] and another"',
        'talks:1:talks_0] "[request id: me] an error"',
        'talks:1:talks_0] "[request id: me] ValueError: what a pity',
    )
    for text in expected:
        wait_until(lambda text=text: text in server.log, f"{text!r} in\n{server.log}", 10)


def test_a_model_tells_whether_it_is_ready(start, tmp_path):
    write_model(tmp_path / "models", "state", STATE)
    server = serve(start, tmp_path / "models")
    path = "/v2/models/state/ready"
    assert server.get(path)[0] == 200
    (tmp_path / "busy").touch()
    wait_until(lambda: server.get(path)[0] == 400, "the model to be unready")
    assert ask(server, "state", [1.0])[0] == 200
    (tmp_path / "busy").unlink()
    wait_until(lambda: server.get(path)[0] == 200, "the model to be ready")


def test_environments_are_directories_or_archives(start, tmp_path):
    repository = tmp_path / "models"
    model = write_model(repository, "archive", WHERE, environment("$$TRITON_MODEL_DIRECTORY/e.tgz"))
    folder = make_environment(tmp_path / "env")
    with tarfile.open(model / "e.tgz", "w:gz") as archive:
        for part in folder.iterdir():
            archive.add(part, part.name)
    write_model(repository, "directory", WHERE, environment(str(folder)))
    server = serve(start, repository)
    for name in ("archive", "directory"):
        status, answer = ask(server, name, [1.0])
        assert status == 200, answer
        assert answer["outputs"][0]["data"] == [1.0, 41.0]
    assert server.stop() == 0, server.log


def test_what_a_killed_server_unpacked_is_removed_by_the_next(start, tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    (temporary / "pytriton-environments-other").mkdir()  # not locked: somebody is just making it
    model = write_model(
        tmp_path / "models", "archive", WHERE, environment("$$TRITON_MODEL_DIRECTORY/e.tgz")
    )
    folder = make_environment(tmp_path / "env")
    with tarfile.open(model / "e.tgz", "w:gz") as archive:
        for part in folder.iterdir():
            archive.add(part, part.name)

    def homes() -> set[str]:
        names = {path.name for path in temporary.glob("pytriton-*")}
        return names - {"pytriton-environments-other"}

    def serve_it() -> tuple[Server, set[str]]:
        known = homes()
        server = start(
            *("small.py", "--model-repository", str(tmp_path / "models")),
            environment={"TMPDIR": str(temporary)},
        )
        assert ask(server, "archive", [1.0])[0] == 200
        return server, homes() - known

    killed, left = serve_it()
    assert {name.rpartition("-")[0] for name in left} == {
        "pytriton-environments",
        "pytriton-models",
    }
    killed.kill()
    assert homes() == left
    living, kept = serve_it()
    assert homes() == kept
    other, more = serve_it()
    assert homes() == kept | more  # what lives is left alone
    assert ask(living, "archive", [1.0])[0] == 200
    assert (living.stop(), other.stop()) == (0, 0)
    assert homes() == set()
    assert (temporary / "pytriton-environments-other").exists()


@pytest.mark.parametrize(
    ("member", "fault"),
    [("../evil", "Path contains '..'"), ("/evil", "Path is absolute"), ("out/evil", "below")],
)
def test_archives_that_lead_elsewhere_are_refused(tmp_path, member, fault):
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "target").mkdir()
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        link = tarfile.TarInfo("out")
        link.type, link.linkname = tarfile.SYMTYPE, str(outside)
        archive.addfile(link)
        evil = tarfile.TarInfo(member)
        evil.size = 4
        archive.addfile(evil, io.BytesIO(b"evil"))
    unpack = Path(__file__).parents[2] / "pytriton" / "backends" / "_unpack.py"
    paths = {
        "PYTRITON_ARCHIVE": str(tmp_path / "a.tar"),
        "PYTRITON_TARGET": str(tmp_path / "target"),
    }
    done = subprocess.run(
        [sys.executable, str(unpack), "1"],
        env={**os.environ, **paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert fault in done.stdout
    assert list(outside.iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_a_broken_archive_is_the_reason_of_a_failed_load(start, tmp_path):
    repository = tmp_path / "models"
    model = write_model(repository, "broken", TWICE, environment("$$TRITON_MODEL_DIRECTORY/e.tgz"))
    (model / "e.tgz").write_bytes(b"no archive")
    server = serve(start, repository, "--exit-on-error=false", "--strict-readiness=false")
    text = (
        "failed to load 'broken' version 1: Invalid argument: expected EXECUTION_ENV_PATH to name"
    )
    wait_until(lambda: text in server.log, "the reason")
    assert "e.tgz': ReadError" in server.log


def test_a_stopped_worker_holds_up_nobody_else(start, tmp_path):
    repository = tmp_path / "models"
    write_model(repository, "other", TWICE)
    server = serve(start, repository)
    (victim,) = workers_of(server.process.pid)
    # As a machine that swaps would.
    os.kill(victim, signal.SIGSTOP)
    answers: list[tuple[int, dict]] = []
    client = threading.Thread(target=lambda: answers.append(ask(server, "other", [21.0])))
    client.start()
    nothing = {"name": "SECONDS", "datatype": "FP32", "shape": [1, 1], "data": [0]}
    for _ in range(20):
        assert server.infer("sleepy", nothing)[0] == 200
    assert server.get("/v2/health/ready")[0] == 200
    assert answers == []
    os.kill(victim, signal.SIGCONT)
    client.join(60)
    assert answers[0][1]["outputs"][0]["data"] == [42.0]


FRAGILE = """
class TritonPythonModel:
    def initialize(self, args):
        name = args["model_instance_name"]
        if os.path.exists("broken_" + name):
            raise RuntimeError("broken")
        with open("pid_" + name, "w") as file:
            file.write(str(os.getpid()))
    def execute(self, requests):
        return [pb_utils.InferenceResponse([]) for _ in requests]
"""


def test_an_instance_that_cannot_come_back_draws_no_requests(start, tmp_path):
    write_model(tmp_path / "models", "fragile", FRAGILE, "instance_group { count: 2 }\n")
    server = serve(start, tmp_path / "models")
    (tmp_path / "broken_fragile_0_0").touch()
    os.kill(int((tmp_path / "pid_fragile_0_0").read_text()), signal.SIGKILL)
    failed = "can't replace the worker of 'fragile_0_0'"
    wait_until(lambda: server.log.count(failed) >= 2, "two failed attempts")
    for _ in range(50):
        assert ask(server, "fragile", [1.0])[0] == 200
    (tmp_path / "broken_fragile_0_0").unlink()
    (tmp_path / "pid_fragile_0_0").unlink()
    wait_until(lambda: (tmp_path / "pid_fragile_0_0").exists(), "the instance to come back")
    assert server.stop() == 0, server.log


def results_in_use(server: Server) -> int:
    """Bytes of memory that results of workers take."""
    folder = f"/proc/{server.process.pid}/fd"
    found = 0
    for entry in os.listdir(folder):
        path = f"{folder}/{entry}"
        if "memfd:pytriton-results" in os.readlink(path):
            found += os.stat(path).st_blocks * 512
    return found


def test_memory_of_large_results_goes_back(start, tmp_path):
    write_model(tmp_path / "models", "twice", TWICE)
    server = serve(start, tmp_path / "models")
    data = np.ones(1 << 21, np.float32)
    head = b'{"inputs":[{"name":"X","datatype":"FP32","shape":[2097152],'
    head += b'"parameters":{"binary_data_size":8388608}}],"parameters":{"binary_data_output":true}}'
    headers = {"Inference-Header-Content-Length": str(len(head))}
    seen = 0
    for _ in range(6):
        path = "/v2/models/twice/infer"
        status, body = server.call("POST", path, head + data.tobytes(), headers)
        assert status == 200
        assert body[-4:] == np.float32(2).tobytes()
        seen = max(seen, results_in_use(server))
    assert seen >= 8 << 20
    wait_until(lambda: results_in_use(server) < 1 << 20, "the memory to be given back")
