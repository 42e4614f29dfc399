"""The connections of asyncio clients: many at once, and nothing of them is left."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
import threading

import numpy as np
import pytest

from pytriton.client import AsyncioModelClient
from pytriton.client._aio_links import GrpcLink
from pytriton.client._aio_transport import AioTransport
from pytriton.client._call import Deadline
from pytriton.client._grpc import GrpcSpeaker
from pytriton.client._url import TritonUrl
from pytriton.client.exceptions import PyTritonClientTimeoutError
from pytriton.decorators import batch
from pytriton.model_config import Tensor

X = [Tensor(name="x", shape=(-1,), dtype=np.float32)]
Y = [Tensor(name="y", shape=(-1,), dtype=np.float32)]
ROW = np.float32([1, 2])


@batch
def same(x):
    return {"y": x}


@pytest.fixture
def url(serve, protocol):
    triton = serve(same, X, Y, max_batch_size=8).triton
    return f"{protocol}://127.0.0.1:{getattr(triton, protocol + '_port')}"


def watches() -> int:
    """Descriptors of this process that watch others; without what earlier tests have left."""
    gc.collect()
    found = 0
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # that of the listing itself has gone
            found += "eventpoll" in os.readlink(f"/proc/self/fd/{name}")
    return found


def test_tasks_at_once_get_their_own_answers_small_and_large(url):
    sizes = [1, 300_000, 7, 20_000] * 8  # floats; some don't fit into one read

    async def ask(client, number, size):
        array = np.full(size, number, np.float32)
        for _ in range(3):
            answer = (await client.infer_sample(array))["y"]
            assert answer.shape == (size,)
            assert (answer == number).all()

    async def main():
        async with AsyncioModelClient(url, "M") as client:
            await asyncio.gather(*(ask(client, n, size) for n, size in enumerate(sizes)))

    asyncio.run(main())


async def ask_some(client):
    for answer in await asyncio.gather(*(client.infer_sample(ROW) for _ in range(4))):
        assert answer["y"].tolist() == [1, 2]


def test_a_closed_client_watches_nothing(url):
    async def main():
        before = watches()
        for _ in range(3):
            async with AsyncioModelClient(url, "M") as client:
                await ask_some(client)
        assert watches() <= before
        async with AsyncioModelClient(url, "M") as client:  # the number of a descriptor comes again
            await ask_some(client)

    asyncio.run(main())


def test_a_client_dropped_in_another_thread_watches_nothing(url):
    async def main():
        before = watches()
        clients = [AsyncioModelClient(url, "M")]
        await ask_some(clients[0])

        def drop():
            clients.clear()
            gc.collect()

        await asyncio.get_running_loop().run_in_executor(None, drop)
        while watches() > before:
            await asyncio.sleep(0)
        async with AsyncioModelClient(url, "M") as client:
            await ask_some(client)

    asyncio.run(asyncio.wait_for(main(), 60))


@pytest.mark.parametrize("is_closed", [True, False])
def test_a_client_that_outlives_its_loop_watches_nothing(url, is_closed):
    before = watches()
    clients = []

    async def main():
        clients.append(AsyncioModelClient(url, "M"))
        await ask_some(clients[0])

    asyncio.run(main())
    if is_closed:
        thread = threading.Thread(target=lambda: asyncio.run(clients[0].close()))
        thread.start()
        thread.join()
    clients.clear()
    gc.collect()
    assert watches() <= before


def test_a_client_goes_on_in_the_next_loop(url):
    client = AsyncioModelClient(url, "M")
    for _ in range(3):
        asyncio.run(ask_some(client))
    loop = asyncio.new_event_loop()  # ended, but not closed
    loop.run_until_complete(ask_some(client))
    asyncio.run(ask_some(client))
    asyncio.run(client.close())
    loop.close()


def test_calls_in_the_next_loop_keep_their_timeouts(protocol):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"{protocol}://127.0.0.1:{silent.getsockname()[1]}"
        client = AsyncioModelClient(url, "M", init_timeout_s=0.1)

        async def main():
            calls = [client.infer_sample(ROW) for _ in range(3)]
            for error in await asyncio.gather(*calls, return_exceptions=True):
                assert isinstance(error, PyTritonClientTimeoutError)

        for _ in range(2):
            asyncio.run(asyncio.wait_for(main(), 60))
        asyncio.run(client.close())


def test_who_waits_for_anothers_connection_has_a_deadline_of_its_own():
    """A full backlog: the kernel drops what asks for a connection."""

    async def main(listener):
        transport = AioTransport(TritonUrl.from_url(f"grpc://127.0.0.1:{listener[1]}"))
        call = GrpcSpeaker({}).server_live()
        short = asyncio.ensure_future(transport.call(call, Deadline(0.05)))
        long = asyncio.ensure_future(transport.call(call, Deadline(60.0)))
        with pytest.raises(TimeoutError):
            await short
        for _ in range(10):
            await asyncio.sleep(0)
        assert not long.done()
        long.cancel()
        await transport.close()

    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(address)
        asyncio.run(main(address))
        for filler in fillers:
            filler.close()


def test_a_client_of_a_running_loop_refuses_others(url):
    async def main():
        async with AsyncioModelClient(url, "M") as client:
            await ask_some(client)

            def ask_elsewhere():
                with pytest.raises(RuntimeError, match="of one event loop"):
                    asyncio.run(ask_some(client))

            await asyncio.get_running_loop().run_in_executor(None, ask_elsewhere)
            await ask_some(client)

    asyncio.run(main())


def test_a_connection_is_taken_before_its_openers_callback_had_its_turn(serve):
    """From Python 3.12 on waiting for what is done lets no callback run: the loop would spin."""
    port = serve(same, X, Y).triton.grpc_port

    async def main():
        transport = AioTransport(TritonUrl.from_url(f"grpc://127.0.0.1:{port}"))
        call = GrpcSpeaker({}).server_live()
        with contextlib.suppress(TimeoutError):
            await transport.call(call, Deadline(0.0))  # the transport knows its loop
        transport._shared = None
        opening = asyncio.ensure_future(transport._connect(GrpcLink, Deadline(60.0)))
        await asyncio.wait([opening])
        transport._opening = opening  # its callback is still to come
        assert await transport.call(call, Deadline(60.0))
        await transport.close()

    asyncio.run(asyncio.wait_for(main(), 20))
