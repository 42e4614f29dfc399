"""Callables that can be imported, for workers."""

from __future__ import annotations

import os

import numpy as np

from pytriton.decorators import batch


@batch
def double(x):
    pid = np.full_like(x, os.getpid())
    return {"y": x * 2, "pid": pid, "rows": np.full_like(x, len(x))}


def plain(requests):
    return [{"y": request["x"] + 1} for request in requests]


def generator(requests):
    for i in range(int(requests[0]["x"][0, 0])):
        yield [{"y": request["x"] + i} for request in requests]


async def coroutine(requests):
    return plain(requests)


@batch
def shout(x):
    return {"y": np.char.upper(np.char.decode(x.astype(bytes), "utf-8"))}


def breaks(requests):
    value = int(requests[0]["x"][0, 0])
    if value < 0:
        os._exit(3)
    if value == 0:
        raise ValueError("no zero, please")
    return plain(requests)


class Scaler:
    """A model with state."""

    def __init__(self, factor: int) -> None:
        self.factor = factor
        self.lock = None

    @batch
    def infer(self, x):
        return {"y": x * self.factor}


def echo_request(requests):
    request = requests[0]
    told = f"{request.id} {request.parameters} {request.requested_output_names}"
    return [{"y": np.array([[told.encode()]])}]
