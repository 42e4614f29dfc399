"""An adder: `python add_sub.py --workspace DIR` serves it; with `--infer` it also asks and ends."""

from __future__ import annotations

import argparse
import contextlib
import json
import pathlib
import urllib.request
from collections.abc import Iterator
from typing import Any

import numpy as np

from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

_ROWS = [[1.0, 2.0], [3.0, 5.0]]


@batch
def _add_sub(a: np.ndarray[Any, Any], b: np.ndarray[Any, Any]) -> dict[str, Any]:
    return {"add": a + b, "sub": a - b}


def make(workspace: pathlib.Path, config: TritonConfig | None = None) -> Triton:
    """A server with the model AddSub, not started."""
    triton = Triton(config=config, workspace=workspace)
    triton.bind(
        model_name="AddSub",
        infer_func=_add_sub,
        inputs=[Tensor(name=name, shape=(-1,), dtype=np.float32) for name in ("a", "b")],
        outputs=[Tensor(name=name, shape=(-1,), dtype=np.float32) for name in ("add", "sub")],
        config=ModelConfig(max_batch_size=128),
    )
    return triton


@contextlib.contextmanager
def serving(workspace: pathlib.Path) -> Iterator[str]:
    """Serves on a free port of this machine; gives the URL."""
    ports = {"http_port": 0, "grpc_port": 0, "metrics_port": 0, "http_address": "127.0.0.1"}
    with make(workspace, TritonConfig.from_dict(ports)) as triton:
        yield f"http://127.0.0.1:{triton.http_port}"


def infer(url: str) -> None:
    """Asks for sums and differences.

    Raises:
        RuntimeError: They are wrong.
    """
    tensors = [
        {"name": name, "datatype": "FP32", "shape": [2, 2], "data": _ROWS} for name in ("a", "b")
    ]
    body = json.dumps({"inputs": tensors}).encode()
    with urllib.request.urlopen(f"{url}/v2/models/AddSub/infer", body, timeout=60) as answer:
        outputs = {output["name"]: output["data"] for output in json.load(answer)["outputs"]}
    if outputs != {"add": [2.0, 4.0, 6.0, 10.0], "sub": [0.0] * 4}:
        raise RuntimeError(f"expected sums and differences, got {outputs}")


def main() -> None:
    """Serves until SIGINT or, with --infer, until the answer was right."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=pathlib.Path, required=True)
    parser.add_argument("--infer", action="store_true")
    options = parser.parse_args()
    if not options.infer:
        make(options.workspace).serve()
        return
    with serving(options.workspace) as url:
        infer(url)


if __name__ == "__main__":
    main()
