"""Request parameters and HTTP headers, in the callable."""

from __future__ import annotations

import numpy as np

from pytriton.model_config import Tensor
from pytriton.proxy.types import Request
from pytriton.triton import Triton, TritonConfig


def greet(requests: list[Request]) -> list[dict[str, np.ndarray]]:
    """Not decorated: each request keeps parameters of its own."""
    results = []
    for request in requests:
        words = request.parameters or {}
        text = f"{words.get('greeting', 'hello')}, {words.get('x-user', 'stranger')}"
        rows = len(request["n"])
        results.append({"text": np.array([[text.encode()]] * rows, dtype=object)})
    return results


if __name__ == "__main__":
    # Only headers that match become parameters.
    config = TritonConfig(http_header_forward_pattern="^x-.*")
    triton = Triton(config=config)
    triton.bind(
        "greet",
        greet,
        inputs=[Tensor(name="n", shape=(1,), dtype=np.int32)],
        outputs=[Tensor(name="text", shape=(1,), dtype=bytes)],
    )
    triton.serve()
