"""The complete configuration of a model, as decorators and clients see it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from pytriton.model_config.common import DeviceKind, DynamicBatcher, ModelWarmup

__all__ = [
    "DeviceKind",
    "DynamicBatcher",
    "ModelWarmup",
    "ResponseCache",
    "TensorSpec",
    "TritonModelConfig",
]


@dataclasses.dataclass
class ResponseCache:
    """Whether equal requests are answered from the cache."""

    enable: bool


@dataclasses.dataclass
class TensorSpec:
    """One named input or output.

    Attributes:
        name: Name on the wire.
        shape: Dimensions without the batch dimension; -1: any size.
        dtype: numpy scalar type, `bytes` or `object`.
        optional: Whether requests may leave it out.
        memory: Where a bound callable wants it, as `Tensor.memory`.
    """

    name: str
    shape: tuple[int, ...]
    dtype: Any
    optional: bool | None = False
    memory: str | None = None


@dataclasses.dataclass
class TritonModelConfig:
    """Everything about one version of a model."""

    model_name: str
    model_version: int = 1
    max_batch_size: int = 4
    batching: bool = True
    batcher: DynamicBatcher | None = None
    instance_group: dict[DeviceKind, int | None] = dataclasses.field(default_factory=dict)
    decoupled: bool = False
    backend_parameters: dict[str, str] = dataclasses.field(default_factory=dict)
    inputs: Sequence[TensorSpec] | None = None
    outputs: Sequence[TensorSpec] | None = None
    response_cache: ResponseCache | None = None
    model_warmup: list[ModelWarmup] | None = None

    @property
    def backend(self) -> str:
        """Always "python"."""
        return "python"
