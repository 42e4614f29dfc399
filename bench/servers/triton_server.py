"""Serves AddSub with `pytriton.triton.Triton`: this project's, or PyPI's nvidia-pytriton.

Both packages are named `pytriton`; which one runs is decided by the interpreter. The model is the
same for both, so that only the servers differ:

* `AddSub`: add and subtract behind the dynamic batcher.
* `Sleep`: the same, but each batch (at most 32 requests) takes 5 ms, and at most 64 requests wait.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, QueuePolicy, Tensor
from pytriton.triton import Triton, TritonConfig

MAX_BATCH_SIZE = 128
SLEEP_SECONDS = 0.005
SLEEP_BATCH_SIZE = 32
SLEEP_QUEUE_SIZE = 64

INPUTS = [
    Tensor(name="a", dtype=np.float32, shape=(-1,)),
    Tensor(name="b", dtype=np.float32, shape=(-1,)),
]
OUTPUTS = [
    Tensor(name="add", dtype=np.float32, shape=(-1,)),
    Tensor(name="sub", dtype=np.float32, shape=(-1,)),
]


@batch
def add_sub(a: np.ndarray, b: np.ndarray) -> dict[str, np.ndarray]:
    """Adds and subtracts; all arrays are float32 of shape [batch, elements]."""
    return {"add": a + b, "sub": a - b}


@batch
def slow_add_sub(a: np.ndarray, b: np.ndarray) -> dict[str, np.ndarray]:
    """As add_sub, after 5 ms."""
    time.sleep(SLEEP_SECONDS)
    return {"add": a + b, "sub": a - b}


def main() -> None:
    """Serves until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--http-port", type=int, required=True)
    parser.add_argument("--grpc-port", type=int, required=True)
    parser.add_argument("--metrics-port", type=int, required=True)
    parser.add_argument("--log-verbose", type=int, default=0)
    parser.add_argument("--slow-model", action="store_true", help="serve Sleep too")
    args = parser.parse_args()
    config = TritonConfig(
        http_address="127.0.0.1",
        grpc_address="127.0.0.1",
        http_port=args.http_port,
        grpc_port=args.grpc_port,
        metrics_port=args.metrics_port,
        log_verbose=args.log_verbose,
    )
    bounded = DynamicBatcher(default_queue_policy=QueuePolicy(max_queue_size=SLEEP_QUEUE_SIZE))
    with Triton(config=config) as triton:
        triton.bind(
            model_name="AddSub",
            infer_func=add_sub,
            inputs=INPUTS,
            outputs=OUTPUTS,
            config=ModelConfig(max_batch_size=MAX_BATCH_SIZE),
        )
        if args.slow_model:
            triton.bind(
                model_name="Sleep",
                infer_func=slow_add_sub,
                inputs=INPUTS,
                outputs=OUTPUTS,
                config=ModelConfig(max_batch_size=SLEEP_BATCH_SIZE, batcher=bounded),
            )
        triton.serve()


if __name__ == "__main__":
    main()
