"""What a configuration file means to the stock clients: documents, classes, shapes, warm-up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http

from e2e.harness import Server, wait_until

CONFIGS = {
    "classes/config.pbtxt": """
        backend: "identity" max_batch_size: 4
        input { name: "A" data_type: TYPE_FP32 dims: 3 }
        output { name: "A" data_type: TYPE_FP32 dims: 3 label_filename: "labels.txt" }
        metric_tags { key: "team" value: "vision" }""",
    "classes/labels.txt": "cat\ndog\n",
    "shapes/config.yaml": """
        backend: identity
        max_batch_size: 4
        input:
        - {name: A, data_type: TYPE_INT32, dims: [4], reshape: {shape: [2, 2]}}
        output:
        - {name: A, data_type: TYPE_INT32, dims: [1, 4], reshape: {shape: [2, 2]}}""",
    "warm/config.json": json.dumps(
        {
            "backend": "identity",
            "input": [{"name": "A", "data_type": "TYPE_FP32", "dims": [2]}],
            "output": [{"name": "A", "data_type": "TYPE_FP32", "dims": [2]}],
            "instance_group": [{"count": 2, "kind": "KIND_CPU"}],
            "model_warmup": [
                {
                    "name": "w",
                    "batch_size": 1,
                    "count": 3,
                    "inputs": {"A": {"data_type": "TYPE_FP32", "dims": [2], "random_data": True}},
                }
            ],
        }
    ),
    "cold/config.pbtxt": """
        backend: "identity"
        input { name: "A" data_type: TYPE_FP32 dims: 2 }
        output { name: "A" data_type: TYPE_FP32 dims: 2 }
        model_warmup { name: "w" batch_size: 1
          inputs { key: "A" value { data_type: TYPE_FP32 dims: 2 input_data_file: "gone" } } }""",
    "typo/config.pbtxt": 'backend: "identity"\nmax_batchsize: 4\n',
    "warm/warmup/.keep": "",
    "cold/warmup/.keep": "",
}


def states(server: Server) -> set[str]:
    """Of all models; "LOADING" as long as some are not there yet."""
    index = json.loads(server.call("POST", "/v2/repository/index", b"{}")[1])
    models = {model["name"] for model in index}
    missing = {Path(name).parts[0] for name in CONFIGS} - models
    return {model.get("state", "LOADING") for model in index} | ({"LOADING"} if missing else set())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("configuration")
    for name, text in CONFIGS.items():
        path = folder / "models" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        (folder / "models" / Path(name).parts[0] / "1").mkdir(exist_ok=True)
    options = ("--model-repository", str(folder / "models"), "--exit-on-error", "false")
    options += ("--strict-readiness", "false")
    server = Server("", folder, *options).wait_ready()
    wait_until(lambda: "LOADING" not in states(server), "every load to end")
    yield server
    assert server.stop() == 0, server.log


@pytest.fixture
def http(server: Server) -> Iterator[tritonclient.http.InferenceServerClient]:
    with tritonclient.http.InferenceServerClient(f"127.0.0.1:{server.http}") as client:
        yield client


@pytest.fixture
def grpc(server: Server) -> Iterator[tritonclient.grpc.InferenceServerClient]:
    with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{server.grpc}") as client:
        yield client


def run(client: object, module: object, model: str, data: np.ndarray, classes: int = 0) -> object:
    datatype = "FP32" if data.dtype == np.float32 else "INT32"
    tensor = module.InferInput("A", list(data.shape), datatype)
    tensor.set_data_from_numpy(data)
    output = module.InferRequestedOutput("A", class_count=classes)
    return client.infer(model, [tensor], outputs=[output]).as_numpy("A")


def test_classification_with_labels_over_both_protocols(http, grpc):
    data = np.array([[1, 2, 3], [6, 5, 4]], np.float32)
    expected = [
        [b"3.000000:2", b"2.000000:1:dog"],
        [b"6.000000:0:cat", b"5.000000:1:dog"],
    ]
    assert run(http, tritonclient.http, "classes", data, 2).tolist() == expected
    assert run(grpc, tritonclient.grpc, "classes", data, 2).tolist() == expected
    assert run(grpc, tritonclient.grpc, "classes", data).tolist() == data.tolist()


def test_reshape_over_both_protocols(http, grpc):
    data = np.arange(8, dtype=np.int32).reshape(2, 4)
    for client, module in ((http, tritonclient.http), (grpc, tritonclient.grpc)):
        answer = run(client, module, "shapes", data)
        assert answer.shape == (2, 1, 4)
        assert answer.reshape(2, 4).tolist() == data.tolist()


def test_the_whole_document_over_both_protocols(server, http, grpc):
    over_http = http.get_model_config("classes")
    over_grpc = grpc.get_model_config("classes").config
    assert over_http["metric_tags"] == dict(over_grpc.metric_tags) == {"team": "vision"}
    assert over_http["output"][0]["label_filename"] == over_grpc.output[0].label_filename
    assert over_http["instance_group"][0]["name"] == over_grpc.instance_group[0].name == "classes"
    assert b'_team="vision",model="classes"' in server.get("/metrics", port=server.metrics)[1]


def test_every_instance_warms_up(http):
    stats = http.get_inference_statistics("warm")["model_stats"][0]
    assert (stats["inference_count"], stats["execution_count"]) == (6, 6)


def test_the_index_says_why_a_model_is_not_there(http):
    reasons = {
        model["name"]: model.get("reason", "") for model in http.get_model_repository_index()
    }
    assert "failed to run warmup sample 'w'" in reasons["cold"] or "warmup/gone" in reasons["cold"]
    assert "line 2, column 14" in reasons["typo"]
    assert "did you mean 'max_batch_size'?" in reasons["typo"]
