"""The tests of device memory that need no fake, on a real GPU and its driver."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

from e2e.harness import Server
from pytriton.client import FuturesModelClient, ModelClient
from pytriton.client.exceptions import PyTritonClientInferenceServerError
from pytriton.shared_memory import CudaRegion, place_input, place_output

ROWS = np.arange(12, dtype=np.float32).reshape(2, 6)
GOAL = 1024


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("gpu")
    server = Server("devices.py", folder, "--pinned-memory-pool-byte-size=16777216").wait_ready()
    yield server
    assert server.process.poll() is None, f"the server died:\n{server.log}"
    assert server.get("/v2/cudasharedmemory/status") == (200, b"[]"), "a test left regions"
    assert server.stop() == 0, server.log


@pytest.fixture(params=["http", "grpc"])
def url(request: pytest.FixtureRequest, server: Server) -> str:
    return f"{request.param}://127.0.0.1:{getattr(server, request.param)}"


@pytest.mark.parametrize(
    ("model", "result"),
    [
        ("echo", ROWS),
        ("requests", ROWS),
        ("double", ROWS * 2),
        ("interface", ROWS * 3),
        ("to_host", ROWS + 1),
        ("from_host", ROWS - 1),
    ],
)
def test_tensors_travel_as_handles(url, model, result):
    with ModelClient(url, model) as client, CudaRegion(4096) as region:
        region.register(client)
        given = region.write(ROWS)
        wanted = region.reserve("FP32", ROWS.shape, offset=GOAL)
        client.infer_batch(given, outputs={"OUT": wanted})
        np.testing.assert_array_equal(region.read(wanted), result)
        np.testing.assert_array_equal(client.infer_batch(given)["OUT"], result)
        np.testing.assert_array_equal(client.infer_batch(ROWS)["OUT"], result)


def test_a_batch_is_gathered_on_the_device(server):
    url = f"grpc://127.0.0.1:{server.grpc}"
    with ModelClient(url, "pairs") as registrar, CudaRegion(4096) as region:
        region.register(registrar)
        places = [region.write(ROWS[i : i + 1], offset=256 * i) for i in (0, 1)]
        with FuturesModelClient(url, "pairs") as client:
            answers = [client.infer_batch(place) for place in places]
            found = [answer.result()["OUT"] for answer in answers]
        np.testing.assert_array_equal(np.concatenate(found), ROWS)


@pytest.mark.parametrize("module", [tritonclient.http, tritonclient.grpc])
def test_stock_clients_use_their_own_memory(server, module):
    cuda = pytest.importorskip("tritonclient.utils.cuda_shared_memory", exc_type=Exception)
    port = server.http if module is tritonclient.http else server.grpc
    client = module.InferenceServerClient(f"127.0.0.1:{port}")
    handle = cuda.create_shared_memory_region("stock", 4096, 0)
    client.register_cuda_shared_memory("stock", cuda.get_raw_handle(handle), 0, 4096)
    cuda.set_shared_memory_region(handle, [ROWS])
    given = module.InferInput("IN", list(ROWS.shape), "FP32")
    given.set_shared_memory("stock", ROWS.nbytes)
    wanted = module.InferRequestedOutput("OUT")
    wanted.set_shared_memory("stock", ROWS.nbytes)
    client.infer("double", [given], outputs=[wanted])
    found = cuda.get_contents_as_numpy(handle, np.float32, list(ROWS.shape))
    np.testing.assert_array_equal(found, ROWS * 2)
    client.unregister_cuda_shared_memory("stock")
    cuda.destroy_shared_memory_region(handle)
    client.close()


def test_only_what_is_there_is_registered(server):
    client = tritonclient.http.InferenceServerClient(f"127.0.0.1:{server.http}")
    with CudaRegion(4096) as region:
        handle = base64.b64encode(region.raw_handle)
        for raw, device, size in (
            (handle, 0, 1 << 40),
            (handle, 0, 0),
            (handle, 1000, 1),
            (base64.b64encode(b"\xff" * 64), 0, 1),
        ):
            with pytest.raises(InferenceServerException, match="invalid args"):
                client.register_cuda_shared_memory("bad", raw, device, size)
        region.register(client)
        given = tritonclient.http.InferInput("IN", [1, 1], "FP32")
        given.set_shared_memory(region.name, 4, 4096)
        with pytest.raises(InferenceServerException, match="Invalid offset"):
            client.infer("echo", [given])
    client.close()


def test_registering_again_and_again_leaves_nothing(server):
    with ModelClient(f"http://127.0.0.1:{server.http}", "echo") as client, CudaRegion(1 << 20) as r:
        r.register(client)
        r.unregister(client)
        before = server.descriptors()
        for _ in range(1000):
            r.register(client)
            r.unregister(client)
        assert server.descriptors() <= before


def test_wrong_results_are_refused(url):
    for model, text in (("strided", "got strides"), ("wrong_type", "got FP64")):
        with ModelClient(url, model) as client:
            with pytest.raises(PyTritonClientInferenceServerError, match=text):
                client.infer_batch(ROWS)


@pytest.mark.parametrize("library", ["cupy", "torch"])
def test_array_libraries_take_and_give_device_memory(library):
    arrays = pytest.importorskip(library)
    with CudaRegion(4096) as region:
        view = region.view(region.write(ROWS))
        if library == "torch":
            taken = arrays.from_dlpack(view)
            assert taken.data_ptr() == view.__cuda_array_interface__["data"][0]
        else:
            taken = arrays.from_dlpack(view)
            assert taken.data.ptr == view.__cuda_array_interface__["data"][0]
        copied = region.write(taken * 2, offset=GOAL)
        np.testing.assert_array_equal(region.read(copied), ROWS * 2)


def test_places_fit_stock_clients():
    """Helpers that need no server."""
    with CudaRegion(64) as region:
        tensor = region.reserve("FP32", (1, 2))
        given = place_input(tritonclient.http.InferInput("IN", [1, 2], "FP32"), tensor)
        wanted = place_output(tritonclient.http.InferRequestedOutput("OUT"), tensor)
        assert given._get_tensor()["parameters"]["shared_memory_region"] == region.name
        assert wanted._get_tensor()["parameters"]["shared_memory_byte_size"] == 8
