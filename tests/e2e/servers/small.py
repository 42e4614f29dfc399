"""One model and nothing else: for tests that start and stop servers."""

from __future__ import annotations

import time

import numpy as np

from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton


@batch
def sleepy(SECONDS: np.ndarray) -> dict[str, np.ndarray]:
    time.sleep(float(SECONDS.max()))
    return {"OUT": SECONDS}


triton = Triton()
triton.bind(
    model_name="sleepy",
    infer_func=sleepy,
    inputs=[Tensor(name="SECONDS", dtype=np.float32, shape=(1,))],
    outputs=[Tensor(name="OUT", dtype=np.float32, shape=(1,))],
    config=ModelConfig(max_batch_size=8),
)

if __name__ == "__main__":
    triton.serve()
