"""Documented limitation: "deadlocks when several inference callables run at once with NCCL"."""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading

import numpy as np
import pytest

from python.running import ANY_PORTS, Running
from pytriton.model_config import ModelConfig, Tensor
from pytriton.model_config.common import ModelWarmup, WarmupInput
from pytriton.triton import Triton, TritonConfig

TENSORS = [Tensor(name="x", dtype=np.int32, shape=(1,))]
ROW = {"x": np.array([[7]], np.int32)}


class Collective:
    """Two resources which callables take in opposite order: interleaved, they deadlock."""

    def __init__(self) -> None:
        self.resources = (threading.Lock(), threading.Lock())
        self.inside = 0
        self.most_inside = 0

    def run(self, order, requests):
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        first, second = (self.resources[i] for i in order)
        with first:
            np.linalg.svd(np.ones((24, 24)))  # time in which the other may start
            if not second.acquire(timeout=20):
                raise RuntimeError("deadlock")
            second.release()
        self.inside -= 1
        return [{"x": request["x"]} for request in requests]


@pytest.fixture
def collective():
    return Collective()


def serve_two(collective, group):
    triton = Triton(config=TritonConfig(**ANY_PORTS))
    for name, order in (("ab", (0, 1)), ("ba", (1, 0))):

        def callable_(requests, order=order):
            return collective.run(order, requests)

        config = ModelConfig(max_batch_size=1, exclusive_group=group)
        triton.bind(name, [callable_, callable_], TENSORS, TENSORS, config=config)
    return triton


def ask(triton, model, count):
    running = Running(triton)
    try:
        return [running.infer("http", ROW, model=model)["x"].item() for _ in range(count)]
    finally:
        running.close()


def test_callables_of_one_group_never_run_at_once(collective):
    with serve_two(collective, "nccl") as triton, concurrent.futures.ThreadPoolExecutor(6) as pool:
        futures = [pool.submit(ask, triton, name, 10) for name in ("ab", "ba") * 3]
        assert [future.result() for future in futures] == [[7] * 10] * 6
    assert collective.most_inside == 1


def test_the_group_is_told_by_the_model_configuration(collective):
    with serve_two(collective, "nccl") as triton:
        running = Running(triton)
        parameters = running.http.get_model_config("ab")["parameters"]
        assert parameters["exclusive_group"] == {"string_value": "nccl"}
        running.close()


def test_coroutines_of_decoupled_models_wait_too():
    inside = []

    async def stream(requests):
        inside.append(1)
        assert len(inside) == 1
        await asyncio.sleep(0.001)
        yield [{"x": request["x"]} for request in requests]
        inside.pop()

    triton = Triton(config=TritonConfig(**ANY_PORTS))
    for name in ("one", "two"):
        config = ModelConfig(max_batch_size=1, decoupled=True, exclusive_group="g")
        triton.bind(name, stream, TENSORS, TENSORS, config=config)

    def generate(model):
        import urllib.request

        url = f"http://127.0.0.1:{triton.http_port}/v2/models/{model}/generate_stream"
        with urllib.request.urlopen(url, data=b'{"x": [7]}', timeout=60) as answer:
            return answer.read()

    with triton, concurrent.futures.ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(generate, ["one", "two"] * 10))
    assert all(b'"x":7' in answer for answer in answers), answers


def test_warm_up_waits_for_the_group(collective):
    entered, go = threading.Event(), threading.Event()

    def holding(requests):
        entered.set()
        assert go.wait(60)
        return collective.run((0, 1), requests)

    def warmed(requests):
        assert go.is_set()
        warmups.append(len(requests))
        return [{"x": request["x"]} for request in requests]

    warmups = []
    warmup = ModelWarmup("w", 1, {"x": WarmupInput(np.int32, (1,), zero_data=True)}, 1)
    triton = Triton(config=TritonConfig(**ANY_PORTS))
    triton.bind("held", holding, TENSORS, TENSORS, config=ModelConfig(exclusive_group="g"))
    with triton, concurrent.futures.ThreadPoolExecutor(2) as pool:
        answer = pool.submit(ask, triton, "held", 1)
        entered.wait(60)
        config = ModelConfig(exclusive_group="g", model_warmup=[warmup])
        bound = pool.submit(triton.bind, "warm", warmed, TENSORS, TENSORS, config=config)
        with pytest.raises(concurrent.futures.TimeoutError):
            bound.result(timeout=0.2)
        assert warmups == []
        go.set()
        bound.result()
        assert answer.result() == [7]
    assert warmups == [1]
