"""Known limitation of PyTriton: clients did not keep time-outs. Servers that stall, at each phase.

The tests hold that every call ends with the error of a time-out and long before the server would
let it; how exactly is measured by bench/clients.py, on a quiet machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time

import numpy as np
import pytest

from pytriton.client import AsyncioModelClient, DecoupledModelClient, ModelClient
from pytriton.client.exceptions import PyTritonClientTimeoutError
from pytriton.model_config.triton_model_config import TensorSpec, TritonModelConfig

SECONDS = 0.1
FAR = 30.0  # a busy machine may be late, but never this late
SETTINGS = b"\0\0\0\4\0\0\0\0\0"
CONFIG = TritonModelConfig(
    "M",
    batching=False,
    inputs=[TensorSpec("a", (-1,), np.float32)],
    outputs=[TensorSpec("y", (-1,), np.float32)],
)


class Stalling:
    """A server that accepts everybody and then behaves badly until the test ends."""

    def __init__(self, manner: str) -> None:
        self.manner = manner
        self.over = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        if manner == "never reads":
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.port = self.listener.getsockname()[1]
        self.threads = [threading.Thread(target=self.accept, daemon=True)]
        self.threads[0].start()

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self.listener.accept()
                self.threads.append(threading.Thread(target=self.stall, args=(peer,), daemon=True))
                self.threads[-1].start()

    def stall(self, peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError):
            if self.manner == "one byte a second":
                first = peer.recv(100)
                text = SETTINGS * 100 if first.startswith(b"PRI") else b"HTTP/1.1 200 OK\r\n" * 9
                for at in range(len(text)):
                    peer.sendall(text[at : at + 1])
                    if self.over.wait(1.0):
                        return
            self.over.wait()

    def close(self) -> None:
        self.over.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for thread in self.threads:
            thread.join(FAR)


@pytest.fixture(params=["silent", "one byte a second", "never reads"])
def stalling(request):
    server = Stalling(request.param)
    yield server
    server.close()


@contextlib.contextmanager
def ends_with_timeout():
    began = time.monotonic()
    with pytest.raises(PyTritonClientTimeoutError):
        yield
    assert time.monotonic() - began < FAR


def array(stalling) -> np.ndarray:
    """More than the kernel takes, for a server that never reads."""
    return np.zeros(8 << 20 if stalling.manner == "never reads" else 4, np.float32)


def test_http_and_grpc_calls_keep_their_timeouts(stalling, protocol):
    url = f"{protocol}://127.0.0.1:{stalling.port}"
    options = {"model_config": CONFIG, "ensure_model_is_ready": False}
    with ModelClient(url, "M", inference_timeout_s=SECONDS, **options) as client:
        for _ in range(2):
            with ends_with_timeout():
                client.infer_sample(array(stalling))


def test_configuration_and_readiness_keep_their_timeouts(stalling, protocol):
    """The gRPC client had none for configuration and metadata requests."""
    url = f"{protocol}://127.0.0.1:{stalling.port}"
    with ModelClient(url, "M", init_timeout_s=SECONDS) as client:
        with ends_with_timeout():
            _ = client.model_config
        with ends_with_timeout():
            client.wait_for_server(SECONDS)
    with ModelClient(url, "M", inference_timeout_s=SECONDS, init_timeout_s=SECONDS) as client:
        with ends_with_timeout():
            client.load_model()
    with ends_with_timeout():
        ModelClient(url, "M", lazy_init=False, init_timeout_s=SECONDS)


def test_asyncio_calls_keep_their_timeouts(stalling, protocol):
    url = f"{protocol}://127.0.0.1:{stalling.port}"

    async def main():
        options = {"model_config": CONFIG, "ensure_model_is_ready": False}
        async with AsyncioModelClient(url, "M", inference_timeout_s=SECONDS, **options) as client:
            with ends_with_timeout():
                await client.infer_sample(array(stalling))
        async with AsyncioModelClient(url, "M", init_timeout_s=SECONDS) as client:
            with ends_with_timeout():
                await client.model_config

    asyncio.run(main())


def test_streams_keep_their_timeouts(stalling):
    """The wait for each item was without end."""
    config = TritonModelConfig(**{**vars(CONFIG), "decoupled": True})
    options = {"model_config": config, "ensure_model_is_ready": False}
    url = f"grpc://127.0.0.1:{stalling.port}"
    with DecoupledModelClient(url, "M", inference_timeout_s=SECONDS, **options) as client:
        for _ in range(2):
            with ends_with_timeout():
                list(client.infer_sample(array(stalling)))


def test_connecting_keeps_its_timeout(protocol):
    """A full backlog: the kernel drops what asks for a connection."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        options = {"model_config": CONFIG, "ensure_model_is_ready": False}
        url = f"{protocol}://127.0.0.1:{address[1]}"
        with ModelClient(url, "M", inference_timeout_s=SECONDS, **options) as client:
            with ends_with_timeout():
                client.infer_sample(np.zeros(1, np.float32))
        for filler in fillers:
            filler.close()
