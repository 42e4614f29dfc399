"""Sends a parameter and a header."""

from __future__ import annotations

import sys

import numpy as np

from pytriton.client import ModelClient

url = sys.argv[1] if len(sys.argv) > 1 else "localhost:8000"
n = np.array([1], np.int32)
with ModelClient(url, "greet") as client:
    print(client.infer_sample(n)["text"][0].decode())
    given = {"parameters": {"greeting": "good day"}, "headers": {"x-user": "Ada"}}
    print(client.infer_sample(n, **given)["text"][0].decode())
