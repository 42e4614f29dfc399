"""How often the server copies tensor bytes: not at all, where it says so.

What came along with the head of a request is copied behind it; that is less than LITTLE.
"""

from __future__ import annotations

import concurrent.futures
import queue
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http

from e2e.fake_cuda import FakeCuda
from e2e.harness import Server
from pytriton.shared_memory import CudaRegion, Region, SystemRegion, place_input, place_output

COUNT = 4 << 20
SIZE = 4 * COUNT  # 16 MiB
LITTLE = SIZE // 16
DATA = np.arange(COUNT, dtype=np.float32).reshape(1, COUNT)

CONFIG = """
backend: "python"
max_batch_size: 4
input [ { name: "IN" data_type: TYPE_FP32 dims: [ -1 ] } ]
output [ { name: "OUT" data_type: TYPE_FP32 dims: [ -1 ] } ]
"""
WORKER = """
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            x = pb_utils.get_input_tensor_by_name(request, "IN").as_numpy()
            answers.append(pb_utils.InferenceResponse([pb_utils.Tensor("OUT", x + 1)]))
        return answers
"""
# Counts what its own process copies, and tells it last.
STREAM = """
import sys
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def initialize(self, args):
        results = sys.modules["pytriton_worker._results"].Results
        put = results.put
        self.copied = 0
        def counting(memory, data):
            self.copied += data.nbytes
            return put(memory, data)
        results.put = counting

    def execute(self, requests):
        for request in requests:
            sender = request.get_response_sender()
            x = pb_utils.get_input_tensor_by_name(request, "IN").as_numpy()
            self.copied = 0
            for number in range(3):
                output = pb_utils.Tensor("OUT", np.full((1, COUNT), x[0, 0] + number, np.float32))
                sender.send(pb_utils.InferenceResponse([output]))
            told = pb_utils.Tensor("OUT", np.array([[self.copied]], np.float32))
            sender.send(pb_utils.InferenceResponse([told]), 1)
""".replace("COUNT", str(COUNT))


@pytest.fixture(scope="module")
def server(fake_cuda: FakeCuda, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    fake_cuda.fail()
    folder = tmp_path_factory.mktemp("copies")
    version = folder / "models" / "worker" / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(WORKER)
    Path(folder / "models" / "worker" / "config.pbtxt").write_text(CONFIG)
    version = folder / "models" / "stream" / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(STREAM)
    decoupled = "model_transaction_policy { decoupled: true }"
    Path(folder / "models" / "stream" / "config.pbtxt").write_text(CONFIG + decoupled)
    options = ("--model-repository", str(folder / "models"))
    server = Server("copies.py", folder, *options, environment=fake_cuda.environment)
    yield server.wait_ready()
    assert server.stop() == 0, server.log


class Client:
    """A stock client, and what the server copied for its calls."""

    def __init__(self, module, server: Server, port: int) -> None:
        self.module, self.server = module, server
        self.client = module.InferenceServerClient(f"127.0.0.1:{port}")

    def copied(self) -> int:
        tensor = {"name": "IN", "datatype": "FP32", "shape": [1], "data": [0]}
        status, answer = self.server.infer("copied", tensor)
        assert status == 200, answer
        return answer["outputs"][0]["data"][0]

    def infer(self, model: str, data, target=None) -> tuple[np.ndarray, int]:
        """The output, and the bytes that were copied; `data`: an array or a place in a region."""
        given = self.module.InferInput("IN", list(data.shape), "FP32")
        if isinstance(data, np.ndarray):
            given.set_data_from_numpy(data)
        else:
            place_input(given, data)
        wanted = self.module.InferRequestedOutput("OUT")
        if target is not None:
            place_output(wanted, target)
        before = self.copied()
        result = self.client.infer(model, [given], outputs=[wanted])
        copied = self.copied() - before
        return (result.as_numpy("OUT") if target is None else target.region.read(target)), copied


@pytest.fixture
def http(server: Server) -> Iterator[Client]:
    client = Client(tritonclient.http, server, server.http)
    yield client
    client.client.close()


@pytest.fixture
def grpc(server: Server) -> Iterator[Client]:
    client = Client(tritonclient.grpc, server, server.grpc)
    yield client
    client.client.close()


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_large_request_is_received_where_the_callable_reads_it(protocol, request):
    """The frames of gRPC have heads between the bytes, which are received alone."""
    found, copied = request.getfixturevalue(protocol).infer("sink", DATA)
    assert found[0, 0] == DATA[0, 0] + DATA[0, -1]
    assert copied < LITTLE


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_large_result_is_sent_from_where_it_was_born(protocol, request):
    client = request.getfixturevalue(protocol)
    found, copied = client.infer("source", np.full((1, 1), 7, np.float32))
    assert found.shape == (1, COUNT)
    assert (found[0, 0], found[0, -1]) == (7, 7)
    assert copied == 0


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_an_echo_is_the_request_itself(protocol, request):
    found, copied = request.getfixturevalue(protocol).infer("echo", DATA)
    np.testing.assert_array_equal(found, DATA)
    assert copied < LITTLE


def test_a_gather_copies_each_request_once(server, http):
    part = DATA[:, : COUNT // 16]  # 1 MiB each

    def call(_: int) -> np.ndarray:
        client = Client(tritonclient.http, server, server.http)
        given = tritonclient.http.InferInput("IN", list(part.shape), "FP32")
        given.set_data_from_numpy(part)
        found = client.client.infer("four", [given]).as_numpy("OUT")
        client.client.close()
        return found

    before = http.copied()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for found in pool.map(call, range(4)):
            assert found[0, 0] == part[0, 0] + part[0, -1]
    copied = http.copied() - before
    assert 4 * part.nbytes <= copied < 5 * part.nbytes


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_region_is_read_in_place_and_written_once(protocol, request):
    client = request.getfixturevalue(protocol)
    with SystemRegion(2 * SIZE) as region:
        region.register(client.client)
        source = region.write(DATA)
        found, copied = client.infer("sink", source)
        assert found[0, 0] == DATA[0, 0] + DATA[0, -1]
        assert copied == 0
        target = region.reserve("FP32", DATA.shape, offset=SIZE)
        found, copied = client.infer("echo", source, target)
        np.testing.assert_array_equal(found, DATA)
        assert copied == SIZE


def moved(fake: FakeCuda, pid: int) -> tuple[int, int]:
    counts = fake.counts(pid)
    return counts["host_to_device"], counts["device_to_host"]


def test_device_memory_takes_one_copy_each_way_for_a_callable_on_the_host(server, http, fake_cuda):
    with CudaRegion(2 * SIZE) as region:
        region.register(http.client)
        source, target = region.write(DATA), region.reserve("FP32", DATA.shape, offset=SIZE)
        before = moved(fake_cuda, server.process.pid)
        found, copied = http.infer("echo", source, target)
        np.testing.assert_array_equal(found, DATA)
        after = moved(fake_cuda, server.process.pid)
        assert (after[0] - before[0], after[1] - before[1]) == (1, 1)
        assert copied == 2 * SIZE


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_worker_reads_and_answers_in_place(protocol, request):
    """Counted in the server; tests/python/test_worker_memory.py looks at the worker's own side."""
    found, copied = request.getfixturevalue(protocol).infer("worker", DATA)
    np.testing.assert_array_equal(found, DATA + 1)
    assert copied < LITTLE


def test_a_streamed_result_of_a_worker_is_sent_from_where_it_was_born(grpc):
    """From the second request on: the first shows that the model has large results."""
    given = tritonclient.grpc.InferInput("IN", [1, 1], "FP32")
    given.set_data_from_numpy(np.full((1, 1), 5, np.float32))
    answers: queue.Queue = queue.Queue()
    grpc.client.start_stream(lambda result, error: answers.put((result, error)))
    for copied_in_worker in (3 * SIZE, 0):
        before = grpc.copied()
        grpc.client.async_stream_infer("stream", [given])
        told = [answers.get(timeout=60) for _ in range(4)]
        assert [error for _, error in told] == [None] * 4
        *found, last = [result.as_numpy("OUT") for result, _ in told]
        for number, array in enumerate(found):
            np.testing.assert_array_equal(array, np.full((1, COUNT), 5 + number, np.float32))
        assert last[0, 0] == copied_in_worker
        assert grpc.copied() - before == 0
    grpc.client.stop_stream()


@pytest.mark.parametrize("kind", [SystemRegion, CudaRegion])
def test_a_worker_takes_regions_at_one_copy_in_and_one_out(http, kind):
    """The worker maps the server's memory, not the client's; from a device it is one copy more."""
    region: Region
    with kind(2 * SIZE) as region:
        region.register(http.client)
        source, target = region.write(DATA), region.reserve("FP32", DATA.shape, offset=SIZE)
        found, copied = http.infer("worker", source, target)
        np.testing.assert_array_equal(found, DATA + 1)
        assert copied == (2 if kind is SystemRegion else 3) * SIZE
