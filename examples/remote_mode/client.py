"""Asks the server for the attached model, as for any other."""

from __future__ import annotations

import sys

import numpy as np

from pytriton.client import ModelClient

url = sys.argv[1] if len(sys.argv) > 1 else "localhost:8000"
with ModelClient(url, "double") as client:
    print("twice", client.infer_sample(np.array([1, 2], np.float32))["OUTPUT_1"])
