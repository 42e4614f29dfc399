"""The routes of SageMaker and Vertex AI, on ports of their own."""

from __future__ import annotations

import http.client
import json
import os
import struct

import grpc
import pytest

from e2e.harness import Server, free_ports

BODY = json.dumps(
    {"inputs": [{"name": "SECONDS", "datatype": "FP32", "shape": [1, 1], "data": [0.25]}]}
).encode()
SAGEMAKER_TYPE = "application/vnd.sagemaker-triton.binary+json;json-header-size="
VERTEX_TYPE = "application/vnd.vertex-ai-triton.binary+json;json-header-size="


def binary_body():
    """A request whose tensors are binary both ways: JSON size and bytes."""
    tensor = {"name": "SECONDS", "datatype": "FP32", "shape": [1, 1]}
    head = json.dumps(
        {
            "inputs": [{**tensor, "parameters": {"binary_data_size": 4}}],
            "outputs": [{"name": "OUT", "parameters": {"binary_data": True}}],
        }
    ).encode()
    return len(head), head + struct.pack("<f", 0.25)


def ask(port, method, path, body=None, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


@pytest.fixture(scope="module")
def sagemaker(tmp_path_factory):
    (port,) = free_ports(1)
    options = ["--allow-sagemaker", "true", "--sagemaker-port", str(port)]
    os.environ["SAGEMAKER_TRITON_DEFAULT_MODEL_NAME"] = "sleepy"
    try:
        server = Server("small.py", tmp_path_factory.mktemp("sagemaker"), *options)
    finally:
        del os.environ["SAGEMAKER_TRITON_DEFAULT_MODEL_NAME"]
    server.wait_ready()
    yield port
    assert server.stop() == 0


@pytest.fixture(scope="module")
def vertex(tmp_path_factory):
    (port,) = free_ports(1)
    variables = {
        "AIP_MODE": "PREDICTION",
        "AIP_HTTP_PORT": str(port),
        "AIP_HEALTH_ROUTE": "/alive",
        "AIP_PREDICT_ROUTE": "/predict",
    }
    os.environ.update(variables)
    try:
        folder = tmp_path_factory.mktemp("vertex")
        server = Server("small.py", folder, "--allow-http", "true", "--allow-grpc", "false")
    finally:
        for name in variables:
            del os.environ[name]
    server.wait_ready()
    yield port
    assert server.stop() == 0


def test_sagemaker_pings_and_invokes(sagemaker):
    assert ask(sagemaker, "GET", "/ping")[::2] == (200, b"")
    status, _, body = ask(sagemaker, "POST", "/invocations", BODY)
    assert status == 200
    assert json.loads(body)["outputs"][0]["data"] == [0.25]


def test_sagemaker_tells_the_json_size_in_the_content_type(sagemaker):
    size, body = binary_body()
    status, headers, answer = ask(
        sagemaker, "POST", "/invocations", body, Content_Type=f"{SAGEMAKER_TYPE}{size}"
    )
    assert status == 200, answer
    assert headers["Content-Type"].startswith(SAGEMAKER_TYPE)
    assert "Inference-Header-Content-Length" not in headers
    size = int(headers["Content-Type"].removeprefix(SAGEMAKER_TYPE))
    assert json.loads(answer[:size])["model_name"] == "sleepy"
    assert struct.unpack("<f", answer[size:]) == (0.25,)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/ping"),
        ("GET", "/invocations"),
        ("GET", "/v2/health/live"),
        ("POST", "/v2/models/sleepy/infer"),
        ("GET", "/metrics"),
    ],
)
def test_sagemaker_has_no_other_routes(sagemaker, method, path):
    assert ask(sagemaker, method, path)[::2] == (400, b"")


def test_vertex_health_and_predict(vertex):
    assert ask(vertex, "GET", "/alive")[::2] == (200, b"")
    status, _, body = ask(vertex, "POST", "/predict", BODY)
    assert status == 200
    assert json.loads(body)["model_name"] == "sleepy"
    assert ask(vertex, "GET", "/v2/health/live")[::2] == (400, b"")


def test_vertex_binary_requests(vertex):
    size, body = binary_body()
    status, headers, answer = ask(
        vertex, "POST", "/predict", body, Content_Type=f"{VERTEX_TYPE}{size}"
    )
    assert status == 200, answer
    size = int(headers["Inference-Header-Content-Length"])
    assert struct.unpack("<f", answer[size:]) == (0.25,)


def test_vertex_redirects(vertex):
    def redirect(target, body=b""):
        return ask(vertex, "POST", "/predict", body, X_Vertex_Ai_Triton_Redirect=target)

    assert json.loads(redirect("v2")[2])["name"] == "triton"
    assert json.loads(redirect("v2/models/sleepy/config")[2])["name"] == "sleepy"
    assert redirect("v2/models/sleepy/infer", BODY)[0] == 200
    assert b"nv_inference_count" in redirect("metrics")[2]
    assert redirect("nonsense")[::2] == (400, b"")
    # What is restricted elsewhere is restricted here.
    assert redirect("v2/models/stats")[0] == 403


@pytest.mark.parametrize("fixture", ["sagemaker", "vertex"])
def test_cloud_ports_speak_no_grpc(fixture, request):
    port = request.getfixturevalue(fixture)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ServerLive")
        with pytest.raises(grpc.RpcError):
            call(b"", timeout=30)
