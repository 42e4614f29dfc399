"""Asks every server whose address is given."""

from __future__ import annotations

import sys

import numpy as np

from pytriton.client import ModelClient

for url in sys.argv[1:] or ["localhost:8000"]:
    with ModelClient(url, "add") as client:
        print("1 becomes", client.infer_sample(np.array([1], np.int32))["OUTPUT_1"][0])
