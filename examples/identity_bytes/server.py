"""Gives texts and binary data back as they came."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from pytriton.decorators import batch
from pytriton.model_config import Tensor
from pytriton.triton import Triton

Texts = Annotated[np.ndarray, Tensor(shape=(-1,), dtype=bytes)]


@batch
def identity(data: Texts) -> Texts:
    """Object arrays of `bytes`, `[batch, n]`: any bytes, any length, zeros included."""
    return [data]


if __name__ == "__main__":
    triton = Triton()
    triton.bind("identity", identity)
    triton.serve()
