"""Models that run on a real GPU because their configuration says so."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from e2e.harness import Server
from pytriton.client import ModelClient

HOST = -1


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server("placed.py", tmp_path_factory.mktemp("kinds")).wait_ready()
    yield server
    assert server.stop() == 0, server.log


@pytest.mark.parametrize(
    ("model", "place"), [("cpu", HOST), ("gpu_on_host", HOST), ("auto", 0), ("gpu", 0)]
)
def test_inputs_are_where_the_model_runs(server, model, place):
    with ModelClient(f"grpc://127.0.0.1:{server.grpc}", model) as client:
        for _ in range(3):  # the pool's memory, again and again
            texts = np.array([[b"x"]], dtype=object)
            answer = client.infer_batch(np.ones((1, 4), np.float32), texts)
            assert answer["PLACES"].tolist() == [[place, HOST]]
