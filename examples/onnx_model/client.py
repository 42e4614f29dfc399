"""Asks for two values."""

from __future__ import annotations

import sys

import numpy as np

from pytriton.client import ModelClient

url = sys.argv[1] if len(sys.argv) > 1 else "localhost:8000"
x = np.array([[1, 1, 1], [0, 0, 0]], np.float32)
with ModelClient(url, "least_squares") as client:
    y = client.infer_batch(x)["OUTPUT_1"]
print("values", y.round(3).ravel())
