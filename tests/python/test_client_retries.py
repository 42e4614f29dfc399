"""Calls that a server has not begun with are sent again; looking up names keeps the deadline."""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
import time

import numpy as np
import pytest

from pytriton.client import AsyncioModelClient, ModelClient
from pytriton.client._call import Deadline
from pytriton.client.exceptions import PyTritonClientTimeoutError
from pytriton.client.utils import create_client_from_url
from pytriton.decorators import batch
from pytriton.model_config import Tensor
from pytriton.model_config.triton_model_config import TensorSpec, TritonModelConfig

ONE = np.ones((1, 1), np.float32)


@pytest.fixture
def server(serve):
    calls = []

    @batch
    def count(a):
        calls.append(len(a))
        return {"b": a}

    tensors = [[Tensor(name=name, dtype=np.float32, shape=(1,))] for name in "ab"]
    running = serve(count, *tensors)
    running.calls = calls
    return running


class Proxy:
    """Treats its first connections in some way, and hands the others on to a server."""

    def __init__(self, port, *treatments):
        self._port = port
        self._treatments = list(treatments)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            treat = self._treatments.pop(0) if self._treatments else self._forward
            threading.Thread(target=treat, args=(client,), daemon=True).start()

    def _forward(self, client):
        with socket.create_connection(("127.0.0.1", self._port)) as server:
            back = threading.Thread(target=copy, args=(server, client), daemon=True)
            back.start()
            copy(client, server)
            back.join()

    def close(self):
        self._listener.close()


def copy(source, target):
    try:
        while part := source.recv(1 << 16):
            target.sendall(part)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass


def frame(kind, flags, stream, payload):
    return (
        struct.pack(">I", len(payload))[1:]
        + bytes((kind, flags))
        + struct.pack(">I", stream)
        + payload
    )


def until_request(client):
    """Reads the preface and frames until a request's head has come; gives its stream's number."""
    reader = client.makefile("rb")
    assert reader.read(24).startswith(b"PRI * HTTP/2.0")
    client.sendall(frame(4, 0, 0, b""))
    while True:
        head = reader.read(9)
        reader.read(int.from_bytes(head[:3], "big"))
        if head[3] == 1:
            return int.from_bytes(head[5:9], "big")


def ends(client):
    """Closes in order: with bytes unread a close is a reset, which takes what was sent along."""
    client.shutdown(socket.SHUT_WR)
    while client.recv(1 << 16):
        pass


def refuses(client):
    stream = until_request(client)
    refusal = frame(3, 0, stream, struct.pack(">I", 7))  # RST_STREAM, REFUSED_STREAM
    # Without the GOAWAY the next try may go over this connection, which ends.
    client.sendall(refusal + frame(7, 0, 0, struct.pack(">II", stream, 0)))
    ends(client)


def goes_away(client):
    until_request(client)
    client.sendall(frame(7, 0, 0, struct.pack(">II", 0, 0)))  # GOAWAY: nothing was begun
    ends(client)


def breaks(client):
    """Resets the stream for another reason: the server may have begun."""
    stream = until_request(client)
    client.sendall(frame(3, 0, stream, struct.pack(">I", 2)))  # INTERNAL_ERROR
    ends(client)


def closes_early(client):
    client.recv(1 << 16)
    client.close()


def infer(kind, url):
    """One inference with a client that asks for nothing else."""
    specs = [[TensorSpec(name, (1,), np.float32)] for name in "ab"]
    config = TritonModelConfig("M", inputs=specs[0], outputs=specs[1])
    known = {"model_config": config, "ensure_model_is_ready": False, "inference_timeout_s": 20}

    async def call():
        async with AsyncioModelClient(url, "M", **known) as client:
            return (await client.infer_batch(ONE))["b"]

    if kind == "asyncio":
        return asyncio.run(call())
    with ModelClient(url, "M", **known) as client:
        return client.infer_batch(ONE)["b"]


@pytest.mark.parametrize("kind", ["sync", "asyncio"])
@pytest.mark.parametrize("treatment", [refuses, goes_away])
def test_an_inference_that_was_not_begun_is_sent_again(server, kind, treatment):
    proxy = Proxy(server.triton.grpc_port, treatment)
    try:
        assert infer(kind, f"grpc://127.0.0.1:{proxy.port}").tolist() == [[1.0]]
        assert server.calls == [1]
        assert proxy.connections >= 2
    finally:
        proxy.close()


@pytest.mark.parametrize("kind", ["sync", "asyncio"])
def test_an_inference_that_may_have_begun_is_not(server, kind):
    for scheme, port, treatment in (
        ("grpc", server.triton.grpc_port, breaks),
        ("http", server.triton.http_port, closes_early),
    ):
        proxy = Proxy(port, treatment)
        try:
            with pytest.raises(Exception, match=r"(?i)error|closed|reset"):
                infer(kind, f"{scheme}://127.0.0.1:{proxy.port}")
            assert proxy.connections == 1
        finally:
            proxy.close()
    assert not server.calls


def test_questions_are_asked_again_when_the_connection_closed_before_an_answer(server):
    proxy = Proxy(server.triton.http_port, closes_early, closes_early)
    try:
        client = create_client_from_url(f"127.0.0.1:{proxy.port}", 20)
        assert client.get_model_metadata("M")["name"] == "M"
        assert proxy.connections == 3
        client.close()
    finally:
        proxy.close()


def test_tries_end(server):
    proxy = Proxy(server.triton.http_port, *[closes_early] * 20)
    try:
        client = create_client_from_url(f"127.0.0.1:{proxy.port}", 20)
        with pytest.raises(ConnectionError):
            client.get_model_metadata("M")
        assert proxy.connections == 5
        with pytest.raises(OSError):
            client.get_model_metadata("M", deadline=Deadline(0.02))
        client.close()
    finally:
        proxy.close()


@pytest.fixture
def silent_resolver(monkeypatch):
    """A resolver that never answers, for names; what was asked, and an end."""
    asked, end = [], threading.Event()
    real = socket.getaddrinfo

    def getaddrinfo(host, port, *args, **kwargs):
        if host != "no-such-host.test" or kwargs.get("flags"):
            return real(host, port, *args, **kwargs)
        asked.append(host)
        end.wait(60)
        raise socket.gaierror("no such host")

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield asked
    end.set()


def test_looking_up_a_name_keeps_the_deadline(silent_resolver, protocol):
    url = f"{protocol}://no-such-host.test"
    for _ in range(3):
        with ModelClient(url, "M", init_timeout_s=0.1, inference_timeout_s=0.1) as client:
            begin = time.monotonic()
            with pytest.raises(PyTritonClientTimeoutError):
                client.infer_batch(ONE)
            # Generous for a busy machine; the resolver would take a minute.
            assert time.monotonic() - begin < 10
            with pytest.raises(PyTritonClientTimeoutError):
                client.infer_batch(ONE)
    assert len(silent_resolver) == 3  # one look-up a client, however often it asks


def test_asyncio_does_not_wait_for_a_resolver_either(silent_resolver, protocol):
    async def call():
        async with AsyncioModelClient(
            f"{protocol}://no-such-host.test", "M", init_timeout_s=0.1, inference_timeout_s=0.1
        ) as client:
            with pytest.raises(PyTritonClientTimeoutError):
                await client.infer_batch(ONE)

    begin = time.monotonic()
    asyncio.run(call())  # its end waits for the loop's executor
    assert time.monotonic() - begin < 10
