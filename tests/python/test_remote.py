"""RemoteTriton: models of another process (here: of another core in this one)."""

from __future__ import annotations

import json
import os
import pathlib
import socket
import tempfile
import threading

import ml_dtypes
import numpy as np
import pytest

from python.running import ANY_PORTS
from pytriton.client import (
    AsyncioModelClient,
    DecoupledModelClient,
    FuturesModelClient,
    ModelClient,
)
from pytriton.client.exceptions import (
    PyTritonClientInferenceServerError,
    PyTritonClientTimeoutError,
)
from pytriton.client.utils import create_client_from_url
from pytriton.decorators import batch
from pytriton.exceptions import PyTritonInvalidOperationError, PyTritonUnrecoverableError
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import RemoteTriton, Triton, TritonConfig

A = [Tensor(name="a", dtype=np.float32, shape=(-1,))]
B = [Tensor(name="b", dtype=np.float32, shape=(-1,))]
ONE = np.ones((1, 2), np.float32)


@batch
def triple(a):
    return {"b": a * 3}


@batch
def negative(a):
    return {"b": -a}


@pytest.fixture
def host():
    with Triton(config=TritonConfig(**ANY_PORTS)) as triton:
        triton.bind("host", negative, A, B)
        yield triton


@pytest.fixture
def remote(host):
    with RemoteTriton(url_of(host, "http"), access_token=host.get_access_token()) as triton:
        yield triton


def url_of(host, protocol):
    return f"{protocol}://127.0.0.1:{host.grpc_port if protocol == 'grpc' else host.http_port}"


def admin(host):
    headers = {"triton-access-token": host.get_access_token()}
    return create_client_from_url(url_of(host, "http"), 30, headers)


def ask(host, model, *arrays, protocol="http", **kwargs):
    with ModelClient(url_of(host, protocol), model, inference_timeout_s=30) as client:
        return client.infer_batch(*arrays, **kwargs)


def test_clients_of_the_server_reach_a_callable_of_the_remote(host, remote, protocol):
    remote.bind("triple", triple, A, B)
    assert remote.is_alive()
    assert remote.is_connected()
    assert ask(host, "triple", ONE, protocol=protocol)["b"].tolist() == [[3.0, 3.0]]
    assert ask(host, "host", ONE, protocol=protocol)["b"].tolist() == [[-1.0, -1.0]]


@pytest.mark.parametrize("level", [0, 2])
def test_verbose_logs_of_the_server_are_a_warning_at_start_and_stop(protocol, level, caplog):
    with Triton(config=TritonConfig(**ANY_PORTS, log_verbose=level)) as host:
        caplog.clear()
        token = host.get_access_token()
        with RemoteTriton(url_of(host, protocol), access_token=token):
            assert caplog.text.count("(log_verbose_level=2)") == level // 2
        assert caplog.text.count("(log_verbose_level=2)") == level


def test_both_protocols_attach(host, protocol):
    token = host.get_access_token()
    with RemoteTriton(url_of(host, protocol), access_token=token) as remote:
        remote.bind("triple", triple, A, B)
        assert ask(host, "triple", ONE)["b"].tolist() == [[3.0, 3.0]]
    assert not admin(host).is_model_ready("triple")


def test_models_that_were_bound_before_are_attached_by_connect(host):
    remote = RemoteTriton(url_of(host, "http"), access_token=host.get_access_token())
    assert remote.is_alive()
    assert not remote.is_connected()
    remote.bind("triple", triple, A, B)
    remote.bind("triple", negative, A, B, model_version=2)
    assert not remote.is_alive()
    remote.connect()
    remote.connect()
    assert remote.is_alive()
    assert ask(host, "triple", ONE)["b"].tolist() == [[-1.0, -1.0]]
    with ModelClient(url_of(host, "http"), "triple", "1") as client:
        assert client.infer_batch(ONE)["b"].tolist() == [[3.0, 3.0]]
    assert (remote.stop(), remote.stop()) == (True, False)
    assert not remote.is_alive()
    assert not remote.is_connected()
    index = admin(host).get_model_repository_index()
    assert [(row["name"], row["state"]) for row in index if row["state"] == "READY"] == [
        ("host", "READY")
    ]


def test_the_token_is_needed_and_the_error_says_so(host, protocol):
    remote = RemoteTriton(url_of(host, protocol))
    remote.bind("triple", triple, A, B)
    with pytest.raises(PyTritonClientInferenceServerError, match="access_token"):
        remote.connect()
    assert not remote.is_connected()
    assert not admin(host).is_model_ready("triple")
    remote.stop()


def test_a_name_that_is_served_is_refused(host, remote):
    with pytest.raises(PyTritonClientInferenceServerError, match="'host' version 1"):
        remote.bind("host", triple, A, B)
    assert ask(host, "host", ONE)["b"].tolist() == [[-1.0, -1.0]]
    # Nothing of it stays: neither here nor there.
    remote.bind("other", triple, A, B)
    with pytest.raises(PyTritonInvalidOperationError, match="same name twice"):
        remote.bind("other", triple, A, B)
    with pytest.raises(PyTritonInvalidOperationError):
        host.bind("other", triple, A, B)
    assert ask(host, "other", ONE)["b"].tolist() == [[3.0, 3.0]]


def test_types_parameters_headers_and_wanted_outputs_come_through(host, remote, protocol):
    seen = []

    def callable_(requests):
        (request,) = requests
        seen.append((dict(request.parameters), request.requested_output_names, request.id))
        return [{"t": request["t"], "h": request["h"], "n": np.array([request["n"].sum()])}]

    tensors = [
        Tensor(name="t", dtype=bytes, shape=(-1,)),
        Tensor(name="h", dtype="bfloat16", shape=(2,)),
        Tensor(name="n", dtype=np.int64, shape=(-1,), optional=True),
    ]
    outputs = [tensor.__class__(tensor.shape, tensor.dtype, tensor.name) for tensor in tensors]
    remote.bind("types", callable_, tensors, outputs, config=ModelConfig(batching=False))
    module = pytest.importorskip(f"tritonclient.{protocol}")
    client = module.InferenceServerClient(url_of(host, protocol).partition("://")[2])
    text = np.array([b"", b"\x00x\x00", "grüß".encode()], object)
    halves = np.array([1.5, -2.0], ml_dtypes.bfloat16)
    inputs = [module.InferInput("t", [3], "BYTES"), module.InferInput("h", [2], "BF16")]
    inputs += [module.InferInput("n", [2], "INT64")]
    for tensor, value in zip(inputs, (text, halves, np.array([2**62, 5]))):
        tensor.set_data_from_numpy(value)
    wanted = [module.InferRequestedOutput(name) for name in "tn"]
    result = client.infer(
        "types", inputs, outputs=wanted, request_id="7", parameters={"k": "v", "i": 3, "b": True}
    )
    assert result.as_numpy("t").tolist() == text.tolist()
    assert result.as_numpy("n").tolist() == [2**62 + 5]
    assert result.as_numpy("h") is None
    assert client.infer("types", inputs).as_numpy("h").tolist() == [1.5, -2.0]
    assert seen[0] == ({"k": "v", "i": 3, "b": True}, ["t", "n"], "7")
    client.close()


def test_errors_of_the_callable_come_as_from_the_servers_own(host, remote, protocol):
    def fails(requests):
        raise KeyError("no such word")

    remote.bind("fails", fails, A, B)
    with pytest.raises(PyTritonClientInferenceServerError) as error:
        ask(host, "fails", ONE, protocol=protocol)
    assert error.value.status == ("INTERNAL" if protocol == "grpc" else "500")
    text = error.value.message
    assert text.startswith("Error occurred during inference request. Message: Failed to process")
    assert text.rstrip().endswith("KeyError: 'no such word'")
    assert text.count("Traceback") == 1


def test_streams_come_through_with_their_errors(host, remote):
    async def count(requests):
        for i in range(int(requests[0]["a"][0, 0])):
            yield [{"b": np.full((1, 1), i, np.float32)}]
        if requests[0]["a"][0, 0] == 2:
            raise ValueError("at the end")

    remote.bind("count", count, A, B, config=ModelConfig(decoupled=True))
    with DecoupledModelClient(url_of(host, "grpc"), "count", inference_timeout_s=30) as client:
        found = [item["b"].tolist() for item in client.infer_sample(np.float32([3]))]
        assert found == [[0.0], [1.0], [2.0]]
        assert list(client.infer_sample(np.float32([0]))) == []
        stream = client.infer_sample(np.float32([2]))
        assert [next(stream)["b"].tolist(), next(stream)["b"].tolist()] == [[0.0], [1.0]]
        with pytest.raises(PyTritonClientInferenceServerError, match="at the end"):
            next(stream)


def test_the_remote_collects_batches(host, remote):
    sizes = []

    @batch
    def echo(a):
        sizes.append(len(a))
        return {"b": a}

    batcher = DynamicBatcher(max_queue_delay_microseconds=500_000)
    config = ModelConfig(max_batch_size=8, batcher=batcher)
    remote.bind("echo", echo, A, B, config=config)
    with FuturesModelClient(url_of(host, "http"), "echo", max_workers=8) as client:
        futures = [client.infer_sample(np.float32([i])) for i in range(8)]
        assert [f.result(60)["b"].tolist() for f in futures] == [[float(i)] for i in range(8)]
    assert sum(sizes) == 8
    assert max(sizes) > 1


async def _cancelled(url, begun):
    import asyncio

    async with AsyncioModelClient(url, "slow", inference_timeout_s=30) as client:
        task = asyncio.ensure_future(client.infer_batch(ONE))
        while not begun.is_set():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_a_client_that_leaves_cancels_the_callable(host, remote):
    import asyncio

    begun, ended = threading.Event(), threading.Event()

    async def slow(requests):
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.set()
            raise

    remote.bind("slow", slow, A, B, config=ModelConfig(batching=True))
    asyncio.run(_cancelled(url_of(host, "grpc"), begun))
    assert ended.wait(30)


def test_a_callable_that_can_not_go_on_ends_the_remote_only(host, remote):
    def ends(requests):
        raise PyTritonUnrecoverableError("over")

    remote.bind("ends", ends, A, B)
    with pytest.raises(PyTritonClientInferenceServerError, match="over"):
        ask(host, "ends", ONE)
    with remote._condition:
        assert remote._condition.wait_for(lambda: not remote.is_alive(), 30)
    assert ask(host, "host", ONE)["b"].tolist() == [[-1.0, -1.0]]


def test_serve_returns_when_the_server_has_gone(host, remote):
    remote.bind("triple", triple, A, B)
    host.stop()
    remote.serve()
    assert not remote.is_connected()
    assert not remote.is_alive()


def test_a_server_that_has_come_back_can_be_attached_to_again():
    host = Triton(config=TritonConfig(**ANY_PORTS))
    host.run()
    port = host.http_port
    remote = RemoteTriton(f"localhost:{port}", access_token=host.get_access_token())
    remote.bind("triple", triple, A, B)
    remote.connect()
    host.stop()
    remote.serve()
    host._config.http_port = port
    host.run()
    remote.connect()
    assert ask(host, "triple", ONE)["b"].tolist() == [[3.0, 3.0]]
    remote.stop()
    host.stop()


def test_an_unload_by_the_token_ends_the_model(host, remote):
    remote.bind("triple", triple, A, B)
    admin(host).unload_model("triple")
    assert not admin(host).is_model_ready("triple")
    remote.serve()  # returns: the server serves the model no more
    assert not remote.is_connected()


def attach(host, path, **more):
    config = {
        "name": "evil",
        "backend": "pytriton_remote",
        "max_batch_size": 0,
        "parameters": {
            "remote_socket": {"string_value": path},
            "remote_id": {"string_value": "x"},
            "remote_version": {"string_value": "1"},
        },
        **more,
    }
    with pytest.raises(PyTritonClientInferenceServerError) as error:
        admin(host).load_model("evil", json.dumps(config))
    assert not admin(host).is_model_ready("evil")
    return error.value.message


def test_addresses_of_others_are_refused(host, remote, tmp_path):
    assert "expected remote_socket with a path" in attach(host, "relative.sock")
    assert "No such file" in attach(host, str(tmp_path / "none"))
    # Another server on this machine is not one that wants to attach this model.
    assert "got another one" in attach(host, remote._socket_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "silent"))
        listener.listen()
        received = []

        def answer():
            connection, _ = listener.accept()
            received.append(connection.recv(1 << 16))
            connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            connection.close()

        thread = threading.Thread(target=answer)
        thread.start()
        assert "expected the process to attach" in attach(host, str(tmp_path / "silent"))
        thread.join()
        assert received[0].startswith(b"PRI * HTTP/2.0")


@pytest.mark.parametrize(
    "more",
    [
        {"parameters": {}},
        {"parameters": []},
        {"parameters": {"remote_socket": "/x"}},
        {"name": "other"},
        {"input": [{"name": "a", "data_type": "TYPE_NONE", "dims": [1]}]},
        {"input": [{"dims": [1]}]},
        {"max_batch_size": "many"},
    ],
)
def test_bad_configurations_are_refused(host, remote, more):
    assert attach(host, remote._socket_path, **more)


def test_nobody_there_is_a_timeout(monkeypatch):
    monkeypatch.setattr("pytriton._remote.DEFAULT_TRITON_STARTUP_TIMEOUT_S", 0.2)
    remote = RemoteTriton("localhost:1")
    with pytest.raises(PyTritonClientTimeoutError):
        remote.connect()
    assert remote.stop()


def test_nothing_is_left_behind(host):
    # Not in pytest's directory: a socket's path must be short.
    workspace = pathlib.Path(tempfile.gettempdir()) / f"remote-test-{os.getpid()}"
    token = host.get_access_token()
    with RemoteTriton(url_of(host, "http"), workspace, token) as remote:
        remote.bind("triple", triple, A, B)
        assert list(workspace.glob("pytriton-remote-*/core.sock"))
    assert not workspace.exists()
