"""What a model's configuration says of requests that wait: order, limits, time-outs, batches."""

from __future__ import annotations

import threading
import urllib.request

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from python.running import Running
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, QueuePolicy, Tensor, TimeoutAction

X = [Tensor(shape=(1,), dtype=np.float32, name="x")]
Y = [Tensor(shape=(1,), dtype=np.float32, name="y")]


class Gate:
    """A callable whose first call waits; tells what came, call by call."""

    def __init__(self) -> None:
        self.calls: list[list[float]] = []
        self.entered, self.opened = threading.Event(), threading.Event()

    @batch
    def __call__(self, x):
        self.calls.append(x.ravel().tolist())
        self.entered.set()
        assert self.opened.wait(60)
        return {"y": x}


class Queue:
    """Requests that wait behind the first one."""

    def __init__(self, serve, **config) -> None:
        self.gate = Gate()
        self.server = serve(self.gate, X, Y, **config)
        self.threads: list[threading.Thread] = []
        self.send(0)
        assert self.gate.entered.wait(60)

    def send(self, number: float, **how) -> None:
        """From a thread with clients of its own; returns when the request is in the queue."""

        def run():
            running = Running(self.server.triton)
            try:
                running.infer("grpc", {"x": np.full((1, 1), number, np.float32)}, **how)
            finally:
                running.close()

        self.threads.append(threading.Thread(target=run))
        self.threads[-1].start()
        pause = threading.Event()
        for _ in range(6000):
            if self.gate.calls and self.waiting() >= len(self.threads) - 1:
                return
            pause.wait(0.01)
        raise AssertionError("the request never waited")

    def waiting(self) -> int:
        url = f"http://127.0.0.1:{self.server.triton.metrics_port}/metrics"
        with urllib.request.urlopen(url, timeout=30) as response:
            lines = response.read().decode().splitlines()
        values = [line for line in lines if line.startswith("nv_inference_pending_request_count")]
        return int(float(values[0].rsplit(" ", 1)[1])) if values else 0

    def refused(self) -> str:
        """What a request that must not wait is answered."""
        with pytest.raises(InferenceServerException) as error:
            self.server.infer("grpc", {"x": np.zeros((1, 1), np.float32)})
        return error.value.message()

    def finish(self) -> list[list[float]]:
        """Lets everything run; tells the calls."""
        self.gate.opened.set()
        for thread in self.threads:
            thread.join(60)
        return self.gate.calls


def test_priorities_overtake(serve):
    batcher = DynamicBatcher(priority_levels=2, default_priority_level=2)
    queue = Queue(serve, max_batch_size=1, batcher=batcher)
    for number, how in ((1, {}), (2, {"priority": 2}), (3, {"priority": 1})):
        queue.send(number, **how)
    assert queue.finish() == [[0], [3], [1], [2]]


def test_a_full_queue_refuses_at_once(serve):
    batcher = DynamicBatcher(default_queue_policy=QueuePolicy(max_queue_size=1))
    queue = Queue(serve, max_batch_size=1, batcher=batcher)
    queue.send(1)
    assert "queue" in queue.refused().lower()
    assert queue.finish() == [[0], [1]]


def test_a_request_that_waited_too_long_is_refused(serve):
    policy = QueuePolicy(TimeoutAction.REJECT, default_timeout_microseconds=20_000)
    queue = Queue(serve, max_batch_size=1, batcher=DynamicBatcher(default_queue_policy=policy))
    assert "timeout" in queue.refused().lower()
    assert queue.finish() == [[0]]


@pytest.mark.parametrize(
    ("config", "calls"),
    [
        ({"max_batch_size": 8}, [[0], [1, 2]]),
        ({"max_batch_size": 8, "batcher": None}, [[0], [1], [2]]),
        ({"max_batch_size": 8, "batcher": DynamicBatcher(preferred_batch_size=[2])}, [[0], [1, 2]]),
    ],
)
def test_waiting_requests_are_joined_only_by_a_batcher(serve, config, calls):
    queue = Queue(serve, **config)
    queue.send(1)
    queue.send(2)
    assert queue.finish() == calls
