"""A process that serves TLS and is its own client, with the OpenSSL of Python's ssl."""

from __future__ import annotations

import ssl
import sys
from pathlib import Path

import numpy as np

from pytriton import testing
from pytriton.client import ModelClient
from pytriton.decorators import batch
from pytriton.model_config import Tensor

FOLDER = sys.argv[1]
TENSORS = {
    "inputs": [Tensor(name="x", dtype=np.float32, shape=(-1,))],
    "outputs": [Tensor(name="y", dtype=np.float32, shape=(-1,))],
}


@batch
def double(x: np.ndarray) -> dict[str, np.ndarray]:
    return {"y": x * 2}


def is_loaded() -> bool:
    return "libpytriton_tls" in Path("/proc/self/maps").read_text()


with testing.serve(double, **TENSORS):
    assert not is_loaded(), "loaded without need"
context = ssl.create_default_context(cafile=f"{FOLDER}/authority.pem")
pair = {"grpc_server_cert": f"{FOLDER}/server.pem", "grpc_server_key": f"{FOLDER}/server.key"}
with testing.serve(double, **TENSORS, grpc_use_ssl=True, **pair) as served:
    assert is_loaded()
    url = served.grpc_url
    for _ in range(20):
        with ModelClient(url, served.model_name, ssl_context=context) as client:
            result = client.infer_batch(np.ones((1, 300000), np.float32))
            assert (result["y"] == 2).all()
print("fine")
