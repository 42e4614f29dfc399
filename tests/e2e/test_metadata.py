"""Health, metadata, configuration, statistics and metrics, with the stock clients and by hand."""

from __future__ import annotations

import json

import pytest
import tritonclient.grpc
import tritonclient.http

from e2e.harness import Server, add_sub_body


def test_health(zoo: Server):
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/add_sub/ready"):
        assert zoo.get(path) == (200, b"")
        assert zoo.get(path, port=zoo.grpc) == (200, b"")
    with tritonclient.http.InferenceServerClient(f"127.0.0.1:{zoo.http}") as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("add_sub", "1")
        assert not client.is_model_ready("none")
    with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{zoo.grpc}") as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready("add_sub", "1")
        assert not client.is_model_ready("none")


def test_server_metadata(zoo: Server):
    with tritonclient.http.InferenceServerClient(f"127.0.0.1:{zoo.http}") as client:
        over_http = client.get_server_metadata()
    with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{zoo.grpc}") as client:
        over_grpc = client.get_server_metadata(as_json=True)
    assert over_http == over_grpc
    assert over_http["name"] == "triton"
    assert "binary_tensor_data" in over_http["extensions"]


def test_model_metadata(zoo: Server):
    expected = {
        "name": "add_sub",
        "versions": ["1"],
        "inputs": [{"name": n, "datatype": "FP32", "shape": [-1, 4]} for n in ("a", "b")],
        "outputs": [
            {"name": n, "datatype": "FP32", "shape": [-1, 4]} for n in ("sum", "difference")
        ],
    }
    with tritonclient.http.InferenceServerClient(f"127.0.0.1:{zoo.http}") as client:
        metadata = client.get_model_metadata("add_sub")
    assert {key: metadata[key] for key in expected} == expected
    with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{zoo.grpc}") as client:
        metadata = client.get_model_metadata("add_sub", as_json=True)
    assert [int(dim) for dim in metadata["inputs"][0]["shape"]] == [-1, 4]


def test_model_config(zoo: Server):
    with tritonclient.http.InferenceServerClient(f"127.0.0.1:{zoo.http}") as client:
        over_http = client.get_model_config("add_sub")
        assert client.get_model_config("count_down")["model_transaction_policy"]["decoupled"]
    assert over_http["max_batch_size"] == 4
    assert over_http["input"][0]["data_type"] == "TYPE_FP32"
    assert "dynamic_batching" in over_http
    with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{zoo.grpc}") as client:
        over_grpc = client.get_model_config("add_sub", as_json=True)["config"]
    assert over_grpc["max_batch_size"] == 4
    assert over_grpc["name"] == "add_sub"


def test_statistics_and_metrics_count_requests(zoo: Server):
    def successes() -> tuple[int, int, float]:
        with tritonclient.http.InferenceServerClient(f"127.0.0.1:{zoo.http}") as client:
            stats = client.get_inference_statistics("add_sub")["model_stats"][0]
        metric = zoo.metric("nv_inference_request_success", "add_sub")
        return stats["inference_count"], stats["inference_stats"]["success"]["count"], metric

    inferences, requests, metric = successes()
    for _ in range(3):
        assert zoo.call("POST", "/v2/models/add_sub/infer", add_sub_body(rows=2))[0] == 200
    assert successes() == (inferences + 6, requests + 3, metric + 3)


def test_statistics_over_grpc(zoo: Server):
    with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{zoo.grpc}") as client:
        everything = client.get_inference_statistics(as_json=True)["model_stats"]
    assert {"add_sub", "gate", "identity_BYTES"} <= {model["name"] for model in everything}


def test_metrics_are_prometheus_text(zoo: Server):
    status, body = zoo.get("/metrics", port=zoo.metrics)
    assert status == 200
    lines = body.decode().splitlines()
    assert any(line.startswith("# HELP nv_inference_request_success ") for line in lines)
    assert "# TYPE nv_inference_request_success counter" in lines
    for line in lines:
        if not line.startswith("#"):
            float(line.rsplit(" ", 1)[1])


@pytest.mark.parametrize("path", ["/v2", "/v2/health/live"])
def test_the_metrics_port_serves_metrics_only(zoo: Server, path: str):
    assert zoo.get(path, port=zoo.metrics)[0] == 404


def test_index_lists_the_models(zoo: Server):
    status, body = zoo.call("POST", "/v2/repository/index", b"")
    assert status == 200
    states = {entry["name"]: entry["state"] for entry in json.loads(body)}
    assert states["add_sub"] == "READY"
