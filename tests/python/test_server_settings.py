"""Flags of tritonserver as data, in PyTriton's classes."""

from __future__ import annotations

import pytest

from pytriton.exceptions import PyTritonError
from pytriton.server.python_backend_config import PythonBackendConfig
from pytriton.server.triton_server_config import TritonServerConfig
from pytriton.utils.endpoint_utils import get_endpoint


def test_names_are_known_in_both_spellings():
    config = TritonServerConfig()
    config["model_control_mode"] = "explicit"
    config["http-port"] = 80
    assert config["model-control-mode"] == config["model_control_mode"] == "explicit"
    assert "http_port" in config
    assert "grpc-port" not in config
    assert config["grpc-port"] is None
    assert {"http-port", "http_port"} <= set(TritonServerConfig.allowed_keys())
    assert "http-port" in TritonServerConfig.server_arg_keys
    with pytest.raises(
        PyTritonError, match="The argument 'no_such' to the Triton Inference Server"
    ):
        config["no_such"] = 1


def test_the_command_line_keeps_the_order_and_repeats_lists():
    config = TritonServerConfig()
    config.update_config({"id": "x y", "log_verbose": None})
    config["backend_config"] = ["python,a=1", "python,b=2"]
    repeated = "--backend-config=python,a=1 --backend-config=python,b=2"
    assert config.to_cli_string() == f"--id=x y {repeated}"
    assert config.to_args_list()[:2] == ["--id", "x y"]
    other = config.copy()
    other["id"] = "z"
    assert config.server_args()["id"] == "x y"


def test_settings_of_the_python_backend():
    config = PythonBackendConfig()
    config["shm_default_byte_size"] = 5
    config["shm-region-prefix-name"] = "p"
    assert config.to_list_args() == [
        "python,shm-default-byte-size=5",
        "python,shm-region-prefix-name=p",
    ]
    assert set(PythonBackendConfig.backend_keys()) >= set(config.backend_args())
    with pytest.raises(PyTritonError):
        config["other"] = 1


@pytest.mark.parametrize(
    ("settings", "endpoint", "expected"),
    [
        ({}, "http", "http://127.0.0.1:8000"),
        ({}, "grpc", "grpc://127.0.0.1:8001"),
        ({}, "metrics", "http://127.0.0.1:8002"),
        ({"http_address": "000.0.0.0", "http_port": 9}, "http", "http://127.0.0.1:9"),
        ({"grpc-address": "10.0.0.1"}, "grpc", "grpc://10.0.0.1:8001"),
        ({"http-address": "10.0.0.1"}, "metrics", "http://10.0.0.1:8002"),
        ({"http-address": "a", "metrics-address": "b"}, "metrics", "http://b:8002"),
    ],
)
def test_endpoints(settings, endpoint, expected):
    config = TritonServerConfig()
    config.update_config(settings)
    assert get_endpoint(config, endpoint) == expected
