"""A PyTorch module on the CPU: it learns XOR at the start and serves what it learned."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import torch

from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton

Bits = Annotated[np.ndarray, Tensor(shape=(2,), dtype="float32")]
Chance = Annotated[np.ndarray, Tensor(shape=(1,), dtype="float32")]

torch.manual_seed(0)
module = torch.nn.Sequential(
    torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1), torch.nn.Sigmoid()
)
inputs = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
targets = torch.tensor([[0.0], [1.0], [1.0], [0.0]])
optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
for _ in range(300):
    optimizer.zero_grad()
    torch.nn.functional.binary_cross_entropy(module(inputs), targets).backward()
    optimizer.step()


@batch
def xor(bits: Bits) -> Chance:
    """`[batch, 2]` to `[batch, 1]`; the arrays are views, nothing is copied."""
    with torch.inference_mode():
        return [module(torch.from_numpy(bits)).numpy()]


if __name__ == "__main__":
    triton = Triton()
    triton.bind("xor", xor, config=ModelConfig(max_batch_size=64))
    triton.serve()
