"""Asks for the topics of three sentences."""

from __future__ import annotations

import sys

import numpy as np

from pytriton.client import ModelClient

url = sys.argv[1] if len(sys.argv) > 1 else "localhost:8000"
sentences = [
    "The finally clause runs after the exception was handled",
    "Small anonymous functions are made by lambda expressions",
    "The module is searched for, loaded and bound to a name by import",
]
with ModelClient(url, "topic") as client:
    batch = np.array([[sentence.encode()] for sentence in sentences], dtype=object)
    answer = client.infer_batch(batch)
for sentence, topic, share in zip(sentences, answer["OUTPUT_1"], answer["OUTPUT_2"]):
    print(f"{topic[0].decode()} ({share[0]:.0%}): {sentence}")
