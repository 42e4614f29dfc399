"""Prints the words as they come."""

from __future__ import annotations

import sys

import numpy as np

from pytriton.client import DecoupledModelClient

url = sys.argv[1] if len(sys.argv) > 1 else "grpc://localhost:8001"
prompt = "The import statement"
print(prompt, end="")
with DecoupledModelClient(url, "trigrams") as client:
    answers = client.infer_sample(
        prompt=np.array([prompt.encode()], dtype=object),
        max_words=np.array([40], np.int32),
        seed=np.array([7], np.int64),
    )
    for answer in answers:
        print("", answer["word"][0].decode(), end="", flush=True)
print()
