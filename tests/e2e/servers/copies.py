"""Models for the tests that count copies of tensor bytes."""

from __future__ import annotations

import numpy as np

from pytriton import _core
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonSecurityConfig

Arrays = dict[str, np.ndarray]
LARGE = 4 << 20  # elements: 16 MiB
triton = Triton(security_config=TritonSecurityConfig(restricted_endpoints=[]))


@batch
def sink(IN: np.ndarray) -> Arrays:
    """Reads both ends."""
    return {"OUT": IN[:, :1] + IN[:, -1:]}


@batch
def source(IN: np.ndarray) -> Arrays:
    """A large result, born here."""
    return {"OUT": np.full((len(IN), LARGE), IN[0, 0], np.float32)}


@batch
def echo(IN: np.ndarray) -> Arrays:
    return {"OUT": IN}


def copied(requests: list) -> list[Arrays]:
    """Bytes that this process has copied so far."""
    return [{"OUT": np.array([_core.copy_counts()[1]], np.int64)} for _ in requests]


PAIRS = DynamicBatcher(preferred_batch_size=[4], max_queue_delay_microseconds=60_000_000)
for name, function, config in (
    ("sink", sink, ModelConfig(max_batch_size=4)),
    ("source", source, ModelConfig(max_batch_size=4)),
    ("echo", echo, ModelConfig(max_batch_size=4)),
    ("four", sink, ModelConfig(max_batch_size=4, batcher=PAIRS)),
    ("copied", copied, ModelConfig(batching=False)),
):
    triton.bind(
        model_name=name,
        infer_func=function,
        inputs=[Tensor(name="IN", dtype=np.float32, shape=(-1,))],
        outputs=[
            Tensor(name="OUT", dtype=np.int64 if name == "copied" else np.float32, shape=(-1,))
        ],
        config=config,
    )

if __name__ == "__main__":
    triton.serve()
