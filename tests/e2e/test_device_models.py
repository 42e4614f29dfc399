"""Models that take and give device memory, and our clients' regions, on a fake driver.

The fake dies when the host touches a device address, and copies nothing before somebody waits.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import subprocess
import sys
from collections.abc import Iterator

import numpy as np
import pytest

from e2e.fake_cuda import FakeCuda
from e2e.harness import Server, refused_start, wait_until
from pytriton.client import (
    AsyncioDecoupledModelClient,
    AsyncioModelClient,
    DecoupledModelClient,
    FuturesModelClient,
    ModelClient,
)
from pytriton.client.exceptions import PyTritonClientInferenceServerError
from pytriton.shared_memory import CudaRegion, SystemRegion

ROWS = np.arange(12, dtype=np.float32).reshape(2, 6)
GOAL = 1024  # where outputs begin in a region


@pytest.fixture(scope="module")
def server(fake_cuda: FakeCuda, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    fake_cuda.fail()
    folder = tmp_path_factory.mktemp("devices")
    # Device 0 has its memory pool, device 1 none.
    options = ("--cuda-memory-pool-byte-size=1:0",)
    server = Server("devices.py", folder, *options, environment=fake_cuda.environment).wait_ready()
    yield server
    assert server.process.poll() is None, f"the server died:\n{server.log}"

    def left() -> tuple[int, ...]:
        counts = fake_cuda.counts(server.process.pid)
        return counts["opened"], counts["events"], counts["allocations"]

    wait_until(lambda: left() == (0, 0, 1), "all device memory but the pool to be given back")
    wait_until(lambda: pool(server)["used_bytes"] == 0, "the pool's memory to be given back")
    assert server.stop() == 0, server.log


def pool(server: Server) -> dict[str, float]:
    """The metrics of the GPUs' memory pools, without their prefix."""
    lines = server.get("/metrics", server.metrics)[1].decode().splitlines()
    prefix = "pytriton_cuda_memory_pool_"
    rows = [line[len(prefix) :].split() for line in lines if line.startswith(prefix)]
    return {name: float(value) for name, value in rows}


class Copies:
    """What the server has copied since the last look."""

    def __init__(self, fake: FakeCuda, server: Server) -> None:
        self.fake, self.pid = fake, server.process.pid
        self.last = fake.counts(self.pid)

    def take(self) -> tuple[int, int, int]:
        """Host to device, device to host, device to device."""
        last, self.last = self.last, self.fake.counts(self.pid)
        names = ("host_to_device", "device_to_host", "device_to_device")
        return tuple(self.last[name] - last[name] for name in names)  # type: ignore[return-value]


@pytest.fixture
def copies(fake_cuda, server) -> Copies:
    return Copies(fake_cuda, server)


@pytest.fixture(params=["http", "grpc"])
def url(request: pytest.FixtureRequest, server: Server) -> str:
    return f"{request.param}://127.0.0.1:{getattr(server, request.param)}"


@pytest.mark.parametrize(
    ("model", "factor", "moved"),
    [
        ("echo", 1, (0, 0, 1)),  # the client's memory, in place, back into its region
        ("requests", 1, (0, 0, 1)),
        ("double", 2, (1, 1, 1)),  # the callable's own copies, and one into the region
        ("interface", 3, (1, 1, 1)),
    ],
)
def test_device_tensors_do_not_pass_the_host(url, copies, model, factor, moved):
    with ModelClient(url, model) as client, CudaRegion(4096) as region:
        region.register(client)
        given = region.write(ROWS)
        wanted = region.reserve("FP32", ROWS.shape, offset=GOAL)
        assert client.infer_batch(given, outputs={"OUT": wanted}) == {"OUT": None}
        np.testing.assert_array_equal(region.read(wanted), ROWS * factor)
    assert copies.take() == moved


def test_other_ways_cost_one_copy(url, copies):
    with ModelClient(url, "echo") as echo, CudaRegion(4096) as region:
        region.register(echo)
        given = region.write(ROWS)
        wanted = region.reserve("FP32", ROWS.shape, offset=GOAL)
        found = echo.infer_batch(ROWS)["OUT"]  # to the device and back
        np.testing.assert_array_equal(found, ROWS)
        assert copies.take() == (1, 1, 0)
        np.testing.assert_array_equal(echo.infer_batch(given)["OUT"], ROWS)
        assert copies.take() == (0, 1, 0)
        with ModelClient(url, "to_host") as client:
            client.infer_batch(given, outputs={"OUT": wanted})
            np.testing.assert_array_equal(region.read(wanted), ROWS + 1)
            assert copies.take() == (1, 1, 0)
        with ModelClient(url, "from_host") as client:
            client.infer_batch(given, outputs={"OUT": wanted})
            np.testing.assert_array_equal(region.read(wanted), ROWS - 1)
            assert copies.take() == (1, 1, 1)


def test_a_batch_is_gathered_on_the_device(server, copies):
    """Two requests, one row each, make the preferred batch: one copy each in and one each out."""
    url = f"grpc://127.0.0.1:{server.grpc}"
    with FuturesModelClient(url, "pairs") as client, CudaRegion(4096) as region:
        with ModelClient(url, "pairs") as registrar:
            region.register(registrar)
            places = [region.write(ROWS[i : i + 1], offset=256 * i) for i in (0, 1)]
            goals = [region.reserve("FP32", (1, 6), offset=GOAL + 256 * i) for i in (0, 1)]
            answers = [
                client.infer_batch(place, outputs={"OUT": goal})
                for place, goal in zip(places, goals)
            ]
            concurrent.futures.wait(answers)
            assert [answer.result() for answer in answers] == [{"OUT": None}] * 2
            np.testing.assert_array_equal(
                np.concatenate([region.read(goal) for goal in goals]), ROWS
            )
            assert copies.take() == (0, 0, 4)
            region.close()


def test_a_model_has_its_inputs_on_its_device(url, copies):
    with ModelClient(url, "double_on_1") as client:
        with CudaRegion(4096, device_id=0) as zero, CudaRegion(4096, device_id=1) as one:
            for region in (zero, one):
                region.register(client)
            wanted = one.reserve("FP32", ROWS.shape, offset=GOAL)
            client.infer_batch(one.write(ROWS), outputs={"OUT": wanted})
            assert copies.take() == (1, 1, 1)
            client.infer_batch(zero.write(ROWS), outputs={"OUT": wanted})
            assert copies.take() == (1, 1, 2)  # from device to device first
            np.testing.assert_array_equal(one.read(wanted), ROWS * 2)


@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("strided", "output 'OUT': expected contiguous device memory, got strides"),
        ("wrong_type", "output 'OUT': expected FP32, got FP64|expected elements of type FP32"),
        ("wrong_rows", "output 'OUT' in device memory has shape \\[4,6\\]"),
    ],
)
def test_only_what_was_declared_is_taken(url, model, text):
    with ModelClient(url, model) as client:
        with pytest.raises(PyTritonClientInferenceServerError, match=text):
            client.infer_batch(ROWS)


def test_errors_of_the_driver_are_the_requests(url, fake_cuda):
    with ModelClient(url, "echo") as client, CudaRegion(4096) as region:
        region.register(client)
        given = region.write(ROWS)
        wanted = region.reserve("FP32", ROWS.shape, offset=GOAL)
        for model, line in (
            ("double_on_1", "cuMemAlloc_v2 2"),
            ("echo", "cuMemcpyAsync 700"),
            ("echo", "cuEventSynchronize 999"),
        ):
            fake_cuda.fail(line)
            with ModelClient(url, model) as other:
                with pytest.raises(PyTritonClientInferenceServerError, match="CUDA_ERROR"):
                    other.infer_batch(ROWS)
        for outputs in ({"OUT": wanted}, None):
            with pytest.raises(PyTritonClientInferenceServerError, match="CUDA_ERROR"):
                client.infer_batch(given, outputs=outputs)
        fake_cuda.fail()
        np.testing.assert_array_equal(client.infer_batch(ROWS)["OUT"], ROWS)


def test_inputs_on_a_device_come_from_its_pool(url, server, fake_cuda):
    before, held = pool(server), fake_cuda.counts(server.process.pid)["allocations"]
    assert before["total_bytes"] == 64 << 20
    with ModelClient(url, "to_host") as client:
        for _ in range(3):
            client.infer_batch(ROWS)
    after = pool(server)
    assert after["taken"] - before["taken"] == 3
    assert fake_cuda.counts(server.process.pid)["allocations"] == held
    with ModelClient(url, "to_host") as client:
        large = np.zeros((1, 17 << 20), np.float32)  # more than the pool holds
        assert client.infer_batch(large)["OUT"][0, -1] == 1
    assert pool(server)["refused"] == after["refused"] + 1


@pytest.mark.parametrize("kind", [SystemRegion, CudaRegion])
def test_every_client_takes_regions(server, kind):
    """The five clients, with inputs and outputs in one region."""
    http, grpc = (f"{name}://127.0.0.1:{getattr(server, name)}" for name in ("http", "grpc"))
    with ModelClient(http, "double") as registrar, kind(4096) as region:
        region.register(registrar)
        given = region.write(ROWS)
        wanted = region.reserve("FP32", ROWS.shape, offset=GOAL)
        outputs = {"OUT": wanted}

        def check(answer: dict) -> None:
            assert answer == {"OUT": None}
            np.testing.assert_array_equal(region.read(wanted), ROWS * 2)
            region.write(np.zeros_like(ROWS), offset=GOAL)

        for url in (http, grpc):
            with ModelClient(url, "double") as client:
                check(client.infer_batch(given, outputs=outputs))
                check(client.infer_batch(IN=given, outputs=outputs))
                check(client.infer_batch(ROWS, outputs=outputs))
                np.testing.assert_array_equal(client.infer_batch(given)["OUT"], ROWS * 2)
            with FuturesModelClient(url, "double") as futures:
                check(futures.infer_batch(given, outputs=outputs).result())
        with DecoupledModelClient(grpc, "twice") as stream:
            answers = list(stream.infer_batch(given, outputs=outputs))
            assert len(answers) == 2
            check(answers[1])

        async def run() -> None:
            for url in (http, grpc):
                async with AsyncioModelClient(url, "double") as client:
                    check(await client.infer_batch(given, outputs=outputs))
            async with AsyncioDecoupledModelClient(grpc, "twice") as stream:
                answers = [answer async for answer in stream.infer_batch(given, outputs=outputs)]
                assert len(answers) == 2
                check(answers[1])

        asyncio.run(run())


def test_a_region_cleans_up_after_an_exception(server, fake_cuda):
    region = CudaRegion(64)

    def use() -> None:
        with ModelClient(f"http://127.0.0.1:{server.http}", "echo") as client, region:
            region.register(client)
            raise RuntimeError("on purpose")

    view = region.view(region.write(np.ones(4, np.float32)))
    with pytest.raises(RuntimeError, match="on purpose"):
        use()
    assert server.get("/v2/cudasharedmemory/status") == (200, b"[]")
    np.testing.assert_array_equal(view.numpy(), np.ones(4, np.float32))
    with pytest.raises(Exception, match="closed"):
        region.write(np.ones(1, np.float32))


def test_a_client_that_crashes_takes_its_region_along(server, fake_cuda):
    program = (
        "import os, signal, sys\n"
        "from pytriton.client import ModelClient\n"
        "from pytriton.shared_memory import CudaRegion\n"
        "client = ModelClient(sys.argv[1], 'echo')\n"
        "region = CudaRegion(64, name='orphan')\n"
        "region.register(client)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    url = f"http://127.0.0.1:{server.http}"
    environment = {**fake_cuda.environment, "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", program, url], env=environment, capture_output=True, check=False
    )
    assert done.returncode == -9, done.stderr
    # The server keeps what it has opened until somebody takes the name away.
    assert b"orphan" in server.get("/v2/cudasharedmemory/status")[1]
    assert server.call("POST", "/v2/cudasharedmemory/unregister", b"")[0] == 200


def test_device_arrays_are_written_without_the_host(fake_cuda):
    with CudaRegion(64) as source, CudaRegion(64, device_id=1) as target:
        view = source.view(source.write(ROWS[:1]))
        copied = target.write(view, offset=8)
        assert (copied.datatype, copied.shape, copied.offset) == ("FP32", (1, 6), 8)
        np.testing.assert_array_equal(target.read(copied), ROWS[:1])
        with pytest.raises(ValueError, match="inside of 64 bytes"):
            target.write(view, offset=60)
        halves = np.array([1.5, -2], np.float16)
        np.testing.assert_array_equal(target.read(target.write(halves)), halves)
        texts = np.array(["one", ""], dtype=object)
        assert target.read(target.write(texts)).tolist() == [b"one", b""]


def test_dlpack_is_understood_by_another_implementation(fake_cuda):
    """Tritonclient makes and takes DLPack capsules of its own: no array library is needed here."""
    cuda = pytest.importorskip("tritonclient.utils.cuda_shared_memory", exc_type=Exception)
    theirs = cuda.create_shared_memory_region("theirs", 64, 0)
    with CudaRegion(64) as ours:
        view = ours.view(ours.write(ROWS))
        cuda.set_shared_memory_region_from_dlpack(theirs, [view])
        found = cuda.get_contents_as_numpy(theirs, np.float32, list(ROWS.shape))
        np.testing.assert_array_equal(found, ROWS)
        tensor = cuda.as_shared_memory_tensor(theirs, "FP32", [6, 2])
        with CudaRegion(64, device_id=1) as other:
            np.testing.assert_array_equal(other.read(other.write(tensor)), ROWS.reshape(6, 2))
    cuda.destroy_shared_memory_region(theirs)


def test_without_a_driver_a_model_on_a_device_is_refused(tmp_path):
    said = refused_start("devices.py", tmp_path)
    assert "input 'IN' in device memory: expected NVIDIA's driver library" in said
