"""Who may call what: the access token that is on by default."""

from __future__ import annotations

import http.client
import json

import grpc
import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from python.running import ANY_PORTS, Running
from pytriton.decorators import batch
from pytriton.model_config import Tensor
from pytriton.triton import Triton, TritonConfig, TritonSecurityConfig

HTTP_TEXT = "This API is restricted, expecting header 'triton-access-token'"
GRPC_TEXT = (
    "This protocol is restricted, expecting header 'triton-grpc-protocol-triton-access-token'"
)


@batch
def echo(a):
    return {"b": a}


def make(**kwargs):
    triton = Triton(config=TritonConfig(**ANY_PORTS), **kwargs)
    tensors = [Tensor(name="a", dtype=np.float32, shape=(1,))]
    triton.bind("M", echo, tensors, [Tensor(name="b", dtype=np.float32, shape=(1,))])
    return triton


@pytest.fixture(scope="module")
def running():
    with make() as triton:
        running = Running(triton)
        yield running
        running.close()


PROTECTED = [
    ("GET", "/v2/systemsharedmemory/status"),
    ("GET", "/v2/cudasharedmemory/status"),
    ("POST", "/v2/repository/index"),
    ("GET", "/v2/models/M/stats"),
    ("GET", "/v2/trace/setting"),
    ("GET", "/v2/logging"),
]


@pytest.mark.parametrize(("method", "path"), PROTECTED)
def test_protected_http_apis_want_the_token(running, method, path):
    connection = http.client.HTTPConnection("127.0.0.1", running.triton.http_port, timeout=30)
    answers = []
    for headers in ({}, {"Triton-Access-Token": running.triton.get_access_token()}):
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        answers.append((response.status, json.loads(response.read())))
    connection.close()
    assert answers[0] == (403, {"error": HTTP_TEXT})
    assert answers[1][0] == 200


@pytest.mark.parametrize(
    "call",
    [
        "get_system_shared_memory_status",
        "get_cuda_shared_memory_status",
        "get_model_repository_index",
        "get_inference_statistics",
        "get_trace_settings",
        "get_log_settings",
    ],
)
def test_protected_grpc_methods_want_the_token(running, call):
    method = getattr(running.grpc, call)
    with pytest.raises(InferenceServerException) as error:
        method()
    assert error.value.message() == GRPC_TEXT
    assert error.value.status() == "StatusCode.UNAVAILABLE"
    token = running.triton.get_access_token()
    method(headers={"triton-grpc-protocol-triton-access-token": token})


def test_other_apis_are_open(running, protocol):
    assert getattr(running, protocol).is_model_ready("M")
    arrays = {"a": np.ones((1, 1), np.float32)}
    assert running.infer(protocol, arrays)["b"].tolist() == [[1.0]]


def test_inference_may_be_restricted_too(protocol):
    security = TritonSecurityConfig("secret", ["inference"])
    with make(security_config=security) as triton:
        running = Running(triton)
        arrays = {"a": np.ones((1, 1), np.float32)}
        with pytest.raises(InferenceServerException, match="is restricted"):
            running.infer(protocol, arrays)
        prefix = "triton-grpc-protocol-" if protocol == "grpc" else ""
        headers = {f"{prefix}triton-access-token": "secret"}
        assert running.infer(protocol, arrays, headers=headers)["b"].tolist() == [[1.0]]
        running.close()


def test_restricted_grpc_streams_end_with_the_refusal():
    security = TritonSecurityConfig("secret", ["inference"])
    with make(security_config=security) as triton:
        with grpc.insecure_channel(f"127.0.0.1:{triton.grpc_port}") as channel:
            path = "/inference.GRPCInferenceService/ModelStreamInfer"
            with pytest.raises(grpc.RpcError) as error:
                list(channel.stream_stream(path)(iter([b""])))
    assert error.value.code() is grpc.StatusCode.UNAVAILABLE
    assert error.value.details() == GRPC_TEXT


def test_no_endpoints_no_token(protocol):
    with make(security_config=TritonSecurityConfig(restricted_endpoints=[])) as triton:
        assert triton.get_access_token() is None
        running = Running(triton)
        getattr(running, protocol).get_inference_statistics("M")
        running.close()


def test_token_comes_from_the_environment(monkeypatch):
    monkeypatch.setenv("PYTRITON_ACCESS_TOKEN", "chosen")
    assert Triton().get_access_token() == "chosen"
    assert Triton(security_config=TritonSecurityConfig("mine")).get_access_token() == "mine"


def test_options_win_over_the_default_protection():
    triton = make(options={"http-restricted-api": "health:k=v"})
    assert triton._core_options()["http-restricted-api"] == "health:k=v"
    assert "triton-access-token" in triton._core_options()["grpc-restricted-protocol"][0]
