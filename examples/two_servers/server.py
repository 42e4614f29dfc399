"""A server on free ports; start it as often as you like: `server.py 1`, `server.py 2`."""

from __future__ import annotations

import sys
from typing import Annotated

import numpy as np

from pytriton.decorators import batch
from pytriton.model_config import Tensor
from pytriton.triton import Triton, TritonConfig

Number = Annotated[np.ndarray, Tensor(shape=(1,), dtype="int32")]
SUMMAND = int(sys.argv[1]) if len(sys.argv) > 1 else 1


@batch
def add(x: Number) -> Number:
    return [x + SUMMAND]


if __name__ == "__main__":
    # Port 0: any free one. It can't be taken by another server between asking and binding.
    triton = Triton(config=TritonConfig(http_port=0, grpc_port=0, metrics_port=0))
    triton.bind("add", add)
    triton.run()
    print(f"serving at localhost:{triton.http_port}", flush=True)
    triton.serve()
