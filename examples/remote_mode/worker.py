"""Attaches a model to the server; start it with the server's address."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import numpy as np

from pytriton.decorators import batch
from pytriton.model_config import Tensor
from pytriton.triton import RemoteTriton

Numbers = Annotated[np.ndarray, Tensor(shape=(-1,), dtype="float32")]
TOKEN = os.environ.get("PYTRITON_ACCESS_TOKEN", "remote-mode-example")


@batch
def double(x: Numbers) -> Numbers:
    return [x * 2]


if __name__ == "__main__":
    url = sys.argv[1] if len(sys.argv) > 1 else "localhost:8000"
    with RemoteTriton(url, access_token=TOKEN) as triton:
        triton.bind("double", double)
        print("attached", flush=True)
        triton.serve()
