"""Sends a text with letters of many languages, and bytes that are no text."""

from __future__ import annotations

import sys

import numpy as np

from pytriton.client import ModelClient

url = sys.argv[1] if len(sys.argv) > 1 else "localhost:8000"
texts = ["grüß dich", "你好", ""]
binary = bytes(range(256)) + b"\x00"
sent = np.array([text.encode() for text in texts] + [binary], dtype=object)
with ModelClient(url, "identity") as client:
    received = client.infer_sample(sent)["OUTPUT_1"]
print([element.decode() for element in received[:-1]])
print("the bytes are", "the same" if received[-1] == binary else "different")
