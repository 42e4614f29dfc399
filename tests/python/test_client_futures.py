"""FuturesModelClient with a real server."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from pytriton.client import FuturesModelClient
from pytriton.client.exceptions import (
    PyTritonClientClosedError,
    PyTritonClientQueueFullError,
    PyTritonClientValueError,
)
from pytriton.decorators import batch
from pytriton.model_config import Tensor

A = Tensor(name="a", shape=(-1,), dtype=np.float32)
Y = Tensor(name="y", shape=(-1,), dtype=np.float32)
ROW = np.float32([1, 2])


@batch
def same(a):
    return {"y": a}


def url(server, protocol: str) -> str:
    return f"{protocol}://127.0.0.1:{getattr(server.triton, protocol + '_port')}"


@pytest.fixture
def adder(serve):
    return serve(same, [A], [Y], max_batch_size=8)


def test_futures(adder, protocol):
    with FuturesModelClient(url(adder, protocol), "M", max_workers=4) as client:
        futures = [client.infer_sample(np.float32([number])) for number in range(50)]
        assert [future.result(30)["y"].tolist() for future in futures] == [[n] for n in range(50)]
        assert client.model_config().result(30).max_batch_size == 8
        assert client.wait_for_model(5).result(30) is None
        with pytest.raises(PyTritonClientValueError, match="Provide input data"):
            client.infer_batch().result(30)
        assert client.infer_batch(ROW[np.newaxis]).result(30)["y"].tolist() == [[1, 2]]
    with pytest.raises(PyTritonClientClosedError, match="FutureModelClient is already closed"):
        client.infer_sample(ROW)


def test_cancelled_futures_are_harmless_and_full_queues_told(serve):
    go, began, gone = threading.Event(), threading.Event(), threading.Event()

    @batch
    def slow(a):
        began.set()
        go.wait(30)
        return {"y": a}

    server = serve(slow, [A], [Y])
    limits = {"max_workers": 1, "max_queue_size": 1, "non_blocking": True}
    with FuturesModelClient(url(server, "http"), "M", **limits) as client:
        first = client.infer_sample(ROW)
        assert began.wait(30)
        second = client.infer_sample(ROW)
        with pytest.raises(PyTritonClientQueueFullError, match="Queue is full"):
            client.infer_sample(ROW)
        assert second.cancel()
        go.set()
        assert first.result(30)["y"].tolist() == [1, 2]
        while client._pool._jobs.qsize():
            gone.wait(0.01)
        third = client.infer_sample(ROW)  # by the thread that met the cancelled one
        assert third.result(30)["y"].tolist() == [1, 2]


@pytest.mark.parametrize("name", ["max_workers", "max_queue_size"])
def test_limits_of_futures_are_positive(name):
    with pytest.raises(ValueError, match=f"{name} must be greater than 0"):
        FuturesModelClient("localhost", "M", **{name: 0})
