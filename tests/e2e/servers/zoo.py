"""Models for the end-to-end tests; `python -m pytriton.serve zoo.py` serves what is bound here."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import numpy as np

from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, QueuePolicy, Tensor
from pytriton.proxy.types import Request
from pytriton.triton import Triton, TritonSecurityConfig

Arrays = dict[str, np.ndarray]
# Open, so that the tests may ask for statistics.
triton = Triton(security_config=TritonSecurityConfig(restricted_endpoints=[]))


@batch
def identity(IN: np.ndarray) -> Arrays:
    return {"OUT": IN}


DATATYPES = {
    "BOOL": np.bool_,
    "UINT8": np.uint8,
    "UINT16": np.uint16,
    "UINT32": np.uint32,
    "UINT64": np.uint64,
    "INT8": np.int8,
    "INT16": np.int16,
    "INT32": np.int32,
    "INT64": np.int64,
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
    "BYTES": bytes,
    "BF16": "bfloat16",
}
for name, dtype in DATATYPES.items():
    triton.bind(
        model_name=f"identity_{name}",
        infer_func=identity,
        inputs=[Tensor(name="IN", dtype=dtype, shape=(-1,))],
        outputs=[Tensor(name="OUT", dtype=dtype, shape=(-1,))],
        config=ModelConfig(max_batch_size=8),
    )


@batch
def add_sub(a: np.ndarray, b: np.ndarray) -> Arrays:
    return {"sum": a + b, "difference": a - b}


triton.bind(
    model_name="add_sub",
    infer_func=add_sub,
    inputs=[Tensor(name=name, dtype=np.float32, shape=(4,)) for name in ("a", "b")],
    outputs=[Tensor(name=name, dtype=np.float32, shape=(4,)) for name in ("sum", "difference")],
    config=ModelConfig(max_batch_size=4),
)


def misbehave(requests: list[Request]) -> list[Arrays]:
    """What the input says: raise, or return something that does not fit the model."""
    how = bytes(requests[0].data["HOW"].flat[0]).decode()
    if how == "raise":
        raise ValueError("the callable is not amused")
    wrong = {
        "none": None,
        "count": [],
        "name": [{"NOPE": np.zeros((1, 1), np.float32)}],
        "shape": [{"OUT": np.zeros((1, 3), np.float32)}],
        "dtype": [{"OUT": np.zeros((1, 1), np.complex64)}],
        "fine": [{"OUT": np.ones((1, 1), np.float32)}],
    }
    return wrong[how]


triton.bind(
    model_name="misbehave",
    infer_func=misbehave,
    inputs=[Tensor(name="HOW", dtype=bytes, shape=(1,))],
    outputs=[Tensor(name="OUT", dtype=np.float32, shape=(1,))],
    config=ModelConfig(max_batch_size=1, batcher=None),
    strict=True,
)


def count_down(requests: list[Request]) -> Iterator[list[Arrays]]:
    """Streams N, N-1, ..., 1."""
    start = int(requests[0].data["N"].flat[0])
    for value in range(start, 0, -1):
        yield [{"OUT": np.array([[value]], dtype=np.int32)}]


async def count_down_async(requests: list[Request]) -> AsyncIterator[list[Arrays]]:
    for answer in count_down(requests):
        await asyncio.sleep(0)
        yield answer


for name, function in {"count_down": count_down, "count_down_async": count_down_async}.items():
    triton.bind(
        model_name=name,
        infer_func=function,
        inputs=[Tensor(name="N", dtype=np.int32, shape=(1,))],
        outputs=[Tensor(name="OUT", dtype=np.int32, shape=(1,))],
        config=ModelConfig(max_batch_size=1, decoupled=True),
    )


class Gate:
    """A model that records what it gets and waits while the gate is closed; `control` moves it."""

    def __init__(self) -> None:
        self.is_open = threading.Event()
        self.is_open.set()
        self.seen: list[int] = []

    def pass_through(self, requests: list[Request]) -> list[Arrays]:
        self.seen += [int(request.data["IN"].flat[0]) for request in requests]
        self.is_open.wait()
        return [{"OUT": request.data["IN"]} for request in requests]

    def control(self, requests: list[Request]) -> list[Arrays]:
        command = bytes(requests[0].data["COMMAND"].flat[0]).decode()
        if command == "close":
            self.is_open.clear()
            self.seen.clear()
        if command == "open":
            self.is_open.set()
        return [{"SEEN": np.array(self.seen, dtype=np.int32)}]


gate = Gate()
for name, policy in {"gate": None, "short_gate": QueuePolicy(max_queue_size=2)}.items():
    triton.bind(
        model_name=name,
        infer_func=gate.pass_through,
        inputs=[Tensor(name="IN", dtype=np.int32, shape=(1,))],
        outputs=[Tensor(name="OUT", dtype=np.int32, shape=(1,))],
        config=ModelConfig(max_batch_size=1, batcher=DynamicBatcher(default_queue_policy=policy)),
    )
triton.bind(
    model_name="control",
    infer_func=gate.control,
    inputs=[Tensor(name="COMMAND", dtype=bytes, shape=(1,))],
    outputs=[Tensor(name="SEEN", dtype=np.int32, shape=(-1,))],
    config=ModelConfig(batching=False),
)

if __name__ == "__main__":
    triton.serve()
