"""Every example, as its README says: its server in one process, its client in another."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.harness import free_ports, wait_until

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"

# What each client prints, as a pattern, and what must be installed.
EXPECTED = {
    "add_sub": (r"sum \[4. 4. 4.\] difference \[-2.  0.  2.\]", []),
    "optional_inputs": (r"default factor: \[6.\]\nown factor: \[30.\]\noffset: \[7.\]", []),
    "multiple_models": (r"1 \[42\]\ndouble version 2 \[42\]\nanswered by instance [01]", []),
    "identity_bytes": (r"\['grüß dich', '你好', ''\]\nthe bytes are the same", []),
    "parameters_headers": (r"hello, stranger\ngood day, Ada", []),
    "online_learning": (r"before: .*after 1200 images: [89]\d% right", ["sklearn"]),
    "sklearn_pipeline": (r"^try .*\nlambda .*\nimport .*", ["sklearn"]),
    "onnx_model": (r"values \[2.5 0.5\]", ["onnx", "onnxruntime"]),
    "torch_model": (r"xor \[0 1 1 0\]", ["torch"]),
}


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONIOENCODING": "utf-8", **more}


def run_client(name: str, *arguments: str) -> str:
    command = [sys.executable, str(EXAMPLES / name / "client.py"), *arguments]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env=environment(),
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


class ExampleServer:
    """`python examples/NAME/server.py` on ports of its own."""

    def __init__(self, name: str, folder: Path, *arguments: str):
        self.http, self.grpc, metrics = free_ports(3)
        self.log_path = folder / f"{name}-{self.http}.log"
        prefix = "PYTRITON_TRITON_CONFIG_"
        ports = {"HTTP_PORT": self.http, "GRPC_PORT": self.grpc, "METRICS_PORT": metrics}
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, str(EXAMPLES / name / "server.py"), *arguments],
                stdout=log,
                stderr=log,
                env=environment(**{prefix + key: str(port) for key, port in ports.items()}),
            )

    def __enter__(self) -> ExampleServer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.terminate()
        try:
            assert self.process.wait(timeout=60) == 0, self.log
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def wait_for(self, text: str) -> re.Match[str]:
        def found() -> re.Match[str] | None:
            assert self.process.poll() is None, self.log
            return re.search(text, self.log)

        return wait_until(found, f"{text} in the log", seconds=90)


@pytest.mark.parametrize("name", EXPECTED)
def test_example(name: str, tmp_path: Path):
    pattern, modules = EXPECTED[name]
    for module in modules:
        pytest.importorskip(module, reason=f"the example needs {module}")
    with ExampleServer(name, tmp_path) as server:
        server.wait_for("Started HTTPService")
        shown = run_client(name, f"127.0.0.1:{server.http}")
    assert re.search(pattern, shown, re.DOTALL | re.MULTILINE), shown


def test_text_generation_streams_words(tmp_path: Path):
    with ExampleServer("text_generation", tmp_path) as server:
        server.wait_for("Started HTTPService")
        shown = [run_client("text_generation", f"grpc://127.0.0.1:{server.grpc}") for _ in "12"]
    assert shown[0].startswith("The import statement ")
    assert len(shown[0].split()) == 43
    assert shown[0] == shown[1]  # the same seed


def test_two_servers_on_one_machine(tmp_path: Path):
    with ExampleServer("two_servers", tmp_path, "1") as one:
        with ExampleServer("two_servers", tmp_path, "2") as two:
            urls = [server.wait_for(r"serving at (\S+)").group(1) for server in (one, two)]
            assert run_client("two_servers", *urls) == "1 becomes 2\n1 becomes 3\n"


def test_remote_mode(tmp_path: Path):
    with ExampleServer("remote_mode", tmp_path) as server:
        server.wait_for("Started HTTPService")
        url = f"127.0.0.1:{server.http}"
        command = [sys.executable, str(EXAMPLES / "remote_mode" / "worker.py"), url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as worker:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "attached\n"
            assert run_client("remote_mode", url) == "twice [2. 4.]\n"
            worker.terminate()
        assert worker.returncode == 0


def test_the_cells_of_the_notebook_run(tmp_path: Path):
    notebook = json.loads((EXAMPLES / "notebook" / "calculator.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    script = tmp_path / "cells.py"
    script.write_text("\n\n".join(cells))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[4. 7.]\n[-2. -3.]\n"


def test_the_readme_names_every_example():
    listed = set(re.findall(r"^\| \[(\w+)\]", (EXAMPLES / "README.md").read_text(), re.MULTILINE))
    assert listed == {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
