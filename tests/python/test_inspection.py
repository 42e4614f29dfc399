"""Attributes of a Triton that PyTriton's users look at, or replace in their tests."""

from __future__ import annotations

import pathlib

import numpy as np

from pytriton.model_config import Tensor
from pytriton.triton import Triton, TritonConfig, TritonSecurityConfig


def test_the_flags_that_tritonserver_would_get(monkeypatch, tmp_path):
    monkeypatch.setenv("PYTRITON_TRITON_CONFIG_GRPC_PORT", "8080")
    triton = Triton(
        config=TritonConfig(id="me", model_repository=pathlib.Path("/models"), allow_metrics=False),
        security_config=TritonSecurityConfig("secret", ["health", "trace"]),
        workspace=tmp_path / "w",
    )
    triton._prepare_triton_inference_server()
    flags = triton._triton_server_config
    assert flags["id"] == "me"
    assert flags["model_repository"] == "/models"
    assert flags["grpc-port"] == 8080
    assert flags["allow_metrics"] is False
    restriction = "health,trace:triton-access-token=secret"
    assert f"--http-restricted-api={restriction}" in flags.to_cli_string()
    assert flags["grpc-restricted-protocol"] == restriction


def test_the_repository_is_the_workspaces_unless_given(tmp_path):
    triton = Triton(workspace=tmp_path / "w")
    triton._prepare_triton_config(triton._workspace)
    assert triton._triton_server_config["model-repository"] == str(tmp_path / "w" / "model-store")


def test_without_restrictions_there_are_no_such_flags():
    triton = Triton(security_config=TritonSecurityConfig(restricted_endpoints=[]))
    triton._prepare_triton_config(None)
    assert "http-restricted-api" not in triton._triton_server_config


def test_the_url_is_that_of_an_allowed_protocol_with_the_port_that_was_taken():
    assert Triton(config=TritonConfig(http_port=9))._url == "http://127.0.0.1:9"
    assert Triton(config=TritonConfig(allow_http=False))._url == "grpc://127.0.0.1:8001"
    config = TritonConfig(http_port=0, grpc_port=0, allow_metrics=False)
    with Triton(config=config) as triton:
        assert triton._url == f"http://127.0.0.1:{triton.http_port}"


def test_the_server_is_none_until_it_has_run():
    triton = Triton(config=TritonConfig(http_port=0, grpc_port=0, allow_metrics=False))
    triton.bind("m", lambda r: r, [Tensor((1,), np.int8)], [Tensor((1,), np.int8)])
    assert triton._triton_server is None
    triton.run()
    assert triton._triton_server.is_alive()
    triton.stop()
    assert not triton._triton_server.is_alive()
