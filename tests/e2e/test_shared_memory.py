"""Client memory in use: regions registered by stock clients, read and written in place."""

from __future__ import annotations

import os
import threading
import types
import uuid
from collections.abc import Iterator

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
import tritonclient.utils.shared_memory as shm
from tritonclient.utils import InferenceServerException, serialize_byte_tensor

from e2e.harness import Server, wait_until
from e2e.region_kit import FLOAT, error_of, region_kit

PAGE = 4096


class Region:
    """One region of a stock client: an object in /dev/shm, registered under a name of its own."""

    def __init__(self, client, size: int, offset: int = 0, name: str | None = None) -> None:
        self.name = name or f"region_{uuid.uuid4().hex}"
        self.key = f"/test_{uuid.uuid4().hex}"
        self.size = size
        self.handle = shm.create_shared_memory_region(self.name, self.key, offset + size)
        self.client = client
        client.register_system_shared_memory(self.name, self.key, size, offset=offset)

    def truncate(self, size: int) -> None:
        os.truncate(f"/dev/shm{self.key}", size)

    def close(self) -> None:
        self.client.unregister_system_shared_memory(self.name)
        if os.path.exists(f"/dev/shm{self.key}"):
            shm.destroy_shared_memory_region(self.handle)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server("memory.py", tmp_path_factory.mktemp("memory")).wait_ready()
    yield server
    assert server.process.poll() is None, f"the server died:\n{server.log}"
    assert server.get("/v2/systemsharedmemory/status") == (200, b"[]"), "a test left regions"
    assert server.stop() == 0, server.log


@pytest.fixture(params=["http", "grpc"])
def kit(request: pytest.FixtureRequest, server: Server) -> Iterator[types.SimpleNamespace]:
    """A stock client with what makes its inputs, and regions that go with the test."""
    yield from region_kit(server, request.param, Region)


def test_tensors_stay_in_the_regions(kit):
    source, target = kit.region(1 << 20), kit.region(1 << 20)
    data = np.arange(1000, dtype=np.float32)
    shm.set_shared_memory_region(source.handle, [data], offset=64)
    kit.client.infer(
        "double",
        [kit.place(source, 1000, offset=64)],
        outputs=[kit.wish(target, 1000 * FLOAT, offset=128)],
    )
    found = shm.get_contents_as_numpy(target.handle, np.float32, [1000], offset=128)
    np.testing.assert_array_equal(found, data * 2)


def test_an_answer_names_outputs_without_bytes(server):
    with_client = tritonclient.http.InferenceServerClient(f"127.0.0.1:{server.http}")
    region = Region(with_client, PAGE)
    shm.set_shared_memory_region(region.handle, [np.array([1, 2], np.float32)])
    place = {"shared_memory_region": region.name, "shared_memory_byte_size": 8}
    tensor = {"name": "IN", "datatype": "FP32", "shape": [1, 2], "parameters": place}
    status, answer = server.infer("echo", tensor, outputs=[{"name": "OUT", "parameters": place}])
    assert status == 200, answer
    assert answer["outputs"] == [{"name": "OUT", "datatype": "FP32", "shape": [1, 2]}]
    tensor["parameters"]["binary_data_size"] = 8
    status, answer = server.infer("echo", tensor)
    assert status == 400
    assert "But set 'binary_data_size' 'shared_memory_region'" in answer["error"]
    region.close()
    with_client.close()


def test_regions_and_sockets_mix(kit):
    source = kit.region(PAGE)
    data = np.arange(5, dtype=np.float32)
    shm.set_shared_memory_region(source.handle, [data])
    result = kit.client.infer("double", [kit.place(source, 5)])
    np.testing.assert_array_equal(result.as_numpy("OUT")[0], data * 2)


def test_strings_travel_in_regions(kit):
    source, target = kit.region(PAGE), kit.region(PAGE)
    texts = np.array([b"one", b"", b"three" * 20], dtype=object)
    shm.set_shared_memory_region(source.handle, [serialize_byte_tensor(texts)])
    size = sum(4 + len(text) for text in texts)
    given = kit.place(source, 3, "BYTES", size=size)
    kit.client.infer("texts", [given], outputs=[kit.wish(target, PAGE)])
    found = shm.get_contents_as_numpy(target.handle, np.object_, [3])
    assert list(found) == list(texts)
    short = kit.place(source, 3, "BYTES", size=size - 1)
    assert "incomplete string data" in error_of(lambda: kit.client.infer("texts", [short]))


def test_a_region_begins_at_its_offset(kit):
    region = kit.region(64, offset=PAGE + 12)
    data = np.array([7, 8, 9], np.float32)
    shm.set_shared_memory_region(region.handle, [data], offset=PAGE + 12 + 4)
    result = kit.client.infer("double", [kit.place(region, 3, offset=4)])
    np.testing.assert_array_equal(result.as_numpy("OUT")[0], data * 2)


def test_status_tells_what_is_registered(kit):
    region = kit.region(100, offset=50)
    if kit.module is tritonclient.http:
        found = kit.client.get_system_shared_memory_status(region.name)
        row = {"name": region.name, "key": region.key, "offset": 50, "byte_size": 100}
        assert found == [row]
    else:
        found = kit.client.get_system_shared_memory_status(region.name).regions
        assert list(found) == [region.name]
        row = found[region.name]
        assert (row.key, row.offset, row.byte_size) == (region.key, 50, 100)
    text = error_of(lambda: kit.client.get_system_shared_memory_status("unknown"))
    assert "Unable to find system shared memory region: 'unknown'" in text


def test_errors_say_what_is_wrong(kit):
    region = kit.region(PAGE)
    infer, place, wish = kit.client.infer, kit.place, kit.wish

    def text_of(given, *wanted) -> str:
        return error_of(lambda: infer("echo", [given], outputs=list(wanted) or None))

    assert text_of(place(region, 1, offset=PAGE)) == (
        f"Invalid offset for shared memory region: '{region.name}'"
    )
    beyond = f"Invalid offset + byte size for shared memory region: '{region.name}'"
    assert text_of(place(region, 1, offset=PAGE - 3)) == beyond
    assert text_of(place(region, 1, size=2**63 - 1, offset=8)) == beyond
    assert text_of(place(region, 2), wish(region, 4)) == (
        "shared memory size specified with the request for output 'OUT' (4 bytes) should be at "
        "least 8 bytes to hold the results"
    )
    assert "Expected 8, got 12" in text_of(place(region, 2, size=12))
    name, region.name = region.name, "unknown"
    assert text_of(place(region, 1)) == "Unable to find shared memory region: 'unknown'"
    region.name = name

    def register(name: str, key: str, size: int) -> str:
        return error_of(lambda: kit.client.register_system_shared_memory(name, key, size))

    assert register(region.name, region.key, 1) == (
        f"shared memory region '{region.name}' already in manager"
    )
    assert register("new", region.key, PAGE + 1) == (
        "failed to register shared memory region 'new': invalid args"
    )
    assert register("new", "/none", 1) == "Unable to open shared memory region: '/none'"
    assert "invalid shm key" in register("new", "/../../etc/passwd", 1)


def test_a_callable_cannot_change_what_the_client_sent(kit):
    region = kit.region(PAGE)
    shm.set_shared_memory_region(region.handle, [np.ones(4, np.float32)])
    text = error_of(lambda: kit.client.infer("overwrite", [kit.place(region, 4)]))
    assert "read-only" in text
    found = shm.get_contents_as_numpy(region.handle, np.float32, [4])
    np.testing.assert_array_equal(found, np.ones(4, np.float32))


def command(server: Server, text: str) -> None:
    tensor = {"name": "COMMAND", "datatype": "BYTES", "shape": [1], "data": [text]}
    status, answer = server.infer("control", tensor)
    assert status == 200, answer


def start_held(kit, region: Region, count: int) -> tuple[threading.Thread, list]:
    """An inference that the model has taken, and has not read yet."""
    outcome: list = []

    def run() -> None:
        # tritonclient's HTTP client belongs to the thread that made it.
        port = kit.server.http if kit.module is tritonclient.http else kit.server.grpc
        client = kit.module.InferenceServerClient(f"127.0.0.1:{port}")
        try:
            outcome.append(client.infer("held", [kit.place(region, count)]).as_numpy("OUT"))
        except InferenceServerException as error:
            outcome.append(error.message())
        client.close()

    thread = threading.Thread(target=run)
    thread.start()
    command(kit.server, "wait")
    return thread, outcome


@pytest.mark.parametrize("size", [0, 100, PAGE])
def test_shrinking_under_a_running_request_is_its_error(kit, size):
    count = 4 * PAGE // FLOAT
    region = kit.region(4 * PAGE)
    shm.set_shared_memory_region(region.handle, [np.ones(count, np.float32)])
    thread, outcome = start_held(kit, region, count)
    region.truncate(size)
    command(kit.server, "go")
    thread.join()
    assert "took memory away" in outcome[0]
    assert "took memory away" in error_of(lambda: kit.client.infer("echo", [kit.place(region, 1)]))
    assert kit.server.get("/v2/health/live")[0] == 200


def test_shrinking_the_place_of_an_output_is_an_error(kit):
    region = kit.region(4 * PAGE)
    region.truncate(PAGE)
    given = kit.module.InferInput("IN", [1, PAGE], "FP32")
    given.set_data_from_numpy(np.ones((1, PAGE), np.float32))
    text = error_of(
        lambda: kit.client.infer("double", [given], outputs=[kit.wish(region, 4 * PAGE)])
    )
    assert "took memory away" in text


def test_a_region_that_is_unlinked_and_unregistered_lives_until_its_last_use(kit):
    count = 4 * PAGE // FLOAT
    region = kit.region(4 * PAGE)
    shm.set_shared_memory_region(region.handle, [np.ones(count, np.float32)])
    thread, outcome = start_held(kit, region, count)
    kit.client.unregister_system_shared_memory(region.name)
    os.unlink(f"/dev/shm{region.key}")
    text = error_of(lambda: kit.client.infer("echo", [kit.place(region, 1)]))
    assert text == f"Unable to find shared memory region: '{region.name}'"
    command(kit.server, "go")
    thread.join()
    np.testing.assert_array_equal(outcome[0], [[count]])
    maps = f"/proc/{kit.server.process.pid}/maps"
    with open(maps) as lines:
        assert not [line for line in lines if region.key in line], "still mapped"


def test_registering_leaves_nothing_behind(kit):
    region = kit.region(PAGE)
    before = kit.server.descriptors()
    for _ in range(200):
        kit.client.unregister_system_shared_memory(region.name)
        kit.client.register_system_shared_memory(region.name, region.key, PAGE)
    kit.client.unregister_system_shared_memory(region.name)
    wait_until(lambda: kit.server.descriptors() < before, "the descriptors to be closed")


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ((), 500),  # every listener is local: the key is looked for, and there is none
        (("--allow-client-shm=false",), 501),
        (("--http-address", "0.0.0.0"), 501),
        (("--http-address", "0.0.0.0", "--allow-client-shm=true"), 500),
    ],
)
def test_only_this_machine_may_register_unless_told_so(start, options, status):
    server = start("memory.py", *options)
    body = b'{"key":"/none","byte_size":1}'
    got, answer = server.call("POST", "/v2/systemsharedmemory/region/r/register", body)
    assert got == status, answer
    has_extension = "system_shared_memory" in server.get("/v2")[1].decode()
    assert has_extension == (status == 500)


def test_registering_asks_for_the_access_token_by_default(start):
    server = start("small.py")
    status, answer = server.call("POST", "/v2/systemsharedmemory/region/r/register", b"{}")
    assert status == 403, answer
    client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{server.grpc}")
    text = error_of(lambda: client.register_system_shared_memory("r", "/none", 1))
    assert "restricted" in text
    client.close()
