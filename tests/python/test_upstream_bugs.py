"""Bugs of PyTriton 0.7, by the numbers of a list of them: those that no other test is about."""

from __future__ import annotations

import asyncio
import http.client
import json
import time

import numpy as np
import pytest

from python.running import ANY_PORTS
from pytriton.client import (
    AsyncioDecoupledModelClient,
    AsyncioModelClient,
    DecoupledModelClient,
    FuturesModelClient,
    ModelClient,
)
from pytriton.client.exceptions import (
    PyTritonClientInferenceServerError,
    PyTritonClientTimeoutError,
)
from pytriton.decorators import batch, fill_optionals
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig, TritonSecurityConfig

X = [Tensor(name="x", shape=(-1,), dtype=np.float32)]
Y = [Tensor(name="y", shape=(-1,), dtype=np.float32)]
TEXT = [Tensor(name="y", shape=(-1,), dtype=bytes)]
ROW = np.float32([1, 2])
EVERYTHING = ["model-repository", "model-config", "statistics", "health", "metadata", "inference"]


@batch
def same(x):
    return {"y": x}


def count(requests):
    for number in range(int(requests[0]["x"][0, 0])):
        yield [{"y": np.full((1, 1), number, np.float32)}]


def url(triton: Triton, protocol: str) -> str:
    return f"{protocol}://127.0.0.1:{getattr(triton, protocol + '_port')}"


def post(triton: Triton, path: str, body: object) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", triton.http_port)
    connection.request("POST", path, json.dumps(body))
    reply = connection.getresponse()
    found = reply.status, reply.read()
    connection.close()
    return found


def test_b04_an_open_connection_does_not_hold_up_the_stop():
    """It took up to 30 s."""
    triton = Triton(config=TritonConfig(**ANY_PORTS))
    triton.run()
    connection = http.client.HTTPConnection("127.0.0.1", triton.http_port)
    connection.request("GET", "/v2/health/live")
    assert connection.getresponse().read() == b""
    began = time.monotonic()
    assert triton.stop()
    assert time.monotonic() - began < 20
    connection.close()


def test_b11_every_element_of_an_object_array_is_looked_at(serve, protocol):
    def mixed(requests):
        return [{"y": np.array([[b"fine", b"too", 3]], object)}]

    server = serve(mixed, X, TEXT)
    with ModelClient(url(server.triton, protocol), "M") as client:
        with pytest.raises(PyTritonClientInferenceServerError, match="Only bytes as objects"):
            client.infer_sample(ROW)


@pytest.fixture
def guarded():
    """Every endpoint wants the token: a plain model and a stream."""
    security = TritonSecurityConfig("secret", EVERYTHING)
    triton = Triton(config=TritonConfig(**ANY_PORTS), security_config=security)
    triton.bind("M", same, X, Y)
    triton.bind("S", count, X, Y, config=ModelConfig(decoupled=True))
    with triton:
        yield triton


@pytest.mark.parametrize("token", ["secret", "wrong", None])
def test_b16_b17_all_clients_send_the_token_with_every_call(guarded, protocol, token):
    options = {"access_token": token, "init_timeout_s": 20}
    grpc = url(guarded, "grpc")

    def sync():
        with ModelClient(url(guarded, protocol), "M", **options) as client:
            client.wait_for_server(20)
            return client.infer_sample(ROW)["y"].tolist()

    def futures():
        with FuturesModelClient(url(guarded, protocol), "M", **options) as client:
            return client.infer_sample(ROW).result(60)["y"].tolist()

    def streams():
        with DecoupledModelClient(grpc, "S", **options) as client:
            return [item["y"].item() for item in client.infer_sample(np.float32([2]))]

    async def aio():
        async with AsyncioModelClient(url(guarded, protocol), "M", **options) as client:
            return (await client.infer_sample(ROW))["y"].tolist()

    async def aio_streams():
        async with AsyncioDecoupledModelClient(grpc, "S", **options) as client:
            items = client.infer_sample(np.float32([2]))
            return [item["y"].item() async for item in items]

    uses = [sync, futures, streams, lambda: asyncio.run(aio()), lambda: asyncio.run(aio_streams())]
    for use, expected in zip(uses, [[1, 2], [1, 2], [0, 1], [1, 2], [0, 1]]):
        if token == "secret":
            assert use() == expected
        else:
            with pytest.raises(PyTritonClientInferenceServerError, match="restricted"):
                use()


def test_b18_from_existing_client_keeps_the_protocol_and_the_kind(serve):
    server = serve(count, X, Y, decoupled=True)
    grpc = url(server.triton, "grpc")
    with DecoupledModelClient(grpc, "M", "1") as first:
        _ = first.model_config
        with DecoupledModelClient.from_existing_client(first) as client:
            items = [item["y"].item() for item in client.infer_sample(np.float32([3]))]
    assert items == [0, 1, 2]

    async def main():
        async with AsyncioDecoupledModelClient(grpc, "M", "1") as first:
            async with AsyncioDecoupledModelClient.from_existing_client(first) as client:
                return [item["y"].item() async for item in client.infer_sample(np.float32([2]))]

    assert asyncio.run(main()) == [0, 1]


def test_b21_asyncio_streams_send_parameters_and_the_version(serve):
    def told(requests):
        text = repr((requests[0].parameters.get("p"), requests[0].parameters.get("h")))
        yield [{"y": np.array([[text.encode()]], object)}]

    server = serve(told, X, TEXT, decoupled=True)

    async def main():
        async with AsyncioDecoupledModelClient(url(server.triton, "grpc"), "M", "1") as client:
            items = client.infer_sample(ROW, parameters={"p": "v"})
            assert [item["y"].item() async for item in items] == [b"('v', None)"]
        options = {"init_timeout_s": 0.2}
        async with AsyncioDecoupledModelClient(
            url(server.triton, "grpc"), "M", "2", **options
        ) as client:
            with pytest.raises(PyTritonClientTimeoutError, match="model M to be ready"):
                await client.infer_sample(ROW).__anext__()

    asyncio.run(main())


def test_b25_one_callable_under_two_names_uses_the_names_of_each(protocol):
    @batch
    def first_of(**inputs):
        (value,) = inputs.values()
        return [value * (2 if "a" in inputs else 3)]

    triton = Triton(config=TritonConfig(**ANY_PORTS))
    for model, source, target in (("P", "a", "b"), ("Q", "c", "d")):
        inputs = [Tensor(name=source, shape=(-1,), dtype=np.float32)]
        outputs = [Tensor(name=target, shape=(-1,), dtype=np.float32)]
        triton.bind(model, first_of, inputs, outputs)
    with triton:
        for model, target, factor in (("P", "b", 2), ("Q", "d", 3)):
            with ModelClient(url(triton, protocol), model) as client:
                assert client.infer_sample(ROW)[target].tolist() == [factor, 2 * factor]


def test_b27_fill_optionals_takes_defaults_of_fixed_size_strings(serve, protocol):
    @fill_optionals(word=np.array([b"none"]))
    @batch
    def words(x, word):
        return {"y": word}

    optional = Tensor(name="word", shape=(1,), dtype=np.bytes_, optional=True)
    server = serve(words, [*X, optional], TEXT, max_batch_size=4)
    with ModelClient(url(server.triton, protocol), "M") as client:
        assert client.infer_batch(x=np.zeros((2, 1), np.float32))["y"].tolist() == [[b"none"]] * 2
        given = client.infer_sample(x=ROW, word=np.array([b"own"]))
        assert given["y"].tolist() == [b"own"]


def test_b28_bind_takes_trace_settings_of_the_server_s_own_mode(caplog):
    files = ["triton,file=/dev/null", "level=TIMESTAMPS"]
    triton = Triton(config=TritonConfig(**ANY_PORTS, trace_config=files))
    triton.bind("M", same, X, Y)
    triton.bind("N", same, X, Y, trace_config=files)
    assert not caplog.records
    triton.bind("O", same, X, Y, trace_config=["triton,file=/tmp/other"])
    assert "trace_config of model O has no effect" in caplog.text


def test_b33_inputs_are_checked_by_name(serve):
    @batch
    def add(a, b):
        return {"y": a + b}

    inputs = [Tensor(name=name, shape=(1,), dtype=np.float32) for name in "ab"]
    server = serve(add, inputs, Y)
    tensor = {"datatype": "FP32", "shape": [1, 1], "data": [1]}
    body = {"inputs": [{"name": "a", **tensor}, {"name": "c", **tensor}]}
    status, text = post(server.triton, "/v2/models/M/infer", body)
    assert status == 400
    assert b"'c'" in text


def test_b34_urls_may_end_in_a_slash(serve):
    server = serve(same, X, Y)
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [1]}]}
    assert post(server.triton, "/v2/models/M/infer/", body)[0] == 200


def test_b35_a_bind_that_failed_leaves_server_and_name_usable(serve):
    server = serve(same, X, Y)
    for _ in range(2):
        with pytest.raises(Exception, match="max_batch_size"):
            server.triton.bind("N", same, X, Y, config=ModelConfig(max_batch_size=-3))
        assert server.triton.is_alive()
    server.triton.bind("N", same, X, Y)
    with ModelClient(url(server.triton, "http"), "N") as client:
        assert client.infer_sample(ROW)["y"].tolist() == [1, 2]
