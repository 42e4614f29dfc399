"""Models for the tests of shared memory."""

from __future__ import annotations

import threading

import numpy as np

from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonSecurityConfig

Arrays = dict[str, np.ndarray]
triton = Triton(security_config=TritonSecurityConfig(restricted_endpoints=[]))


@batch
def echo(IN: np.ndarray) -> Arrays:
    return {"OUT": IN}


@batch
def double(IN: np.ndarray) -> Arrays:
    return {"OUT": IN * 2}


@batch
def overwrite(IN: np.ndarray) -> Arrays:
    IN[:] = 0
    return {"OUT": IN}


for name, function, dtype in (
    ("echo", echo, np.float32),
    ("double", double, np.float32),
    ("overwrite", overwrite, np.float32),
    ("texts", echo, bytes),
):
    triton.bind(
        model_name=name,
        infer_func=function,
        inputs=[Tensor(name="IN", dtype=dtype, shape=(-1,))],
        outputs=[Tensor(name="OUT", dtype=dtype, shape=(-1,))],
        config=ModelConfig(max_batch_size=8),
    )


class Gate:
    """`held` waits between getting its input and reading it."""

    def __init__(self) -> None:
        self.has_come = threading.Event()
        self.may_go = threading.Event()

    def hold(self, requests):
        self.has_come.set()
        assert self.may_go.wait(60)
        self.may_go.clear()
        return [{"OUT": np.sum(request.data["IN"], axis=1, keepdims=True)} for request in requests]

    def control(self, requests):
        command = bytes(requests[0].data["COMMAND"].flat[0]).decode()
        if command == "wait":
            assert self.has_come.wait(60)
            self.has_come.clear()
        else:
            self.may_go.set()
        return [{"SEEN": np.zeros(1, np.int32)}]


gate = Gate()
triton.bind(
    model_name="held",
    infer_func=gate.hold,
    inputs=[Tensor(name="IN", dtype=np.float32, shape=(-1,))],
    outputs=[Tensor(name="OUT", dtype=np.float32, shape=(1,))],
    config=ModelConfig(max_batch_size=1),
)
triton.bind(
    model_name="control",
    infer_func=gate.control,
    inputs=[Tensor(name="COMMAND", dtype=bytes, shape=(1,))],
    outputs=[Tensor(name="SEEN", dtype=np.int32, shape=(-1,))],
    config=ModelConfig(batching=False),
)

if __name__ == "__main__":
    triton.serve()
