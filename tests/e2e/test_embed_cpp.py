"""The C++ example is built against the installed package, serves, answers and stops."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import tritonclient.grpc
import tritonclient.http

EXAMPLE = Path(__file__).parents[2] / "examples" / "embed_cpp"


def build(folder: Path) -> Path:
    prefix = subprocess.run(
        [sys.executable, "-m", "pytriton.cmake"], check=True, text=True, capture_output=True
    ).stdout.strip()
    configure = ["cmake", "-S", str(EXAMPLE), "-B", str(folder), f"-DCMAKE_PREFIX_PATH={prefix}"]
    for command in (configure, ["cmake", "--build", str(folder)]):
        result = subprocess.run(command, text=True, capture_output=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
    return folder / "embed_cpp"


def test_a_cpp_program_embeds_the_server(tmp_path: Path):
    program = build(tmp_path)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([str(program)], text=True, **pipes) as host:
        ports = host.stdout.readline().split()
        assert ports[0::2] == ["http", "grpc"]
        values = np.array([[1.5, -2, 3]], np.float32)
        for module, port in ((tritonclient.http, ports[1]), (tritonclient.grpc, ports[3])):
            tensor = module.InferInput("IN", [1, 3], "FP32")
            tensor.set_data_from_numpy(values)
            with module.InferenceServerClient(f"127.0.0.1:{port}") as client:
                result = client.infer("double", [tensor]).as_numpy("OUT")
            assert result.tolist() == [[3, -4, 6]]
        host.communicate("\n", timeout=30)
        assert host.returncode == 0
