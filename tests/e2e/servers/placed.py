"""Models whose configuration says on which GPU they run; each tells where its inputs are."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, Callable

import numpy as np

from pytriton.decorators import batch
from pytriton.exceptions import PyTritonError
from pytriton.model_config import DeviceKind, DynamicBatcher, ModelConfig, Tensor
from pytriton.proxy.types import Request
from pytriton.shared_memory import CudaRegion
from pytriton.triton import Triton, TritonConfig, TritonSecurityConfig

HOST = -1
triton = Triton(
    config=TritonConfig(cache_config=["local,size=1000000"]),
    security_config=TritonSecurityConfig(restricted_endpoints=[]),
)


def place_of(value: Any) -> int:
    return HOST if isinstance(value, np.ndarray) else int(value.device)


@batch
def arrays(NUMBERS: Any, TEXT: Any) -> dict[str, Any]:
    return {"PLACES": np.array([[place_of(NUMBERS), place_of(TEXT)]], np.int32)}


def requests(requests: list[Request]) -> list[dict[str, Any]]:
    return [arrays_of(request) for request in requests]


def stream(requests: list[Request]) -> Iterator[list[dict[str, Any]]]:
    yield [arrays_of(request) for request in requests]


def arrays_of(request: Request) -> dict[str, Any]:
    places = [place_of(request.data[name]) for name in ("NUMBERS", "TEXT")]
    return {"PLACES": np.array([places], np.int32)}


def bind(name: str, functions: Any, memory: str | None = None, **config: Any) -> None:
    triton.bind(
        model_name=name,
        infer_func=functions,
        inputs=[
            Tensor(name="NUMBERS", dtype=np.float32, shape=(-1,), memory=memory),
            Tensor(name="TEXT", dtype=bytes, shape=(1,)),
        ],
        outputs=[Tensor(name="PLACES", dtype=np.int32, shape=(2,))],
        config=ModelConfig(max_batch_size=1, batcher=DynamicBatcher(), **config),
    )


def has_second_device() -> bool:
    try:
        CudaRegion(1, device_id=1).close()
    except PyTritonError:
        return False
    return True


def bind_all() -> None:
    gpu, auto = DeviceKind.KIND_GPU, DeviceKind.KIND_AUTO
    bind("cpu", arrays)
    bind("auto", arrays, instance_kind=auto)
    bind("auto_missing", arrays, instance_kind=auto, gpus=[0, 99])
    bind("gpu", arrays, instance_kind=gpu)
    bind("gpu_on_host", arrays, "cpu", instance_kind=gpu)
    if has_second_device():
        bind("gpu_1", requests, instance_kind=gpu, gpus=[1])
        bind("gpu_1_stream", stream, instance_kind=gpu, gpus=[1], decoupled=True)
        bind("gpu_other", arrays, "cuda:0", instance_kind=gpu, gpus=[1])
    both = threading.Barrier(2)

    def instance() -> Callable[..., Any]:
        @batch
        def meet(NUMBERS: Any, TEXT: Any) -> dict[str, Any]:
            both.wait(30)  # until the other one has a request as well
            return {"PLACES": np.array([[place_of(NUMBERS), place_of(TEXT)]], np.int32)}

        return meet

    bind("both", [instance(), instance()], instance_kind=gpu)


if __name__ == "__main__":
    bind_all()
    triton.serve()
