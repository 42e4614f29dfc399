"""The clients with a real server."""

from __future__ import annotations

import asyncio
import gc
import threading

import numpy as np
import pytest

from pytriton.client import (
    AsyncioDecoupledModelClient,
    AsyncioModelClient,
    DecoupledModelClient,
    ModelClient,
)
from pytriton.client.exceptions import (
    PyTritonClientClosedError,
    PyTritonClientInferenceServerError,
    PyTritonClientModelDoesntSupportBatchingError,
    PyTritonClientTimeoutError,
    PyTritonClientValueError,
)
from pytriton.decorators import batch
from pytriton.model_config import Tensor

A = Tensor(name="a", shape=(-1,), dtype=np.float32)
B = Tensor(name="b", shape=(-1,), dtype=np.float32, optional=True)
Y = Tensor(name="y", shape=(-1,), dtype=np.float32)


@batch
def add(a, b=None):
    return {"y": a if b is None else a + b}


def seen(requests):
    """Gives what it was called with as text."""
    request = requests[0]
    text = repr(sorted(request.parameters.items())).encode()
    return [{"y": np.array([[text]], object)}]


def count(requests):
    for number in range(int(requests[0]["a"][0, 0])):
        yield [{"y": np.array([[number]], np.float32)}]


def url(server, protocol: str) -> str:
    return f"{protocol}://127.0.0.1:{getattr(server.triton, protocol + '_port')}"


@pytest.fixture
def adder(serve):
    return serve(add, [A, B], [Y], max_batch_size=8)


@pytest.fixture
def counter(serve):
    return serve(count, [A], [Y], decoupled=True, max_batch_size=8, batcher=None)


ROW = np.float32([1, 2])


@pytest.mark.parametrize("lazy", [True, False])
@pytest.mark.parametrize("compression", [None, "gzip"])
def test_samples_and_batches(adder, protocol, lazy, compression):
    with ModelClient(url(adder, protocol), "M", lazy_init=lazy, compression=compression) as client:
        result = client.infer_sample(ROW, ROW)
        assert list(result) == ["y"]
        assert result["y"].tolist() == [2, 4]
        assert client.infer_sample(a=ROW)["y"].tolist() == [1, 2]
        rows = np.stack([ROW, ROW + 1])
        assert client.infer_batch(a=rows, b=rows)["y"].tolist() == [[2, 4], [4, 6]]
        assert client.model_config.max_batch_size == 8
        assert client.is_batching_supported


def test_large_tensors_both_ways(adder, protocol):
    rows = np.arange(2 << 20, dtype=np.float32).reshape(2, -1)
    with ModelClient(url(adder, protocol), "M") as client:
        for _ in range(2):
            assert (client.infer_batch(rows)["y"] == rows).all()


def test_strings_and_empty_tensors(serve, protocol):
    strings = Tensor(name="a", shape=(-1,), dtype=bytes)
    result = Tensor(name="y", shape=(-1,), dtype=bytes)
    server = serve(batch(lambda a: {"y": a}), [strings], [result])
    with ModelClient(url(server, protocol), "M") as client:
        for array in (np.array([b"a\0", b"", b"long" * 999], object), np.array([b"x", b"yz"])):
            result = client.infer_sample(array)["y"]
            assert (result.dtype, result.tolist()) == (np.dtype(object), array.tolist())
        assert client.infer_sample(np.array([], object))["y"].shape == (0,)


def test_without_batching_there_are_no_batches(serve, protocol):
    server = serve(
        lambda requests: [{"y": request["a"]} for request in requests], [A], [Y], batching=False
    )
    with ModelClient(url(server, protocol), "M") as client:
        assert client.infer_sample(ROW)["y"].tolist() == [1, 2]
        message = "Model M doesn't support batching - use infer_sample method instead"
        with pytest.raises(PyTritonClientModelDoesntSupportBatchingError, match=message):
            client.infer_batch(ROW)


def test_parameters_and_headers_arrive(serve, protocol):
    server = serve(
        seen,
        [A],
        [Tensor(name="y", shape=(1,), dtype=bytes)],
        options={"http_header_forward_pattern": "x-.*", "grpc_header_forward_pattern": "x-.*"},
    )
    with ModelClient(url(server, protocol), "M") as client:
        result = client.infer_sample(
            ROW, parameters={"p": "v", "n": -3, "t": True}, headers={"x-h": 5}
        )
        text = result["y"][0].decode()
    assert all(part in text for part in ("('p', 'v')", "('n', -3)", "('t', True)", "('x-h', '5')"))


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "Provide input data"),
        ((ROW,), {"a": ROW}, "Use either positional either keyword method arguments convention"),
        ((ROW,), {"parameters": 7}, "Parameters and headers must be a dictionary"),
        ((ROW,), {"headers": {7: 7}}, "Parameter/header key must be a string"),
        ((ROW,), {"parameters": {"p": 0.5}}, "Parameter/header value must be a string, integer"),
        ((ROW,), {"headers": {"a": "b\r\nc: d"}}, "expected a header of one line"),
        (([1, 2],), {}, "Input a is not a numpy array. Got <class 'list'> instead."),
    ],
)
def test_arguments_are_checked(adder, args, kwargs, message):
    with ModelClient(url(adder, "http"), "M") as client:
        with pytest.raises(PyTritonClientValueError, match=message):
            client.infer_sample(*args, **kwargs)

    async def call():
        async with AsyncioModelClient(url(adder, "http"), "M") as client:
            with pytest.raises(PyTritonClientValueError, match=message):
                await client.infer_sample(*args, **kwargs)

    asyncio.run(call())


def test_errors_of_the_server_have_its_text(adder, protocol):
    start = "Error occurred during inference request. Message: .*data-type is 'INT32'"
    with ModelClient(url(adder, protocol), "M") as client:
        with pytest.raises(PyTritonClientInferenceServerError, match=start):
            client.infer_sample(np.int32([1]))
        assert client.infer_sample(ROW)["y"].tolist() == [1, 2]

    async def call():
        async with AsyncioModelClient(url(adder, protocol), "M") as client:
            start = "Error occurred on Triton Inference Server side:\n .*data-type is 'INT32'"
            with pytest.raises(PyTritonClientInferenceServerError, match=start):
                await client.infer_sample(np.int32([1]))

    asyncio.run(call())


def test_unknown_models_are_waited_for(adder, protocol):
    with ModelClient(url(adder, protocol), "none", init_timeout_s=1) as client:
        message = "Waiting for model none/<latest> to be ready timed out."
        with pytest.raises(PyTritonClientTimeoutError, match=message):
            client.infer_sample(ROW)
        with pytest.raises(PyTritonClientTimeoutError, match="timed out"):
            client.wait_for_model(0)  # once a division by zero
        client.wait_for_server(5)
    with ModelClient(url(adder, protocol), "M") as client:
        client.wait_for_model(0)


def test_closed_clients_say_so(adder, protocol):
    client = ModelClient(url(adder, protocol), "M")
    client.infer_sample(ROW)
    client.close()
    client.close()
    for call in (
        lambda: client.infer_sample(ROW),
        lambda: client.wait_for_model(1),
        lambda: client.wait_for_server(1),
        client.load_model,
        client.unload_model,
    ):
        with pytest.raises(PyTritonClientClosedError, match="ModelClient is closed"):
            call()


def test_no_server_is_a_timeout():
    with ModelClient("localhost:1", "M", init_timeout_s=0.05) as client:
        with pytest.raises(PyTritonClientTimeoutError, match="server to be ready timed out"):
            client.wait_for_server(0.05)
        with pytest.raises(PyTritonClientTimeoutError, match="timed out"):
            client.infer_sample(ROW)


def test_what_is_known_is_not_asked(adder, protocol):
    with ModelClient(url(adder, protocol), "M") as first:
        config = first.model_config
        asked = []
        with ModelClient(
            url(adder, protocol), "M", model_config=config, ensure_model_is_ready=False
        ) as client:
            call = client._client.transport.call
            client._client.transport.call = lambda *args: asked.append(args) or call(*args)
            client.infer_sample(ROW)
            assert len(asked) == 1
        with ModelClient.from_existing_client(first) as client:
            assert client._url == first._url  # once it lost its scheme
            assert client.infer_sample(ROW)["y"].tolist() == [1, 2]


def test_one_client_serves_many_threads(adder, protocol):
    """Known limitation of PyTriton: clients were bound to the thread that made them."""
    client = ModelClient(url(adder, protocol), "M")
    wrong = []

    def work(number):
        for step in range(20):
            row = np.float32([number, step])
            if client.infer_sample(row)["y"].tolist() != row.tolist():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_no_gevent_warning_when_collected_in_another_thread(adder, protocol, recwarn):
    """Named after PyTriton's known limitation."""
    clients = [ModelClient(url(adder, protocol), "M")]
    clients[0].infer_sample(ROW)

    def drop():
        clients.clear()
        gc.collect()

    thread = threading.Thread(target=drop)
    thread.start()
    thread.join()
    assert not [str(warning.message) for warning in recwarn.list]


def test_streams_one_at_a_time(counter):
    with DecoupledModelClient(url(counter, "grpc"), "M") as client:
        for _ in range(2):
            values = [result["y"].tolist() for result in client.infer_sample(np.float32([3]))]
            assert values == [[0], [1], [2]]
        batches = list(client.infer_batch(np.float32([[2]])))
        assert [result["y"].tolist() for result in batches] == [[[0]], [[1]]]
        stream = client.infer_sample(np.float32([3]))
        with pytest.raises(PyTritonClientInferenceServerError, match="already in progress"):
            client.infer_sample(ROW)
        next(stream)
        stream.close()
        for kwargs in ({"parameters": {}}, {"headers": {}}):  # once these locked it for good
            with pytest.raises(PyTritonClientValueError, match="does not support"):
                client.infer_sample(ROW, **kwargs)
        assert len(list(client.infer_sample(np.float32([1])))) == 1


@pytest.mark.parametrize("is_asyncio", [False, True])
def test_a_closed_iterator_cancels_its_request(serve, is_asyncio):
    cancelled = threading.Event()

    def endless(requests):
        try:
            while not requests[0].cancelled:
                yield [{"y": np.zeros((1, 1), np.float32)}]
        finally:  # the server may close the generator as well
            cancelled.set()

    server = serve(endless, [A], [Y], decoupled=True, batcher=None)

    async def first_of_asyncio():
        async with AsyncioDecoupledModelClient(url(server, "grpc"), "M") as client:
            stream = client.infer_sample(ROW)
            await stream.__anext__()
            await stream.aclose()

    if is_asyncio:
        asyncio.run(first_of_asyncio())
    else:
        with DecoupledModelClient(url(server, "grpc"), "M") as client:
            stream = client.infer_sample(ROW)
            next(stream)
            stream.close()
    assert cancelled.wait(30)


def test_the_kind_of_client_must_fit(adder, counter):
    with ModelClient(url(counter, "grpc"), "M") as client:
        with pytest.raises(PyTritonClientInferenceServerError, match="Use DecoupledModelClient"):
            client.infer_sample(ROW)
    with DecoupledModelClient(url(adder, "grpc"), "M") as client:
        for _ in range(2):
            with pytest.raises(PyTritonClientInferenceServerError, match="Use ModelClient"):
                client.infer_sample(ROW)
    with pytest.raises(PyTritonClientValueError, match="only supported for grpc protocol"):
        DecoupledModelClient("localhost", "M")


def test_asyncio_many_calls_on_one_client(adder, protocol):
    async def main():
        async with AsyncioModelClient(url(adder, protocol), "M", lazy_init=False) as client:
            assert (await client.model_config).max_batch_size == 8
            rows = [np.float32([number, -number]) for number in range(64)]
            results = await asyncio.gather(*[client.infer_sample(row) for row in rows])
            for row, result in zip(rows, results):
                assert result["y"].tolist() == row.tolist()
            large = np.arange(1 << 20, dtype=np.float32).reshape(1, -1)
            assert (await client.infer_batch(large))["y"].tolist() == large.tolist()
            asked = []
            call = client._client.transport.call
            client._client.transport.call = lambda *args: asked.append(args) or call(*args)
            await client.infer_sample(ROW)  # once it asked for the configuration every time
            assert len(asked) == 1
            other = AsyncioModelClient.from_existing_client(client)
            assert (await other.infer_sample(ROW))["y"].tolist() == [1, 2]
            await other.close()
        with pytest.raises(PyTritonClientClosedError, match="AsyncioModelClient is closed"):
            await client.infer_sample(ROW)

    asyncio.run(main())


def test_asyncio_calls_may_be_cancelled(adder, protocol):
    async def main():
        async with AsyncioModelClient(url(adder, protocol), "M") as client:
            await client.infer_sample(ROW)
            tasks = [asyncio.ensure_future(client.infer_sample(ROW)) for _ in range(20)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in results[::2])
            assert all(result["y"].tolist() == [1, 2] for result in results[1::2])

    asyncio.run(main())


def test_asyncio_streams_side_by_side(counter):
    async def collect(client, number):
        results = client.infer_sample(np.float32([number]), parameters={"kept": 1})
        return [float(result["y"][0]) async for result in results]

    async def main():
        async with AsyncioDecoupledModelClient(url(counter, "grpc"), "M", "1") as client:
            found = await asyncio.gather(*[collect(client, number) for number in range(5)])
            assert found == [list(range(number)) for number in range(5)]
            stream = client.infer_batch(np.float32([[5]]))
            assert (await stream.__anext__())["y"].tolist() == [[0]]
            await stream.aclose()
            assert await collect(client, 1) == [0]
        async with AsyncioDecoupledModelClient("localhost", "M") as client:
            with pytest.raises(PyTritonClientValueError, match="only supported for grpc protocol"):
                await client.infer_sample(ROW).__anext__()

    asyncio.run(main())
