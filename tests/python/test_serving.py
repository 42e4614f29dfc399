"""Callables of every form, served to stock clients."""

from __future__ import annotations

import asyncio
import copy
import functools
import pickle
import threading
import urllib.request

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from pytriton.decorators import batch, fill_optionals, sample
from pytriton.model_config import DynamicBatcher, Tensor
from pytriton.proxy.types import Response

X = [Tensor(shape=(-1,), dtype=np.float32, name="x")]
Y = [Tensor(shape=(-1,), dtype=np.float32, name="y")]
ROWS = np.arange(6, dtype=np.float32).reshape(3, 2)


@batch
def double(x):
    return {"y": x * 2}


class Doubler:
    @batch
    def method(self, x):
        return {"y": x * 2}

    @batch
    def __call__(self, x):
        return [x * 2]


def plain(requests):
    return [{"y": request["x"] * 2} for request in requests]


async def coroutine(requests):
    await asyncio.sleep(0)
    return plain(requests)


def generator(requests):
    yield plain(requests)


async def async_generator(requests):
    yield plain(requests)


FORMS = {
    "batch": double,
    "method": Doubler().method,
    "object": Doubler(),
    "plain": plain,
    "lambda": lambda requests: plain(requests),
    "partial": functools.partial(plain),
    "coroutine": coroutine,
    "generator": generator,
    "async generator": async_generator,
    "responses": lambda requests: [Response(result) for result in plain(requests)],
    "instances": [double, double],
}


@pytest.mark.parametrize("form", FORMS)
def test_callables_of_every_form(serve, protocol, form):
    server = serve(FORMS[form], X, Y)
    result = server.infer(protocol, {"x": ROWS})
    assert list(result) == ["y"]
    np.testing.assert_array_equal(result["y"], ROWS * 2)
    assert result["y"].dtype == np.float32


def test_sample_without_batching(serve, protocol):
    server = serve(sample(lambda x: {"y": x * 2}), X, Y, batching=False)
    np.testing.assert_array_equal(server.infer(protocol, {"x": ROWS[0]})["y"], ROWS[0] * 2)


def test_requests_are_joined_into_batches(serve):
    first_runs, rest_waits = threading.Event(), threading.Event()
    sizes = []

    @batch
    def function(x):
        sizes.append(len(x))
        first_runs.set()
        assert rest_waits.wait(30)
        return {"y": x * 2}

    server = serve(function, X, Y, max_batch_size=16, batcher=DynamicBatcher())
    results = {}

    def call(i):
        results[i] = grpc_infer(server, np.full((i, 2), i, np.float32))

    threads = [threading.Thread(target=call, args=(i,)) for i in range(1, 5)]
    threads[0].start()
    assert first_runs.wait(30)
    for thread in threads[1:]:
        thread.start()
    wait_until_queued(server, 3)
    rest_waits.set()
    for thread in threads:
        thread.join()
    assert sizes == [1, 9]
    for i in range(1, 5):
        np.testing.assert_array_equal(results[i], np.full((i, 2), 2 * i))


def grpc_infer(server, rows):
    return server.infer("grpc", {"x": rows})["y"]


def wait_until_queued(server, count):
    """The pending gauge counts requests that wait."""
    pause = threading.Event()
    for _ in range(3000):
        if queued_requests(server) >= count:
            return
        pause.wait(0.01)
    raise AssertionError(f"{count} requests never waited")


def queued_requests(server):
    url = f"http://127.0.0.1:{server.triton.metrics_port}/metrics"
    with urllib.request.urlopen(url, timeout=10) as response:
        text = response.read().decode()
    lines = [line for line in text.splitlines() if line.startswith("nv_inference_pending_request")]
    return int(float(lines[0].rsplit(" ", 1)[1])) if lines else 0


def test_instances_run_on_fixed_threads(serve):
    threads = [set(), set()]

    def instance(i, requests):
        threads[i].add((threading.get_ident(), threading.current_thread().name))
        return plain(requests)

    server = serve([functools.partial(instance, i) for i in range(2)], X, Y)
    for _ in range(20):
        server.infer("http", {"x": ROWS})
    used = [t for t in threads if t]
    assert used
    assert all(len(t) == 1 for t in used)
    assert all(name.startswith("inference_handler-") for t in used for _, name in t)


def test_request_tells_parameters_outputs_and_id(serve, protocol):
    seen = []

    def function(requests):
        seen.extend(requests)
        return plain(requests)

    server = serve(function, X, Y)
    server.infer(
        protocol,
        {"x": ROWS},
        outputs=["y"],
        request_id="abc",
        parameters={"s": "text", "i": 3, "b": True},
    )
    (request,) = seen
    assert request.parameters == {"s": "text", "i": 3, "b": True}
    assert request.requested_output_names == ["y"]
    assert request.id == "abc"
    assert request.cancelled is False
    request["x"][:] = 0  # a callable may write to its inputs


def test_optional_inputs_are_absent(serve, protocol):
    seen = []

    def function(requests):
        seen.append(sorted(requests[0]))
        return plain(requests)

    optional = Tensor(shape=(1,), dtype=np.int32, name="n", optional=True)
    server = serve(function, [*X, optional], Y)
    server.infer(protocol, {"x": ROWS})
    server.infer(protocol, {"x": ROWS, "n": np.ones((3, 1), np.int32)})
    assert seen == [["x"], ["n", "x"]]


def test_optional_inputs_under_batch(serve):
    def function(x, n=None):
        return {"y": x * (1 if n is None else n)}

    optional = Tensor(shape=(1,), dtype=np.float32, name="n", optional=True)
    server = serve(batch(function), [*X, optional], Y)
    np.testing.assert_array_equal(server.infer("http", {"x": ROWS})["y"], ROWS)
    n = np.full((3, 1), 5, np.float32)
    np.testing.assert_array_equal(server.infer("http", {"x": ROWS, "n": n})["y"], ROWS * 5)


def test_fill_optionals_over_batch(serve):
    function = fill_optionals(n=np.array([3], np.float32))(batch(lambda x, n: [x * n]))
    optional = Tensor(shape=(1,), dtype=np.float32, name="n", optional=True)
    server = serve(function, [*X, optional], Y)
    np.testing.assert_array_equal(server.infer("http", {"x": ROWS})["y"], ROWS * 3)


def test_unnamed_tensors_are_numbered(serve, protocol):
    tensor = Tensor(shape=(-1,), dtype=np.float32)
    server = serve(batch(lambda INPUT_1: [INPUT_1 * 2]), [tensor], [tensor])
    np.testing.assert_array_equal(server.infer(protocol, {"INPUT_1": ROWS})["OUTPUT_1"], ROWS * 2)


def test_kept_arrays_stay_valid(serve):
    kept = []

    @batch
    def function(x):
        kept.append(x)
        return {"y": x[:, ::-1]}

    server = serve(function, X, Y)
    for i in range(20):
        server.infer("http", {"x": ROWS + i})
    for i, array in enumerate(kept):
        np.testing.assert_array_equal(array, ROWS + i)


def test_an_output_buffer_that_the_callable_uses_again(serve):
    buffer = np.empty((1, 100_000), np.float32)

    @batch
    def function(x):
        buffer[:] = x
        return {"y": buffer}

    server = serve(function, X, Y, batcher=None)
    sent = [np.full((1, 100_000), i, np.float32) for i in range(8)]
    results = [None] * len(sent)

    def call(i):
        results[i] = server.grpc_infer(sent[i])

    server.grpc_infer = functools.partial(grpc_infer, server)
    threads = [threading.Thread(target=call, args=(i,)) for i in range(len(sent))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i, result in enumerate(results):
        np.testing.assert_array_equal(result, sent[i])


@pytest.mark.parametrize("columns", [1, 5000, 300_000])
def test_large_answers_leave_from_numpy(serve, protocol, columns):
    server = serve(double, X, Y)
    rows = np.arange(columns * 2, dtype=np.float32).reshape(2, columns)
    np.testing.assert_array_equal(server.infer(protocol, {"x": rows})["y"], rows * 2)


def test_identity_sends_the_input_back(serve, protocol):
    server = serve(batch(lambda x: {"y": x}), X, Y)
    rows = np.arange(200_000, dtype=np.float32).reshape(2, -1)
    for i in range(3):
        np.testing.assert_array_equal(server.infer(protocol, {"x": rows + i})["y"], rows + i)


def test_results_are_converted_to_the_declared_type(serve, protocol):
    server = serve(batch(lambda x: {"y": np.asfortranarray(x.astype(np.float64)), "no": x}), X, Y)
    result = server.infer(protocol, {"x": ROWS})
    assert result["y"].dtype == np.float32
    np.testing.assert_array_equal(result["y"], ROWS)


def test_empty_tensors(serve, protocol):
    server = serve(batch(lambda x: {"y": x}), X, Y)
    assert server.infer(protocol, {"x": np.zeros((2, 0), np.float32)})["y"].shape == (2, 0)


def fail(error):
    def function(requests):
        raise error

    return function


async def fail_later(requests):
    raise ZeroDivisionError("in a coroutine")


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (fail(ZeroDivisionError("by zero")), "ZeroDivisionError: by zero"),
        (batch(lambda x: 1 / 0), "ZeroDivisionError"),
        (fail_later, "ZeroDivisionError: in a coroutine"),
        (lambda requests: {"y": 1}, "must be list of response dicts with numpy arrays"),
        (lambda requests: [], "does not match number of requests"),
        (batch(lambda x: {"y": x[:1]}), "Received output tensors with different batch sizes"),
        (batch(lambda x: x), "Unsupported output type"),
        (batch(lambda x: {"y": np.full(3, "abc")}), "can't be converted"),
    ],
)
def test_errors_reach_only_the_client_that_asked(serve, protocol, function, text, caplog):
    server = serve([function], X, Y)
    for _ in range(2):
        with pytest.raises(InferenceServerException, match="(?s)" + text) as caught:
            server.infer(protocol, {"x": ROWS}, request_id="r17")
        assert "Failed to process the request(s) for model 'M_0_0'" in str(caught.value)
    logged = [r for r in caplog.records if "Exception while performing" in r.getMessage()]
    assert len(logged) == 2
    assert "r17" in logged[0].getMessage()
    assert server.http.is_model_ready("M")


def test_strict_models_refuse_other_types(serve, protocol):
    server = serve(batch(lambda x: {"y": x.astype(np.float64)}), X, Y, strict=True)
    with pytest.raises(InferenceServerException, match="has invalid type"):
        server.infer(protocol, {"x": ROWS})


@pytest.mark.parametrize("count", [0, 2])
def test_generator_without_decoupled_must_yield_once(serve, count):
    def function(requests):
        for _ in range(count):
            yield plain(requests)

    server = serve(function, X, Y)
    with pytest.raises(InferenceServerException, match="must give exactly one response"):
        server.infer("http", {"x": ROWS})


@pytest.mark.parametrize(
    ("way", "is_tied"),
    [
        (lambda request: pickle.loads(pickle.dumps(request)), False),
        (copy.copy, True),
        (copy.deepcopy, True),
    ],
    ids=["pickled", "copied", "deeply copied"],
)
def test_requests_can_be_copied_and_sent_to_other_processes(serve, way, is_tied):
    seen = []

    def function(requests):
        seen.extend(way(request) for request in requests)
        return plain(requests)

    running = serve(function, X, Y)
    running.infer("http", {"x": ROWS}, request_id="7", parameters={"word": "kept"})
    (other,) = seen
    assert other["x"].tolist() == ROWS.tolist()
    assert other.parameters["word"] == "kept"
    assert other.requested_output_names == ["y"]
    assert other.id == ("7" if is_tied else "")
    assert other.cancelled is False
