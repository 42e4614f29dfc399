"""Attaches models to the server at argv[1] with the token argv[2]."""

from __future__ import annotations

import sys
import time

import numpy as np

from pytriton.decorators import batch
from pytriton.model_config import Tensor
from pytriton.triton import RemoteTriton

X = [Tensor(name="x", shape=(1,), dtype=np.float32)]
Y = [Tensor(name="y", shape=(1,), dtype=np.float32)]


@batch
def add(x):
    return {"y": x + 1}


async def wait(requests):
    """Until the process ends."""
    import asyncio

    print("waiting " * len(requests), flush=True)
    await asyncio.Event().wait()


@batch
def slow(x):
    print("begun", flush=True)
    time.sleep(1)
    return {"y": x}


if __name__ == "__main__":
    with RemoteTriton(sys.argv[1], access_token=sys.argv[2]) as triton:
        triton.bind("attached_add", add, X, Y)
        triton.bind("attached_wait", [wait, wait], X, Y)
        triton.bind("attached_slow", slow, X, Y)
        print("attached", flush=True)
        triton.serve()
