"""Models of a repository that are written in Python: the answers, compared with Triton's own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import tritonclient.grpc as grpc_client
from onnx import TensorProto, helper

from e2e.harness import Server, free_ports, wait_until
from e2e.python_model_cases import Peer, ask_all, without_paths

MODELS = Path(__file__).parent / "python_models"
RECORDED = Path(__file__).parents[1] / "conformance" / "python_models.json"

# What differs from Triton, by question; docs/from-triton.md says why.
DIFFERENT = {
    "failures sender_twice",
    "index broken_completion",
    "index broken_import",
}


class RepositoryServer(Server):
    """A server of a model repository alone."""

    def __init__(self, repository: Path, folder: Path, *options: str):
        self.http, self.grpc, self.metrics = free_ports(3)
        self.log_path = folder / "server.log"
        command = [sys.executable, "-m", "pytriton.serve", "--model-repository", str(repository)]
        for name, port in (("http", self.http), ("grpc", self.grpc), ("metrics", self.metrics)):
            command += [f"--{name}-port", str(port), *self.address(name)]
        command += ["--exit-on-error=false", "--strict-readiness=false", *options]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder)

    def wait_loaded(self, count: int) -> RepositoryServer:
        """Waits until the loads of the start have ended, well or badly."""

        def over():
            status, body = self.call("POST", "/v2/repository/index", b"{}")
            rows = json.loads(body) if status == 200 else []
            states = [row.get("state") for row in rows]
            return len(rows) >= count and all(s in ("READY", "UNAVAILABLE") for s in states)

        self.wait_ready()
        wait_until(over, "the models to load")
        return self


def add_onnx(repository: Path) -> None:
    directory = repository / "halves" / "1"
    directory.mkdir(parents=True)
    half = helper.make_tensor("half", TensorProto.FLOAT, (), [0.5])
    graph = helper.make_graph(
        [helper.make_node("Mul", ["X", "half"], ["Y"])],
        "g",
        [helper.make_tensor_value_info("X", TensorProto.FLOAT, ("n", 2))],
        [helper.make_tensor_value_info("Y", TensorProto.FLOAT, ("n", 2))],
        [half],
    )
    opset = helper.make_opsetid("", 17)
    onnx.save(
        helper.make_model(graph, opset_imports=[opset], ir_version=8), directory / "model.onnx"
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("python_models")
    repository = folder / "models"
    shutil.copytree(MODELS, repository, ignore=shutil.ignore_patterns("__pycache__"))
    add_onnx(repository)
    server = RepositoryServer(repository, folder).wait_loaded(len(list(repository.iterdir())))
    yield server
    assert server.process.poll() is None, f"the server died:\n{server.log}"
    code = server.stop()
    assert code == 0, f"exit code {code}:\n{server.log}"


def test_answers_are_triton_s(server: RepositoryServer):
    told = without_paths(ask_all(Peer(server.http, server.grpc)))
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    assert told.keys() == recorded.keys()
    differing = {name for name in told if told[name] != recorded[name]}
    unexpected = {name: (told[name], recorded[name]) for name in differing - DIFFERENT}
    assert not unexpected, json.dumps(unexpected, indent=1, ensure_ascii=False) + server.log
    assert told["failures sender_twice"][0] == 200
    for name in ("index broken_completion", "index broken_import"):
        triton, ours = recorded[name][1], told[name][1]
        assert triton.split("\n\nAt:")[0] in ours
    status, body = server.get("/metrics", port=server.metrics)
    assert status == 200
    text = body.decode()
    assert '# TYPE counts_total counter\ncounts_total{kind="a",model="counts"} 506\n' in text
    assert 'counts_last{model="counts"} 500\n' in text
    assert 'counts_sizes_bucket{model="counts",le="10"} 2\n' in text
    assert 'counts_sizes_sum{model="counts"} 506\n' in text


def test_large_tensors_pass_unchanged(server: RepositoryServer):
    client = grpc_client.InferenceServerClient(f"127.0.0.1:{server.grpc}")
    data = np.arange(1 << 20, dtype=np.float32).reshape(1, -1)
    tensor = grpc_client.InferInput("X", list(data.shape), "FP32")
    tensor.set_data_from_numpy(data)
    for _ in range(3):
        result = client.infer("completed", [tensor])
        np.testing.assert_array_equal(result.as_numpy("Y"), data * 2)
    client.close()


def test_onnx_models_are_served(server: RepositoryServer):
    peer = Peer(server.http, server.grpc)
    answer = peer.infer("halves", {"X": ("FP32", [2, 2], [1.0, 2.0, 3.0, 4.0])})
    assert answer == [200, {"Y": ["FP32", [2, 2], [0.5, 1.0, 1.5, 2.0]]}, {}]
    assert peer.http("/models/halves/config")[1]["max_batch_size"] == 4
