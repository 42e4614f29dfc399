"""Decoupled models: streams of responses, errors in their middle, cancellation."""

from __future__ import annotations

import asyncio
import queue
import threading

import numpy as np
import pytest
import tritonclient.grpc
from tritonclient.utils import InferenceServerException

from pytriton.decorators import batch
from pytriton.model_config import Tensor

X = [Tensor(shape=(-1,), dtype=np.int32, name="x")]
Y = [Tensor(shape=(-1,), dtype=np.int32, name="y")]


def reply(requests, value):
    return [{"y": request["x"] + value} for request in requests]


def generator(requests):
    for i in range(int(requests[0]["x"][0, 0])):
        yield reply(requests, i)


async def async_generator(requests):
    for i in range(int(requests[0]["x"][0, 0])):
        await asyncio.sleep(0)
        yield reply(requests, i)


@batch
def decorated(x):
    for i in range(int(x[0, 0])):
        yield {"y": x + i}


class Streams:
    """A gRPC stream and what came back on it."""

    def __init__(self, server) -> None:
        self.events: queue.Queue = queue.Queue()
        self.client = server.grpc
        self.client.start_stream(lambda result, error: self.events.put((result, error)))

    def send(self, value, request_id="") -> None:
        rows = np.array([[value]], np.int32)
        tensor = tritonclient.grpc.InferInput("x", [1, 1], "INT32")
        tensor.set_data_from_numpy(rows)
        self.client.async_stream_infer(
            "M", [tensor], request_id=request_id, enable_empty_final_response=True
        )

    def next(self):
        return self.events.get(timeout=30)

    def collect(self, request_count=1):
        """Values (or errors) until every request has ended."""
        values = []
        while request_count:
            result, error = self.next()
            if error is not None:
                values.append(error)
                request_count -= 1
                continue
            response = result.get_response()
            if response.outputs:
                values.append(int(result.as_numpy("y")[0, 0]))
            if response.parameters["triton_final_response"].bool_param:
                request_count -= 1
        return values


@pytest.fixture
def stream(serve):
    opened = []

    def start(function, **config):
        server = serve(function, X, Y, decoupled=True, **config)
        opened.append(server)
        return Streams(server)

    yield start
    for server in opened:
        server.grpc.stop_stream()


@pytest.mark.parametrize("function", [generator, async_generator, decorated])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_streams_any_number_of_responses(stream, function, count):
    streams = stream(function)
    streams.send(count)
    assert streams.collect() == [count + i for i in range(count)]


async def coroutine(requests):
    return reply(requests, 1)


@pytest.mark.parametrize("function", [lambda r: reply(r, 1), batch(lambda x: [x + 1]), coroutine])
def test_other_callables_respond_once(stream, function):
    streams = stream(function)
    streams.send(7)
    assert streams.collect() == [8]


@pytest.mark.parametrize("is_async", [False, True])
def test_an_error_comes_after_what_was_sent(stream, is_async):
    def function(requests):
        yield reply(requests, 0)
        raise ZeroDivisionError("in the middle")

    async def async_function(requests):
        for item in function(requests):
            yield item

    streams = stream(async_function if is_async else function)
    streams.send(1)
    first, error = streams.collect()
    assert first == 1
    assert isinstance(error, InferenceServerException)
    assert "ZeroDivisionError: in the middle" in str(error)


def test_a_bad_item_ends_the_stream_with_an_error(stream):
    def function(requests):
        yield {"y": 1}

    streams = stream(function)
    streams.send(1)
    (error,) = streams.collect()
    assert "must be list of response dicts" in str(error)


def test_asynchronous_streams_overlap(stream):
    waiting = []

    async def function(requests):
        mine = asyncio.get_running_loop().create_future()
        waiting.append(mine)
        if len(waiting) == 4:
            for future in waiting:
                future.set_result(None)
        await mine
        yield reply(requests, 0)

    streams = stream(function, batcher=None)
    for i in range(4):
        streams.send(i)
    assert sorted(streams.collect(4)) == [0, 1, 2, 3]


def test_a_generator_is_closed_when_its_client_leaves(serve):
    closed, cancelled = threading.Event(), threading.Event()

    def function(requests):
        try:
            while True:
                if requests[0].cancelled:
                    cancelled.set()
                yield reply(requests, 0)
        finally:
            closed.set()

    server = serve(function, X, Y, decoupled=True)
    streams = Streams(server)
    streams.send(1)
    streams.next()
    server.grpc.stop_stream(cancel_requests=True)
    assert closed.wait(30)


def test_a_coroutine_is_cancelled_when_its_client_leaves(serve):
    started, cancelled = threading.Event(), threading.Event()

    async def function(requests):
        started.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            assert requests[0].cancelled
            cancelled.set()
            raise
        return reply(requests, 0)

    server = serve(function, X, Y)
    tensor = tritonclient.grpc.InferInput("x", [1, 1], "INT32")
    tensor.set_data_from_numpy(np.zeros((1, 1), np.int32))
    call = server.grpc.async_infer("M", [tensor], lambda result, error: None)
    assert started.wait(30)
    call.cancel()
    assert cancelled.wait(30)


def test_a_running_callable_sees_that_its_client_left(serve):
    started, seen = threading.Event(), threading.Event()

    def function(requests):
        started.set()
        pause = threading.Event()
        for _ in range(3000):
            if requests[0].cancelled:
                seen.set()
                break
            pause.wait(0.01)
        return reply(requests, 0)

    server = serve(function, X, Y)
    tensor = tritonclient.grpc.InferInput("x", [1, 1], "INT32")
    tensor.set_data_from_numpy(np.zeros((1, 1), np.int32))
    call = server.grpc.async_infer("M", [tensor], lambda result, error: None)
    assert started.wait(30)
    call.cancel()
    assert seen.wait(35)
