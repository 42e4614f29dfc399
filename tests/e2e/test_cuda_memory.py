"""Device memory of clients, with stock clients and cuda-python, on a fake driver without a GPU."""

from __future__ import annotations

import base64
import json
import threading
import types
import uuid
from collections.abc import Iterator

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import serialize_byte_tensor

from e2e.fake_cuda import FakeCuda
from e2e.harness import Server, wait_until
from e2e.region_kit import FLOAT, error_of, region_kit
from pytriton.shared_memory import CudaRegion, SystemRegion, place_input

pytest.importorskip("cuda.bindings", reason="cuda-bindings has no wheel for this Python")
SIZE = 1 << 16


@pytest.fixture(scope="module")
def server(fake_cuda: FakeCuda, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    fake_cuda.fail()
    folder = tmp_path_factory.mktemp("cuda")
    server = Server("memory.py", folder, environment=fake_cuda.environment).wait_ready()
    yield server
    assert server.process.poll() is None, f"the server died:\n{server.log}"
    assert server.get("/v2/cudasharedmemory/status") == (200, b"[]"), "a test left regions"
    left = fake_cuda.counts(server.process.pid)
    assert (left["opened"], left["events"], left["allocations"]) == (0, 0, 0)
    assert server.stop() == 0, server.log
    ended = fake_cuda.counts(server.process.pid)
    assert (ended["streams"], ended["host_blocks"], ended["contexts"]) == (0, 0, 0)


class Region:
    """Device memory of this process, registered by a stock client."""

    def __init__(self, client, size: int = SIZE, device: int = 0) -> None:
        import tritonclient.utils.cuda_shared_memory as cuda

        self.name = f"region_{uuid.uuid4().hex}"
        self.size = size
        self.device = device
        self.client = client
        self.handle = cuda.create_shared_memory_region(self.name, size, device)
        self.raw_handle = cuda.get_raw_handle(self.handle)
        self.register()

    def register(self) -> None:
        self.client.register_cuda_shared_memory(self.name, self.raw_handle, self.device, self.size)

    def write(self, *arrays: np.ndarray) -> None:
        import tritonclient.utils.cuda_shared_memory as cuda

        cuda.set_shared_memory_region(self.handle, list(arrays))

    def read(self, dtype, shape: list[int]) -> np.ndarray:
        import tritonclient.utils.cuda_shared_memory as cuda

        return cuda.get_contents_as_numpy(self.handle, dtype, shape)

    def close(self) -> None:
        import tritonclient.utils.cuda_shared_memory as cuda

        self.client.unregister_cuda_shared_memory(self.name)
        cuda.destroy_shared_memory_region(self.handle)


@pytest.fixture(params=["http", "grpc"])
def kit(request: pytest.FixtureRequest, server: Server) -> Iterator[types.SimpleNamespace]:
    """A stock client with what makes its inputs, and regions that go with the test."""
    yield from region_kit(server, request.param, Region)


@pytest.mark.parametrize("devices", [(0, 0), (0, 1), (1, 0)])
def test_tensors_travel_between_the_regions(kit, fake_cuda, devices):
    source, target = (kit.region(device=device) for device in devices)
    data = np.arange(1000, dtype=np.float32)
    source.write(np.zeros(16, np.float32), data)
    before = fake_cuda.counts(kit.server.process.pid)
    kit.client.infer(
        "double",
        [kit.place(source, 1000, offset=64)],
        outputs=[kit.wish(target, 1000 * FLOAT, offset=128)],
    )
    found = target.read(np.float32, [SIZE // FLOAT])
    np.testing.assert_array_equal(found[32:1032], data * 2)
    after = fake_cuda.counts(kit.server.process.pid)
    moved = {name: after[name] - before[name] for name in after}
    assert (moved["device_to_host"], moved["host_to_device"]) == (1, 1)
    assert (moved["opened_ever"], moved["device_to_device"]) == (0, 0)


def test_regions_and_sockets_mix(kit):
    source, target = kit.region(), kit.region()
    data = np.arange(5, dtype=np.float32)
    source.write(data)
    result = kit.client.infer("double", [kit.place(source, 5)])
    np.testing.assert_array_equal(result.as_numpy("OUT")[0], data * 2)
    given = kit.module.InferInput("IN", [1, 5], "FP32")
    given.set_data_from_numpy(data.reshape(1, 5))
    kit.client.infer("double", [given], outputs=[kit.wish(target, 20)])
    np.testing.assert_array_equal(target.read(np.float32, [5]), data * 2)


def test_strings_travel_in_regions(kit):
    source, target = kit.region(), kit.region()
    texts = np.array([b"one", b"", b"three" * 20], dtype=object)
    source.write(serialize_byte_tensor(texts))
    size = sum(4 + len(text) for text in texts)
    given = kit.place(source, 3, "BYTES", size=size)
    kit.client.infer("texts", [given], outputs=[kit.wish(target, SIZE)])
    assert list(target.read(np.object_, [3])) == list(texts)
    short = kit.place(source, 3, "BYTES", size=size - 1)
    assert "incomplete string data" in error_of(lambda: kit.client.infer("texts", [short]))


def test_a_callable_changes_its_own_copy(kit):
    source = kit.region()
    source.write(np.ones(4, np.float32))
    result = kit.client.infer("overwrite", [kit.place(source, 4)])
    np.testing.assert_array_equal(result.as_numpy("OUT"), np.zeros((1, 4), np.float32))
    np.testing.assert_array_equal(source.read(np.float32, [4]), np.ones(4, np.float32))


def test_status_tells_what_is_registered(kit):
    region = kit.region(100, device=1)
    if kit.module is tritonclient.http:
        found = kit.client.get_cuda_shared_memory_status(region.name)
        assert found == [{"name": region.name, "device_id": 1, "byte_size": 100}]
    else:
        found = kit.client.get_cuda_shared_memory_status(region.name).regions
        assert list(found) == [region.name]
        assert (found[region.name].device_id, found[region.name].byte_size) == (1, 100)
    text = error_of(lambda: kit.client.get_cuda_shared_memory_status("unknown"))
    assert "Unable to find cuda shared memory region: 'unknown'" in text
    text = error_of(lambda: kit.client.get_system_shared_memory_status(region.name))
    assert "is registered as CUDA shared memory, not system shared memory" in text


def test_errors_say_what_is_wrong(kit):
    region = kit.region(SIZE)
    infer, place, wish = kit.client.infer, kit.place, kit.wish

    def text_of(given, *wanted) -> str:
        return error_of(lambda: infer("echo", [given], outputs=list(wanted) or None))

    name = region.name
    assert text_of(place(region, 1, offset=SIZE)) == (
        f"Invalid offset for shared memory region: '{name}'"
    )
    beyond = f"Invalid offset + byte size for shared memory region: '{name}'"
    assert text_of(place(region, 1, offset=SIZE - 3)) == beyond
    assert text_of(place(region, 1, size=2**63 - 1, offset=8)) == beyond
    assert text_of(place(region, 2), wish(region, 4)) == (
        "shared memory size specified with the request for output 'OUT' (4 bytes) should be at "
        "least 8 bytes to hold the results"
    )
    assert "Expected 8, got 12" in text_of(place(region, 2, size=12))

    def register(name: str, handle: bytes, device: int, size: int) -> str:
        register = kit.client.register_cuda_shared_memory
        return error_of(lambda: register(name, handle, device, size))

    assert register(name, region.raw_handle, 0, 1) == (
        f"shared memory region '{name}' already in manager"
    )
    bad = "failed to register shared memory region 'new': invalid args"
    assert register("new", region.raw_handle, 0, SIZE + 1) == bad
    assert register("new", region.raw_handle, 0, 0) == bad
    assert register("new", region.raw_handle, 2, 1).startswith(f"{bad}: expected a device id")
    assert register("new", region.raw_handle, -1, 1).startswith(f"{bad}: expected a device id")
    garbage = base64.b64encode(b"\xff" * 64)
    assert "cuIpcOpenMemHandle" in register("new", garbage, 0, 1)
    short = register("new", base64.b64encode(b"short"), 0, 1)
    assert "cudaIpcMemHandle_t" in short or "expected a handle of 64 bytes, got 5" in short


def test_rest_names_the_field_that_is_missing(server):
    path = "/v2/cudasharedmemory/region/r/register"
    whole = {"raw_handle": {"b64": "AA=="}, "device_id": 0, "byte_size": 1}
    encoded = "'raw_handle' must be a valid base64 encoded cudaIpcMemHandle_t"
    assert server.call("POST", path, json.dumps(whole).encode())[0] == 400
    for change, text in (
        ({"raw_handle": None}, "attempt to access JSON non-object as object"),
        ({"raw_handle": {}}, "has no 'raw_handle.b64' field"),
        ({"raw_handle": {"b64": "???"}}, encoded),
        ({"raw_handle": {"b64": "A" * 88}}, encoded),
        (
            {"raw_handle": {"b64": base64.b64encode(bytes(64)).decode()}, "device_id": "x"},
            "device_id",
        ),
    ):
        status, answer = server.call("POST", path, json.dumps({**whole, **change}).encode())
        assert status == 400
        assert text in json.loads(answer)["error"], answer
    for missing in whole:
        body = {name: value for name, value in whole.items() if name != missing}
        if missing != "raw_handle":
            body["raw_handle"] = {"b64": base64.b64encode(bytes(64)).decode()}
        status, answer = server.call("POST", path, json.dumps(body).encode())
        assert status == 400
        assert json.loads(answer)["error"] == (
            f"Shared memory register request has no '{missing}' field"
        )


def test_the_drivers_errors_reach_the_client(kit, fake_cuda):
    source, target = kit.region(), kit.region()
    source.write(np.ones(4, np.float32))
    given, wanted = kit.place(source, 4), kit.wish(target, 16)
    for line, name in (
        ("cuMemcpyAsync 700", "CUDA_ERROR_ILLEGAL_ADDRESS"),
        ("cuEventSynchronize 999", "CUDA_ERROR_UNKNOWN"),
        ("cuEventCreate 2", "CUDA_ERROR_OUT_OF_MEMORY"),
    ):
        fake_cuda.fail(line)
        assert name in error_of(lambda: kit.client.infer("echo", [given]))
        assert name in error_of(lambda: kit.client.infer("echo", [given], outputs=[wanted]))
    fake_cuda.fail()
    kit.client.infer("double", [given], outputs=[wanted])
    np.testing.assert_array_equal(target.read(np.float32, [4]), np.full(4, 2, np.float32))


def command(server: Server, text: str) -> None:
    tensor = {"name": "COMMAND", "datatype": "BYTES", "shape": [1], "data": [text]}
    status, answer = server.infer("control", tensor)
    assert status == 200, answer


def test_a_region_that_is_unregistered_lives_until_its_last_use(kit, fake_cuda):
    source, target = kit.region(), kit.region()
    source.write(np.ones(100, np.float32))
    outcome: list = []

    def run() -> None:
        port = kit.server.http if kit.module is tritonclient.http else kit.server.grpc
        client = kit.module.InferenceServerClient(f"127.0.0.1:{port}")
        wanted = [kit.wish(target, FLOAT)]
        outcome.append(client.infer("held", [kit.place(source, 100)], outputs=wanted))
        client.close()

    thread = threading.Thread(target=run)
    thread.start()
    command(kit.server, "wait")
    kit.client.unregister_cuda_shared_memory(target.name)
    kit.client.unregister_cuda_shared_memory(source.name)
    text = error_of(lambda: kit.client.infer("echo", [kit.place(source, 1)]))
    assert text == f"Unable to find shared memory region: '{source.name}'"
    assert fake_cuda.counts(kit.server.process.pid)["opened"] >= 1
    command(kit.server, "go")
    thread.join()
    assert len(outcome) == 1
    assert target.read(np.float32, [1])[0] == 100
    wait_until(
        lambda: fake_cuda.counts(kit.server.process.pid)["opened"] == 0, "the handles to be closed"
    )


def test_registering_leaves_nothing_behind(kit, fake_cuda):
    region = kit.region()
    pid = kit.server.process.pid
    before, held = kit.server.descriptors(), fake_cuda.counts(pid)["opened"]
    for _ in range(100):
        kit.client.unregister_cuda_shared_memory(region.name)
        region.register()
    wait_until(lambda: kit.server.descriptors() <= before, "the descriptors to be closed")
    assert fake_cuda.counts(pid)["opened"] == held


def private_kib(pid: int) -> int:
    """Memory that only this process has written: pages of libraries become shared and private as
    other processes come and go.
    """
    with open(f"/proc/{pid}/smaps_rollup") as lines:
        return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty"))


@pytest.mark.parametrize("kind", [SystemRegion, CudaRegion])
def test_memory_stays_flat_over_thousands_of_registrations(server, kind):
    client = tritonclient.http.InferenceServerClient(f"127.0.0.1:{server.http}")
    with kind(SIZE) as region:

        def cycle(count: int) -> int:
            for _ in range(count):
                region.register(client)
                region.unregister(client)
            return private_kib(server.process.pid)

        before = cycle(1000)  # warm
        assert cycle(5000) - before < 100  # 20 bytes a registration would be more
    client.close()


def test_without_a_driver_all_else_works(start):
    server = start("memory.py")
    assert b"cuda_shared_memory" not in server.get("/v2")[1]
    reason = "'r', GPUs not supported: expected NVIDIA's driver library, got: libcuda.so.1"
    handle = base64.b64encode(bytes(64))
    for module, port in ((tritonclient.http, server.http), (tritonclient.grpc, server.grpc)):
        client = module.InferenceServerClient(f"127.0.0.1:{port}")
        text = error_of(lambda c=client: c.register_cuda_shared_memory("r", handle, 0, 1))
        assert text.startswith("failed to register CUDA shared memory region: " + reason)
        assert "Unable to find cuda" in error_of(
            lambda c=client: c.get_cuda_shared_memory_status("r")
        )
        client.unregister_cuda_shared_memory("r")
        client.unregister_cuda_shared_memory()
        client.close()
    tensor = {"name": "IN", "datatype": "FP32", "shape": [1, 1], "data": [2]}
    assert server.infer("double", tensor)[1]["outputs"][0]["data"] == [4]
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("options", "error", "blocks"),
    [
        ((), "", 1),
        (("--pinned-memory-pool-byte-size=0",), "", 0),
        (("--pinned-memory-pool-byte-size=100",), "", 1),  # too small for anything
        ((), "cuMemHostAlloc 2", 0),
    ],
)
def test_bytes_are_staged_in_pinned_memory_or_elsewhere(start, fake_cuda, options, error, blocks):
    fake_cuda.fail(*([error] if error else []))
    server = start("memory.py", *options, environment=fake_cuda.environment)
    client = tritonclient.http.InferenceServerClient(f"127.0.0.1:{server.http}")
    data = np.arange(100, dtype=np.float32)
    with CudaRegion(SIZE) as region:
        region.register(client)
        given = tritonclient.http.InferInput("IN", [1, 100], "FP32")
        place_input(given, region.write(data))
        assert fake_cuda.counts(server.process.pid)["host_blocks"] == 0  # not before it is used
        for _ in range(2):
            found = client.infer("double", [given]).as_numpy("OUT")
            np.testing.assert_array_equal(found[0], data * 2)
    client.close()
    fake_cuda.fail()
    assert fake_cuda.counts(server.process.pid)["host_blocks"] == blocks
    warning = "Unable to allocate pinned system memory"
    assert server.stop() == 0
    assert server.log.count(warning) == (1 if error else 0)


def test_a_driver_is_named_as_an_extension(server):
    assert "cuda_shared_memory" in json.loads(server.get("/v2")[1])["extensions"]


def test_registering_needs_permission(start, fake_cuda):
    body = b'{"raw_handle":{"b64":"AA=="},"device_id":0,"byte_size":1}'
    path = "/v2/cudasharedmemory/region/r/register"
    closed = start("memory.py", "--allow-client-shm=false", environment=fake_cuda.environment)
    status, answer = closed.call("POST", path, body)
    assert (status, b"Client shared memory is disabled" in answer) == (501, True)
    guarded = start("small.py", environment=fake_cuda.environment)
    assert guarded.call("POST", path, body)[0] == 403
