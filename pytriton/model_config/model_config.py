"""How a bound model batches and answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pytriton.model_config.common import DeviceKind, DynamicBatcher, ModelWarmup

__all__ = ["ModelConfig"]


@dataclasses.dataclass
class ModelConfig:
    """Configuration of a bound model.

    Attributes:
        batching: Whether tensors have a batch dimension in front.
        max_batch_size: Largest batch, in samples.
        batcher: How requests are merged; None: every request runs alone.
        response_cache: Whether equal requests are answered from the cache.
        decoupled: Whether a request may get any number of responses.
        model_warmup: Requests that run before the model is ready.
        exclusive_group: Callables of models with the same group never run at the same time,
            whatever their model or instance; they take turns in the order in which their batches
            were made.
        max_concurrent_calls: Most batches that one instance of an `async def` callable has under
            way at once; None: one, or any number for a decoupled model. Answers may then leave in
            another order than the requests came.
        instance_kind: Where the callables run: KIND_CPU gets numpy arrays. KIND_GPU gets inputs in
            memory of a GPU, as `Tensor(memory="cuda")` does (BYTES, and tensors with a `memory` of
            their own, excepted). KIND_AUTO is KIND_GPU where there are GPUs, else KIND_CPU.
        gpus: Numbers of the GPUs that the callables share out in turn, with KIND_GPU and KIND_AUTO;
            None: all.
    """

    batching: bool = True
    max_batch_size: int = 4
    batcher: DynamicBatcher | None = dataclasses.field(default_factory=DynamicBatcher)
    response_cache: bool = False
    decoupled: bool = False
    model_warmup: list[ModelWarmup] | None = None
    exclusive_group: str | None = None
    max_concurrent_calls: int | None = None
    instance_kind: DeviceKind = DeviceKind.KIND_CPU
    gpus: Sequence[int] | None = None
