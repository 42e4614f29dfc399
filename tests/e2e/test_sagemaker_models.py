"""SageMaker's multi-model endpoint: models that are loaded, listed, invoked and removed by call."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from e2e.harness import Server, free_ports

MODEL = """
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            x = pb_utils.get_input_tensor_by_name(request, "x").as_numpy()
            answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("y", x * 2)]))
        return answers
"""
CONFIG = """
name: "double" backend: "python"
input [{ name: "x" data_type: TYPE_FP32 dims: [2] }]
output [{ name: "y" data_type: TYPE_FP32 dims: [2] }]
instance_group [{ kind: KIND_CPU }]
"""
BODY = json.dumps(
    {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "data": [1, 2]}]}
).encode()


def write_model(repository: Path, name: str) -> None:
    (repository / name / "1").mkdir(parents=True)
    (repository / name / "1" / "model.py").write_text(MODEL)
    (repository / name / "config.pbtxt").write_text(CONFIG)


class Endpoint:
    def __init__(self, start, folder: Path, mode: str):
        (self.port,) = free_ports(1)
        self.root = folder / "models"
        write_model(self.root / "hash1" / "model", "double")
        (folder / "empty").mkdir()
        options = ["--model-repository", str(folder / "empty"), "--model-control-mode", mode]
        options += ["--allow-sagemaker", "true", "--sagemaker-port", str(self.port)]
        environment = {"PYTRITON_SAGEMAKER_MODELS": str(self.root)}
        self.server: Server = start("", *options, environment=environment)

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        return self.server.call(method, path, body, port=self.port)

    def load(self, name: str, url: Path) -> tuple[int, str]:
        body = json.dumps({"model_name": name, "url": str(url)}).encode()
        status, text = self.ask("POST", "/models", body)
        return status, json.loads(text)["error"] if text else ""


def test_models_come_and_go_by_call(start, tmp_path):
    endpoint = Endpoint(start, tmp_path, "explicit")
    url = endpoint.root / "hash1" / "model"
    assert endpoint.ask("GET", "/models") == (200, b'{"models":[]}')
    assert endpoint.ask("GET", "/models/h1") == (404, b"")
    assert endpoint.ask("DELETE", "/models/h1") == (404, b"")
    assert endpoint.ask("POST", "/models/h1/invoke", BODY) == (404, b"")
    assert endpoint.load("h1", url) == (200, "")
    assert endpoint.load("h1", url) == (409, "model 'h1' has already been registered")
    described = {"modelName": "h1", "modelUrl": str(url)}
    assert json.loads(endpoint.ask("GET", "/models")[1]) == {"models": [described]}
    assert json.loads(endpoint.ask("GET", "/models/h1")[1]) == described
    status, answer = endpoint.ask("POST", "/models/h1/invoke", BODY)
    assert status == 200, answer
    answer = json.loads(answer)
    assert (answer["model_name"], answer["outputs"][0]["data"]) == ("h1", [2.0, 4.0])
    assert endpoint.ask("DELETE", "/models/h1") == (200, b"")
    assert endpoint.ask("GET", "/models") == (200, b'{"models":[]}')
    assert endpoint.ask("POST", "/models/h1/invoke", BODY) == (404, b"")
    assert endpoint.load("h1", url) == (200, "")  # it may come back
    assert endpoint.server.stop() == 0


def test_what_is_no_model_of_sagemakers_is_refused(start, tmp_path):
    endpoint = Endpoint(start, tmp_path, "explicit")
    outside = tmp_path / "outside"
    write_model(outside, "double")
    (endpoint.root / "link").symlink_to(outside)
    (endpoint.root / "hash2").mkdir()
    (endpoint.root / "hash2" / "double").symlink_to(outside / "double")
    write_model(endpoint.root / "two", "a")
    write_model(endpoint.root / "two", "b")
    up = endpoint.root / "hash1" / ".." / ".." / "outside"
    for url in (outside, endpoint.root / "link", endpoint.root / "hash2", up, endpoint.root):
        status, text = endpoint.load("h1", url)
        assert (status, "expected" in text) == (400, True), (url, text)
    assert "expected one model in it, got 2" in endpoint.load("h1", endpoint.root / "two")[1]
    assert "repository not found" in endpoint.load("h1", endpoint.root / "none")[1]
    assert endpoint.load("../h1", endpoint.root / "hash1")[0] == 400
    for body in (b"", b"x", b"[]", b"{}", b'{"model_name":1,"url":"/"}', b'{"url":"/"}'):
        status, text = endpoint.ask("POST", "/models", body)
        assert (status, bool(json.loads(text)["error"])) == (400, True), body
    for method, path in (("PUT", "/models"), ("GET", "/models/a/b"), ("POST", "/models/h1")):
        assert endpoint.ask(method, path, b"") == (400, b"")
    assert endpoint.ask("GET", "/models") == (200, b'{"models":[]}')
    assert endpoint.ask("GET", "/ping") == (200, b"")


@pytest.mark.parametrize("mode", ["none"])
def test_only_mode_explicit_takes_models(start, tmp_path, mode):
    endpoint = Endpoint(start, tmp_path, mode)
    status, text = endpoint.load("h1", endpoint.root / "hash1" / "model")
    assert (status, text) == (
        400,
        "repository registration is not allowed if model control mode is not EXPLICIT",
    )


def test_a_server_of_callables_takes_no_models(start, tmp_path):
    (port,) = free_ports(1)
    options = ["--allow-sagemaker", "true", "--sagemaker-port", str(port)]
    server = start("small.py", *options, environment={"PYTRITON_ACCESS_TOKEN": "t"})
    body = json.dumps({"model_name": "h1", "url": str(tmp_path)}).encode()
    token = {"triton-access-token": "t"}
    status, answer = server.call("POST", "/models", body, headers=token, port=port)
    expected = "repository registration is not allowed if model control mode is not EXPLICIT"
    assert (status, json.loads(answer)["error"]) == (400, expected)
