"""Asks every model."""

from __future__ import annotations

import sys

import numpy as np

from pytriton.client import ModelClient

url = sys.argv[1] if len(sys.argv) > 1 else "localhost:8000"
x = np.array([21], np.int32)
for version in ("1", "2"):
    with ModelClient(url, "double", version) as client:
        print("double version", version, client.infer_sample(x)["y"])
with ModelClient(url, "which_instance") as client:
    print("answered by instance", client.infer_sample(x)["y"][0])
