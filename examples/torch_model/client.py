"""Asks for all four pairs of bits."""

from __future__ import annotations

import sys

import numpy as np

from pytriton.client import ModelClient

url = sys.argv[1] if len(sys.argv) > 1 else "localhost:8000"
bits = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
with ModelClient(url, "xor") as client:
    chances = client.infer_batch(bits)["OUTPUT_1"]
print("xor", (chances > 0.5).astype(int).ravel())
