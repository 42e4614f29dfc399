"""Scales numbers; the factor may be left out."""

from __future__ import annotations

import numpy as np

from pytriton.decorators import batch, fill_optionals, group_by_keys
from pytriton.model_config import Tensor
from pytriton.triton import Triton


@fill_optionals(factor=np.array([2], np.float32))
@group_by_keys
@batch
def scale(x: np.ndarray, factor: np.ndarray, offset: np.ndarray | None = None) -> dict:
    """`factor` has a default; `offset` is absent from the batches that come without it."""
    scaled = x * factor
    return {"y": scaled if offset is None else scaled + offset}


if __name__ == "__main__":
    triton = Triton()
    triton.bind(
        "scale",
        scale,
        inputs=[
            Tensor(name="x", shape=(1,), dtype=np.float32),
            Tensor(name="factor", shape=(1,), dtype=np.float32, optional=True),
            Tensor(name="offset", shape=(1,), dtype=np.float32, optional=True),
        ],
        outputs=[Tensor(name="y", shape=(1,), dtype=np.float32)],
    )
    triton.serve()
