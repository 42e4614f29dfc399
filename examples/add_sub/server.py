"""Adds and subtracts: the smallest server."""

from __future__ import annotations

from typing import Annotated

import numpy as np

from pytriton.decorators import batch
from pytriton.model_config import Tensor
from pytriton.triton import Triton

Row = Annotated[np.ndarray, Tensor(shape=(-1,), dtype="float32")]


@batch
def add_sub(a: Row, b: Row) -> tuple[Row, Row]:
    """All waiting requests at once: `[batch, n]` each."""
    return a + b, a - b


if __name__ == "__main__":
    triton = Triton()
    triton.bind("add_sub", add_sub)
    triton.serve()
