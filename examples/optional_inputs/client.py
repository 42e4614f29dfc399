"""Asks with and without the optional inputs."""

from __future__ import annotations

import sys

import numpy as np

from pytriton.client import ModelClient

url = sys.argv[1] if len(sys.argv) > 1 else "localhost:8000"


def number(value: float) -> np.ndarray:
    return np.array([value], np.float32)


with ModelClient(url, "scale") as client:
    print("default factor:", client.infer_sample(x=number(3))["y"])
    print("own factor:", client.infer_sample(x=number(3), factor=number(10))["y"])
    print("offset:", client.infer_sample(x=number(3), offset=number(1))["y"])
