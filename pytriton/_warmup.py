"""Calls a model's callables before it serves."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Sequence
from typing import Any, Callable

from pytriton.model_config.common import ModelWarmup, generate_warmup_requests
from pytriton.model_config.triton_model_config import TritonModelConfig
from pytriton.proxy.types import Request

LOGGER = logging.getLogger("pytriton.triton")


def warm_up(functions: Sequence[Callable[..., Any]], config: TritonModelConfig) -> None:
    """Gives every callable the model's warm-up requests, on this thread; results are thrown away.

    What goes wrong is logged: a model that can't be warmed up is served all the same.

    Args:
        functions: One an instance.
        config: Configuration of the model.
    """
    for warmup in config.model_warmup or ():
        for function in functions:
            _warm_up(function, warmup, config)


def _warm_up(function: Callable[..., Any], warmup: ModelWarmup, config: TritonModelConfig) -> None:
    try:
        requests = generate_warmup_requests(warmup, config.inputs, config.outputs)
    except Exception:
        LOGGER.exception("Warm-up %s of model %s has no data", warmup.name, config.model_name)
        return
    for data in requests:
        try:
            _consume(function([Request(data)]))
        except Exception:
            LOGGER.warning(
                "Warm-up %s of model %s failed", warmup.name, config.model_name, exc_info=True
            )


def _consume(result: Any) -> None:
    """Runs what is only promised: generators, coroutines, asynchronous generators."""
    if inspect.isgenerator(result):
        for _ in result:
            pass
    elif inspect.isawaitable(result) or inspect.isasyncgen(result):
        import asyncio

        async def run() -> None:
            if inspect.isasyncgen(result):
                async for _ in result:
                    pass
            else:
                await result

        asyncio.run(run())
