"""The server of bench/clients.py: gives back what it gets."""

from __future__ import annotations

import numpy as np

from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton


@batch
def identity(x):
    return {"y": x}


triton = Triton()
triton.bind(
    model_name="identity",
    infer_func=identity,
    inputs=[Tensor(name="x", dtype=np.float32, shape=(-1,))],
    outputs=[Tensor(name="y", dtype=np.float32, shape=(-1,))],
    config=ModelConfig(max_batch_size=64),
)
