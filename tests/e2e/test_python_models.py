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
        wait_until(over, "the models to load", 100)
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


HEAD = "import numpy as np\nimport triton_python_backend_utils as pb_utils\n"
IO = """
backend: "python"
input { name: "COUNT" data_type: TYPE_INT32 dims: [ -1 ] }
output { name: "INDEX" data_type: TYPE_INT32 dims: [ -1 ] }
"""
DECOUPLED = IO + "model_transaction_policy { decoupled: true }\n"

# Models that Triton can't be asked about: it would leave the client waiting, or has no sklearn.
OURS = {
    "drops": (
        DECOUPLED,
        """
class TritonPythonModel:
    def execute(self, requests):
        for request in requests:
            for index in range(int(request.inputs()[0].as_numpy()[0])):
                tensor = pb_utils.Tensor("INDEX", np.array([index], np.int32))
                sender = request.get_response_sender()
                sender.send(pb_utils.InferenceResponse([tensor]))
""",
    ),
    "fails_later": (
        DECOUPLED,
        """
class TritonPythonModel:
    async def execute(self, requests):
        raise ValueError("in the background")
""",
    ),
    "nothing": (IO, "class TritonPythonModel:\n    def execute(self, requests): return None\n"),
    "shares": (
        IO + "instance_group { count: 2 kind: KIND_CPU }\n",
        """
class TritonPythonModel:
    def initialize(self, args):
        make = pb_utils.MetricFamily
        self.family = make(name="shares_total", description="of both", kind=make.COUNTER)
        self.metric = self.family.Metric(labels={})
    def execute(self, requests):
        self.metric.increment(len(requests))
        return [pb_utils.InferenceResponse([]) for _ in requests]
""",
    ),
    "asks_large": (
        IO,
        """
class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            x = np.arange(request.inputs()[0].as_numpy()[0], dtype=np.float32).reshape(1, -1)
            asked = pb_utils.InferenceRequest(
                model_name="completed",
                requested_output_names=["Y"],
                inputs=[pb_utils.Tensor("X", x)],
            )
            y = asked.exec().output_tensors()[0].as_numpy()
            same = np.array([int((y == x * 2).all())], np.int32)
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("INDEX", same)]))
        return responses
""",
    ),
    "gathers": (
        IO,
        """
import asyncio

def ask(model, name, value, **more):
    tensor = pb_utils.Tensor(name, value)
    asked = pb_utils.InferenceRequest(
        model_name=model, requested_output_names=[], inputs=[tensor], **more
    )
    return asked.async_exec()

def told(response):
    if response.has_error():
        return "error: " + response.error().message()
    return str(response.output_tensors()[0].as_numpy().tolist())

class TritonPythonModel:
    async def execute(self, requests):
        row, one = np.ones((1, 2), np.float32), np.array([1], np.int32)
        answers = await asyncio.gather(
            ask("completed", "X", row),
            ask("nowhere", "X", row),
            ask("completed", "Q", row),
            ask("fails", "COUNT", one),
            ask("completed", "X", row, model_version=7),
            ask("drops", "COUNT", one),
            *[ask("completed", "X", row * i) for i in range(40)],
        )
        raise ValueError(" | ".join(told(answer) for answer in answers))
""",
    ),
    "invents": (
        "",
        """
class TritonPythonModel:
    @staticmethod
    def auto_complete_config(config):
        config.as_dict()["parameters"] = {"dropped": {"string_value": "as Triton does"}}
        config.as_dict()["max_batch_sise"] = 4
        return config
""",
    ),
    "fails": (
        IO,
        """
class TritonPythonModel:
    def execute(self, requests):
        error = pb_utils.TritonError("as it should", pb_utils.TritonError.NOT_FOUND)
        return [pb_utils.InferenceResponse(error=error) for _ in requests]
""",
    ),
    "classifies": (
        IO,
        """
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

class TritonPythonModel:
    def initialize(self, args):
        x = np.arange(20).reshape(-1, 1)
        self.pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(x, x[:, 0] > 9)
    def execute(self, requests):
        responses = []
        for request in requests:
            x = request.inputs()[0].as_numpy().reshape(-1, 1)
            y = self.pipeline.predict(x).astype(np.int32)
            responses.append(pb_utils.InferenceResponse([pb_utils.Tensor("INDEX", y)]))
        return responses
""",
    ),
}


def add_models(repository: Path, models: dict[str, tuple[str, str]]) -> None:
    for name, (config, source) in models.items():
        directory = repository / name / "1"
        directory.mkdir(parents=True)
        (directory.parent / "config.pbtxt").write_text(config, encoding="utf-8")
        (directory / "model.py").write_text(HEAD + source, encoding="utf-8")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("python_models")
    repository = folder / "models"
    shutil.copytree(MODELS, repository, ignore=shutil.ignore_patterns("__pycache__"))
    add_onnx(repository)
    add_models(repository, OURS)
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


def test_every_request_is_answered(server: RepositoryServer):
    peer = Peer(server.http, server.grpc)
    one = peer.stream("drops", 1)
    assert [told[0] for told in one] == [[0], None]
    assert one[1][1] is True
    ((kind, text),) = peer.stream("drops", 0)
    assert kind == "error", text
    ((kind, text),) = peer.stream("fails_later", 0)
    assert kind == "error"
    assert "message: ValueError: in the background\n\nAt:\n" in text
    status, text = peer.infer("nothing", {"COUNT": ("INT32", [1], [0])})
    assert status == 500, text


def test_instances_share_their_metrics(server: RepositoryServer):
    peer = Peer(server.http, server.grpc)
    for _ in range(6):
        assert peer.infer("shares", {"COUNT": ("INT32", [1], [0])})[0] == 200
    _, body = server.get("/metrics", port=server.metrics)
    assert "\nshares_total 6\n" in body.decode()


def test_inner_requests_carry_large_tensors(server: RepositoryServer):
    peer = Peer(server.http, server.grpc)
    for _ in range(3):
        answer = peer.infer("asks_large", {"COUNT": ("INT32", [1], [1 << 20])})
        assert answer == [200, {"INDEX": ["INT32", [1], [1]]}, {}]


def test_a_completion_with_a_key_that_there_is_not_is_refused(server: RepositoryServer):
    body = server.call("POST", "/v2/repository/index", b"{}")[1]
    (row,) = [row for row in json.loads(body) if row["name"] == "invents"]
    assert row["state"] == "UNAVAILABLE"
    assert "invalid configuration from the backend of model 'invents'" in row["reason"]
    assert "max_batch_sise" in row["reason"]


def test_gathered_calls_are_answered_one_by_one(server: RepositoryServer):
    peer = Peer(server.http, server.grpc)
    status, text = peer.infer("gathers", {"COUNT": ("INT32", [1], [0])})
    assert status == 500
    told = text.split("ValueError: ")[1].split("\n")[0].split(" | ")
    failed = "error: Model {0} - Error when running inference: "
    not_ready = failed + "Failed for execute the inference request. Model '{0}' is not ready."
    assert told[:5] == [
        "[[2.0, 2.0]]",
        not_ready.format("nowhere"),
        failed.format("completed") + "unexpected inference input 'Q' for model 'completed'",
        "error: as it should",
        not_ready.format("completed"),
    ]
    assert "Please use 'decoupled=True' argument" in told[5]
    assert told[6:] == [f"[[{2.0 * i}, {2.0 * i}]]" for i in range(40)]


def test_a_pipeline_of_sklearn(server: RepositoryServer):
    peer = Peer(server.http, server.grpc)
    answer = peer.infer("classifies", {"COUNT": ("INT32", [3], [1, 9, 15])})
    assert answer == [200, {"INDEX": ["INT32", [3], [0, 0, 1]]}, {}]


CONTROLS = (
    """
backend: "python"
input { name: "COMMAND" data_type: TYPE_STRING dims: [ 2 ] }
output { name: "ANSWER" data_type: TYPE_STRING dims: [ 1 ] }
""",
    """
class TritonPythonModel:
    def execute(self, requests):
        responses = []
        for request in requests:
            verb, name = (word.decode() for word in request.inputs()[0].as_numpy())
            try:
                answer = str(getattr(pb_utils, verb)(model_name=name))
            except pb_utils.TritonModelException as error:
                answer = str(error)
            tensor = pb_utils.Tensor("ANSWER", np.array([answer.encode()], np.object_))
            responses.append(pb_utils.InferenceResponse([tensor]))
        return responses
""",
)


def test_models_load_and_unload_others(tmp_path: Path):
    repository = tmp_path / "models"
    shutil.copytree(MODELS / "completed", repository / "completed")
    add_models(repository, {"controls": CONTROLS})
    options = ("--model-control-mode=explicit", "--load-model=controls")
    server = RepositoryServer(repository, tmp_path, *options)
    wait_until(lambda: server.get("/v2/models/controls/ready")[0] == 200, "the model")
    peer = Peer(server.http, server.grpc)

    def command(verb: str, name: str) -> str:
        answer = peer.infer("controls", {"COMMAND": ("BYTES", [2], [verb, name])})
        assert answer[0] == 200, answer
        return answer[1]["ANSWER"][2][0]

    assert command("is_model_ready", "completed") == "False"
    assert command("load_model", "completed") == "None"
    assert command("is_model_ready", "completed") == "True"
    assert command("unload_model", "completed") == "None"
    wait_until(lambda: command("is_model_ready", "completed") == "False", "the unload")
    text = command("load_model", "nope")
    assert text.startswith("Failed to load model: Failed to process the request for model")
    assert "message: failed to load 'nope'" in text
    assert server.stop() == 0, server.log
