"""Asks the adder."""

from __future__ import annotations

import sys

import numpy as np

from pytriton.client import ModelClient

url = sys.argv[1] if len(sys.argv) > 1 else "localhost:8000"
a, b = np.array([1, 2, 3], np.float32), np.array([3, 2, 1], np.float32)
with ModelClient(url, "add_sub") as client:
    result = client.infer_sample(a, b)
print("sum", result["OUTPUT_1"], "difference", result["OUTPUT_2"])
