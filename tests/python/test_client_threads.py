"""Documented limitation: "gevent warnings when a client is collected in another thread"."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
import weakref

import numpy as np
import pytest

from pytriton.client import (
    AsyncioDecoupledModelClient,
    AsyncioModelClient,
    DecoupledModelClient,
    FuturesModelClient,
    ModelClient,
)
from pytriton.decorators import batch
from pytriton.model_config import Tensor

X = [Tensor(name="x", shape=(-1,), dtype=np.float32)]
Y = [Tensor(name="y", shape=(-1,), dtype=np.float32)]
ROW = np.float32([1, 2])


@batch
def same(x):
    return {"y": x}


def stream(requests):
    for request in requests:
        yield [{"y": request["x"]}]


def on_another_thread(function):
    """Runs it on a thread of its own; gives its result or raises its error."""
    found = []

    def run():
        try:
            found.append((function(), None))
        except BaseException as error:
            found.append((None, error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    result, error = found[0]
    if error is not None:
        raise error
    return result


def ask_sync(client):
    return client.infer_sample(ROW)["y"].tolist()


def ask_future(client):
    return client.infer_sample(ROW).result(60)["y"].tolist()


def ask_stream(client):
    (item,) = client.infer_sample(ROW)
    return item["y"].tolist()


def ask_asyncio(client):
    async def ask():
        return (await client.infer_sample(ROW))["y"].tolist()

    return asyncio.run(ask())


def ask_asyncio_stream(client):
    async def ask():
        (item,) = [item async for item in client.infer_sample(ROW)]
        return item["y"].tolist()

    return asyncio.run(ask())


def close(client):
    done = client.close()
    if asyncio.iscoroutine(done):
        asyncio.run(wait_for(done))


async def wait_for(done):
    await done


KINDS = {
    "sync": (ModelClient, ask_sync),
    "futures": (FuturesModelClient, ask_future),
    "stream": (DecoupledModelClient, ask_stream),
    "asyncio": (AsyncioModelClient, ask_asyncio),
    "asyncio stream": (AsyncioDecoupledModelClient, ask_asyncio_stream),
}


@pytest.mark.parametrize("is_closed", [True, False])
@pytest.mark.parametrize("kind", KINDS)
def test_made_used_closed_and_collected_each_in_another_thread(serve, protocol, kind, is_closed):
    make, ask = KINDS[kind]
    is_stream = "stream" in kind
    if is_stream and protocol == "http":
        protocol = "grpc"
    server = serve(stream if is_stream else same, X, Y, decoupled=is_stream)
    url = f"{protocol}://127.0.0.1:{getattr(server.triton, protocol + '_port')}"
    gc.collect()  # what other tests have left is not looked at
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        clients = [on_another_thread(lambda: make(url, "M"))]
        assert on_another_thread(lambda: ask(clients[0])) == [1, 2]
        if is_closed:
            on_another_thread(lambda: close(clients[0]))
        dropped = weakref.ref(clients[0])

        def drop():
            clients.clear()
            gc.collect()

        on_another_thread(drop)
        assert dropped() is None
    about = (ResourceWarning, RuntimeWarning)
    assert [str(w.message) for w in seen if issubclass(w.category, about)] == []
