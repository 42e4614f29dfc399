"""bind(isolation="process"): callables in worker processes."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from python import isolated_callables as callables
from python.running import ANY_PORTS, Running
from pytriton import _isolation
from pytriton.exceptions import PyTritonValidationError
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

INT = [Tensor(shape=(-1,), dtype=np.int32, name="x")]
OUT = [Tensor(shape=(-1,), dtype=np.int32, name="y")]
ONE = np.ones((1, 1), np.int32)


@pytest.fixture(scope="module")
def server():
    """One server with a model for each kind of callable."""
    pid = Tensor(shape=(-1,), dtype=np.int32, name="pid")
    rows = Tensor(shape=(-1,), dtype=np.int32, name="rows")
    text = [Tensor(shape=(-1,), dtype=bytes, name="y")]
    factor = 5

    def closure(requests):
        return [{"y": request["x"] * factor} for request in requests]

    models = {
        "double": (callables.double, INT, [*OUT, pid, rows], {}),
        "two": ([callables.double, callables.double], INT, [*OUT, pid, rows], {"batcher": None}),
        "plain": (callables.plain, INT, OUT, {}),
        "generator": (callables.generator, INT, OUT, {"decoupled": True}),
        "coroutine": (callables.coroutine, INT, OUT, {}),
        "shout": (callables.shout, [Tensor(shape=(-1,), dtype=bytes, name="x")], text, {}),
        "breaks": (callables.breaks, INT, OUT, {}),
        "closure": (closure, INT, OUT, {}),
        "scaler": (callables.Scaler(7).infer, INT, OUT, {}),
        "echo": (callables.echo_request, INT, text, {}),
    }
    with contextlib.ExitStack() as stack:
        triton = Triton(config=TritonConfig(**ANY_PORTS))
        for name, (function, inputs, outputs, config) in models.items():
            triton.bind(
                name, function, inputs, outputs, config=ModelConfig(**config), isolation="process"
            )
        stack.enter_context(triton)
        running = Running(triton)
        stack.callback(running.close)
        yield running


def ask(server: Running, model: str, x: np.ndarray = ONE, **options):
    return server.infer("http", {"x": x}, model, **options)


def test_a_callable_runs_in_another_process(server: Running):
    answer = ask(server, "double", np.array([[1], [2]], np.int32))
    assert answer["y"].tolist() == [[2], [4]]
    assert answer["rows"].tolist() == [[2], [2]]
    assert answer["pid"][0, 0] != os.getpid()


def test_each_callable_of_a_list_has_its_process(server: Running):
    def pids() -> set[int]:
        found: list[int] = []

        def client() -> None:
            with_own = Running(server.triton)
            found.append(int(ask(with_own, "two")["pid"][0, 0]))
            with_own.close()

        threads = [threading.Thread(target=client) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return set(found)

    seen: set[int] = set()
    for _ in range(50):
        seen |= pids()
        if len(seen) == 2:
            break
    assert len(seen) == 2


@pytest.mark.parametrize(
    ("model", "expected"), [("plain", 2), ("coroutine", 2), ("closure", 5), ("scaler", 7)]
)
def test_callables_of_every_kind(server: Running, model: str, expected: int):
    assert ask(server, model)["y"].tolist() == [[expected]]


def test_a_generator_streams(server: Running):
    import queue

    import tritonclient.grpc as grpc

    came: queue.Queue = queue.Queue()
    server.grpc.start_stream(lambda result, error: came.put((result, error)))
    tensor = grpc.InferInput("x", [1, 1], "INT32")
    tensor.set_data_from_numpy(np.array([[3]], np.int32))
    server.grpc.async_stream_infer("generator", [tensor], enable_empty_final_response=True)
    values = []
    while True:
        result, error = came.get(timeout=60)
        assert error is None, error
        value = result.as_numpy("y")
        if value is None:
            break
        values.append(int(value[0, 0]))
    server.grpc.stop_stream()
    assert values == [3, 4, 5]


def test_strings_and_what_a_request_tells(server: Running):
    x = np.array([["é".encode()]], np.object_)
    assert ask(server, "shout", x)["y"].tolist() == [["É".encode()]]
    told = ask(server, "echo", request_id="me", parameters={"a": 1})["y"][0, 0].decode()
    assert told == "me {'a': 1} ['y']"


def test_errors_are_those_of_the_callable(server: Running):
    with pytest.raises(InferenceServerException) as caught:
        ask(server, "breaks", np.zeros((1, 1), np.int32))
    text = str(caught.value)
    assert "model 'breaks_0_0', message: TritonModelException: Model execute error:" in text
    assert "ValueError: no zero, please" in text
    assert ask(server, "breaks")["y"].tolist() == [[2]]


def test_a_callable_that_ends_its_process_ends_nothing_else(server: Running):
    with pytest.raises(InferenceServerException, match="is not healthy"):
        ask(server, "breaks", -ONE)
    assert ask(server, "breaks")["y"].tolist() == [[2]]
    assert ask(server, "plain")["y"].tolist() == [[2]]


def bind(function, **options) -> None:
    Triton(config=TritonConfig(**ANY_PORTS)).bind(
        "M", function, INT, OUT, isolation="process", **options
    )


def test_live_state_is_refused_by_name():
    lock = threading.Lock()

    def guarded(requests):
        with lock:
            return callables.plain(requests)

    with pytest.raises(TypeError, match=r"'.*guarded': the variable 'lock' .*_thread\.lock"):
        bind(guarded)
    scaler = callables.Scaler(1)
    scaler.lock = lock
    with pytest.raises(TypeError, match=r"its attribute 'lock', of type _thread\.lock"):
        bind(scaler.infer)


def test_without_cloudpickle_only_importable_callables_are_taken(monkeypatch):
    import pickle

    class Plain(pickle.Pickler):
        reducer_override = _isolation._CallablePickler.reducer_override

    monkeypatch.setattr(_isolation, "_HAS_CLOUDPICKLE", False)
    monkeypatch.setattr(_isolation, "_CallablePickler", Plain)
    bind(callables.double)
    bind(callables.Scaler(2).infer)
    with pytest.raises(TypeError, match="install cloudpickle"):
        bind(lambda requests: requests)


def test_other_isolations_and_bfloat16_are_refused():
    with pytest.raises(PyTritonValidationError, match="expected 'thread' or 'process', got 'vm'"):
        Triton().bind("M", callables.plain, INT, OUT, isolation="vm")
    with pytest.raises(PyTritonValidationError, match="bfloat16"):
        Triton().bind(
            "M",
            callables.plain,
            [Tensor(shape=(-1,), dtype="bfloat16", name="x")],
            OUT,
            isolation="process",
        )


def test_what_was_sent_goes_with_its_model(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    bind(callables.plain)
    import gc

    gc.collect()
    assert list(tmp_path.iterdir()) == []
