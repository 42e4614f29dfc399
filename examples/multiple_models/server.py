"""Several models in one server, two versions of one, and several instances of another."""

from __future__ import annotations

import threading

import numpy as np

from pytriton.decorators import batch
from pytriton.model_config import Tensor
from pytriton.triton import Triton

NUMBER = [Tensor(name="x", shape=(1,), dtype=np.int32)]
RESULT = [Tensor(name="y", shape=(1,), dtype=np.int32)]


@batch
def double(x: np.ndarray) -> list:
    return [x * 2]


@batch
def double_of_tomorrow(x: np.ndarray) -> list:
    return [x + x]


class Worker:
    """One instance: the server calls it on one thread of its own."""

    @batch
    def __call__(self, x: np.ndarray) -> list:
        name = threading.current_thread().name
        return [np.full_like(x, int(name.rpartition("-")[2]))]


if __name__ == "__main__":
    triton = Triton()
    triton.bind("double", double, NUMBER, RESULT)
    triton.bind("double", double_of_tomorrow, NUMBER, RESULT, model_version=2)
    triton.bind("which_instance", [Worker(), Worker()], NUMBER, RESULT)
    triton.serve()
