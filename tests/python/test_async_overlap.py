"""`async def` callables of one instance overlap up to the limit that their model states."""

from __future__ import annotations

import asyncio
import concurrent.futures

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from pytriton.model_config import Tensor

TENSORS = [Tensor(name="x", dtype=np.int32, shape=(1,))]
LIMIT = 3


class Meeting:
    """A callable that goes on when `size` of its calls have come together."""

    def __init__(self, size):
        self.size = size
        self.inside = 0
        self.most_inside = 0
        self.arrived = None

    async def __call__(self, requests):
        if self.arrived is None:
            self.arrived = asyncio.Event()
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        if self.inside == self.size:
            self.arrived.set()
        await asyncio.wait_for(self.arrived.wait(), 60)
        await asyncio.sleep(0)
        self.inside -= 1
        return [{"x": request["x"] * 2} for request in requests]


def ask_many(running, protocol, values):
    from python.running import Running

    def ask(value):
        own = Running(running.triton)
        try:
            return own.infer(protocol, {"x": np.array([[value]], np.int32)})["x"].item()
        finally:
            own.close()

    with concurrent.futures.ThreadPoolExecutor(len(values)) as pool:
        return list(pool.map(ask, values))


def test_calls_overlap_up_to_the_limit(serve, protocol):
    meeting = Meeting(LIMIT)
    running = serve(meeting, TENSORS, TENSORS, max_batch_size=1, max_concurrent_calls=LIMIT)
    values = list(range(12))
    assert ask_many(running, protocol, values) == [2 * value for value in values]
    assert meeting.most_inside == LIMIT


def test_by_default_they_do_not_overlap(serve):
    meeting = Meeting(1)
    running = serve(meeting, TENSORS, TENSORS, max_batch_size=1)
    ask_many(running, "http", list(range(8)))
    assert meeting.most_inside == 1


def test_errors_are_those_of_any_callable(serve, protocol):
    async def fail(requests):
        raise ZeroDivisionError("by zero")

    running = serve(fail, TENSORS, TENSORS, max_concurrent_calls=LIMIT)
    with pytest.raises(InferenceServerException) as error:
        running.infer(protocol, {"x": np.zeros((1, 1), np.int32)})
    assert "Failed to process the request(s) for model 'M_0_0'" in str(error.value)
    assert "ZeroDivisionError: by zero" in str(error.value)


def test_bad_results_are_errors(serve):
    async def nothing(requests):
        return []

    running = serve(nothing, TENSORS, TENSORS, max_concurrent_calls=LIMIT)
    with pytest.raises(InferenceServerException, match="does not match number of requests"):
        running.infer("http", {"x": np.zeros((1, 1), np.int32)})
