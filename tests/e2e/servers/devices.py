"""Models that take and give tensors in device memory. No array library for GPUs is needed here."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from typing import Any

import numpy as np

from pytriton.decorators import batch
from pytriton.exceptions import PyTritonError
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.proxy.types import Request
from pytriton.shared_memory import CudaRegion
from pytriton.triton import Triton, TritonSecurityConfig

triton = Triton(security_config=TritonSecurityConfig(restricted_endpoints=[]))


class InterfaceOnly:
    """An array as old libraries have them: no DLPack."""

    def __init__(self, keep: CudaRegion, array: np.ndarray, **changes: Any) -> None:
        self.keep = keep
        tensor = keep.view(keep.write(array))
        self.__cuda_array_interface__ = {**tensor.__cuda_array_interface__, **changes}


def address_of(tensor: Any) -> int:
    return int(tensor.__cuda_array_interface__["data"][0])


def dlpack_address(tensor: Any) -> int:
    """What a consumer of the capsule finds; it takes the tensor over and gives it back."""
    api = ctypes.pythonapi
    api.PyCapsule_GetPointer.restype = ctypes.c_void_p
    api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    capsule = tensor.__dlpack__(stream=None)
    managed = api.PyCapsule_GetPointer(capsule, b"dltensor")
    return int(ctypes.c_void_p.from_address(managed).value or 0)


@batch
def echo(IN: Any) -> dict[str, Any]:
    """The client's own memory back."""
    return {"OUT": IN}


@batch
def double(IN: Any) -> dict[str, Any]:
    """Computes on the host, answers in device memory."""
    assert dlpack_address(IN) == address_of(IN)
    assert IN.__dlpack_device__() == (2, IN.device)
    keep = CudaRegion(max(IN.nbytes, 1), IN.device)
    return {"OUT": keep.view(keep.write(IN.numpy() * 2))}


@batch
def interface(IN: Any) -> dict[str, Any]:
    return {"OUT": InterfaceOnly(CudaRegion(max(IN.nbytes, 1)), IN.numpy() * 3)}


@batch
def strided(IN: Any) -> dict[str, Any]:
    return {"OUT": InterfaceOnly(CudaRegion(IN.nbytes), IN.numpy(), strides=(4, 8))}


@batch
def wrong_type(IN: Any) -> dict[str, Any]:
    keep = CudaRegion(2 * IN.nbytes)
    return {"OUT": keep.view(keep.write(IN.numpy().astype(np.float64)))}


@batch
def wrong_rows(IN: Any) -> dict[str, Any]:
    keep = CudaRegion(2 * IN.nbytes)
    return {"OUT": keep.view(keep.write(np.concatenate([IN.numpy(), IN.numpy()])))}


@batch
def to_host(IN: Any) -> dict[str, Any]:
    return {"OUT": IN.numpy() + 1}


@batch
def from_host(IN: np.ndarray) -> dict[str, Any]:
    keep = CudaRegion(IN.nbytes)
    return {"OUT": keep.view(keep.write(IN - 1))}


def requests(requests: list[Request]) -> list[dict[str, Any]]:
    """Without a decorator, one answer a request."""
    return [{"OUT": request.data["IN"]} for request in requests]


def has_second_device() -> bool:
    try:
        CudaRegion(1, device_id=1).close()
    except PyTritonError:
        return False
    return True


for name, function, memory in (
    ("echo", echo, "cuda"),
    ("double", double, "cuda"),
    *((("double_on_1", double, "cuda:1"),) if has_second_device() else ()),
    ("interface", interface, "cuda"),
    ("strided", strided, "cuda"),
    ("wrong_type", wrong_type, "cuda"),
    ("wrong_rows", wrong_rows, "cuda"),
    ("to_host", to_host, "cuda"),
    ("from_host", from_host, "cpu"),
    ("requests", requests, "cuda"),
):
    triton.bind(
        model_name=name,
        infer_func=function,
        inputs=[Tensor(name="IN", dtype=np.float32, shape=(-1,), memory=memory)],
        outputs=[Tensor(name="OUT", dtype=np.float32, shape=(-1,))],
        config=ModelConfig(max_batch_size=8),
        strict=name == "strided",
    )


def twice(requests: list[Request]) -> Iterator[list[dict[str, Any]]]:
    """Decoupled: two responses, of which the second is the double."""
    for factor in (1, 2):
        answers = []
        for request in requests:
            given = request.data["IN"]
            keep = CudaRegion(given.nbytes)
            answers.append({"OUT": keep.view(keep.write(given.numpy() * factor))})
        yield answers


triton.bind(
    model_name="twice",
    infer_func=twice,
    inputs=[Tensor(name="IN", dtype=np.float32, shape=(-1,), memory="cuda")],
    outputs=[Tensor(name="OUT", dtype=np.float32, shape=(-1,))],
    config=ModelConfig(max_batch_size=8, decoupled=True),
)
triton.bind(
    model_name="pairs",
    infer_func=echo,
    inputs=[Tensor(name="IN", dtype=np.float32, shape=(-1,), memory="cuda")],
    outputs=[Tensor(name="OUT", dtype=np.float32, shape=(-1,))],
    config=ModelConfig(
        max_batch_size=2,
        batcher=DynamicBatcher(preferred_batch_size=[2], max_queue_delay_microseconds=60_000_000),
    ),
)

if __name__ == "__main__":
    triton.serve()
