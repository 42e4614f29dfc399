"""PyTriton's internal classes, which are thin here: they stand on RemoteTriton and on serve."""

from __future__ import annotations

import socket
import threading

import numpy as np
import pytest

from python.running import ANY_PORTS
from pytriton.client import ModelClient
from pytriton.client.utils import create_client_from_url, wait_for_server_ready
from pytriton.decorators import batch
from pytriton.exceptions import PyTritonInvalidOperationError
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import (
    Model,
    ModelEvent,
    ModelManager,
    Triton,
    TritonConfig,
    TritonContext,
    TritonServer,
    TritonServerConfig,
)
from pytriton.utils.distribution import get_libs_path, get_stub_path

ROW = np.ones((1, 2), np.float32)


def model(name, version=1):
    tensors = [[Tensor((-1,), np.float32, name)] for name in "xy"]
    function = batch(lambda x: {"y": x * 2})
    config = ModelConfig(max_batch_size=8)
    return Model(name, version, function, *tensors, config, None, TritonContext(), False)


def test_a_manager_serves_models_by_a_server_and_takes_them_back():
    with Triton(config=TritonConfig(**ANY_PORTS)) as host:
        url = f"http://127.0.0.1:{host.http_port}"
        manager = ModelManager(url, access_token=host.get_access_token())
        first, second = model("First"), model("Second")
        manager.add_model(first)
        assert not first.is_alive()
        manager.load_models()
        manager.add_model(second, load_model=True)
        assert [found.is_alive() for found in manager.models] == [True, True]
        for name in ("First", "Second"):
            with ModelClient(url, name) as client:
                assert client.infer_batch(ROW)["y"].tolist() == [[2, 2]]
        manager.clean()
        assert list(manager.models) == []
        assert not create_client_from_url(url).is_model_ready("First")


def test_a_manager_refuses_a_name_and_version_twice():
    manager = ModelManager("http://127.0.0.1:1")
    manager.add_model(model("Same"))
    manager.add_model(model("Same", 2))
    with pytest.raises(PyTritonInvalidOperationError, match="same name twice"):
        manager.add_model(model("same"))


def test_a_model_tells_its_configuration():
    config = model("M").get_model_config()
    assert (config["name"], config["max_batch_size"]) == ("M", 8)
    assert config["instance_group"] == [{"count": 1, "kind": "KIND_CPU"}]
    assert [event.value for event in ModelEvent] == ["runtime-terminating", "runtime-terminated"]


def test_a_server_runs_in_a_process_of_its_own(tmp_path):
    config = TritonServerConfig()
    with socket.socket() as http, socket.socket() as grpc:
        for probe, name in ((http, "http"), (grpc, "grpc")):
            probe.bind(("127.0.0.1", 0))
            config[f"{name}_port"] = probe.getsockname()[1]
            config[f"{name}-address"] = "127.0.0.1"
    config["allow-metrics"] = "false"
    config["model-repository"] = str(tmp_path)
    server = TritonServer(path="none", libs_path=get_libs_path(), config=config, verbose=False)
    ended = threading.Event()
    server.register_on_exit(lambda _: ended.set())
    assert not server.is_alive()
    server.start()
    try:
        wait_for_server_ready(create_client_from_url(server.get_endpoint("http")), 60)
        assert server.is_alive()
    finally:
        server.stop()
    assert ended.is_set()
    assert not server.is_alive()
    assert "Started HTTPService" in server.logs()


def test_the_libraries_are_where_they_are_said_to_be():
    assert list(get_libs_path().glob("_core*.so"))
    assert get_stub_path("3.11").parts[-2:] == ("3.11", "triton_python_backend_stub")
