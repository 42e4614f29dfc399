"""Decorators that turn functions of arrays into inference callables."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Sequence
from typing import Any, Callable, Union

import numpy as np

from pytriton._batch_decorators import (
    IS_BATCHED,
    ConstantPadder,
    fill_optionals,
    first_value,
    group_by_keys,
    group_by_values,
    pad_batch,
)
from pytriton._decorator import decorator
from pytriton._model_context import (
    ModelConfigDict,
    TritonContext,
    get_inference_request_batch_size,
    get_model_config,
    get_triton_context,
)
from pytriton.exceptions import PyTritonValidationError
from pytriton.model_config.triton_model_config import TritonModelConfig
from pytriton.proxy.types import Request

__all__ = [
    "ConstantPadder",
    "InferenceRequest",
    "InferenceRequests",
    "InferenceResult",
    "InferenceResults",
    "InputNames",
    "ModelConfigDict",
    "TritonContext",
    "batch",
    "convert_output",
    "fill_optionals",
    "first_value",
    "get_inference_request_batch_size",
    "get_model_config",
    "get_triton_context",
    "group_by_keys",
    "group_by_values",
    "pad_batch",
    "sample",
    "triton_context",
]

Array = np.ndarray[Any, Any]
InputNames = list[str]
InferenceRequest = Union[Request, dict[str, Array]]
InferenceRequests = list[InferenceRequest]
InferenceResult = dict[str, Array]
InferenceResults = list[InferenceResult]


def convert_output(
    outputs: Any,
    wrapped: Callable[..., Any] | None = None,
    instance: Any = None,
    model_config: TritonModelConfig | None = None,
) -> InferenceResult:
    """A callable's result as a dict from output names to arrays.

    Args:
        outputs: A dict, or a list or tuple in the order of the model's outputs.
        wrapped: The callable, to find its model when `model_config` is not given.
        instance: The object a method is bound to.
        model_config: Configuration of the model.

    Raises:
        PyTritonValidationError: Another type, or another number of outputs than declared.
    """
    if isinstance(outputs, dict):
        return outputs
    if not isinstance(outputs, (list, tuple)):
        raise PyTritonValidationError(f"Unsupported output type {type(outputs)}.")
    if model_config is None:
        if wrapped is None:
            raise PyTritonValidationError(
                "Provide either the callable or the model's configuration"
            )
        model_config = get_model_config(wrapped, instance)
    declared = model_config.outputs or ()
    if len(outputs) != len(declared):
        raise PyTritonValidationError("Outputs length different than config outputs length")
    return {spec.name: output for spec, output in zip(declared, outputs)}


def _config_of(requests: Sequence[Any]) -> TritonModelConfig | None:
    """The model that the requests came for; None when no server made them."""
    context = getattr(requests[0], "_context", None)
    return None if context is None else context.model_config


def check_rows(outputs: InferenceResult, rows: int) -> None:
    """Every output must have one row for each row of the batch.

    Raises:
        ValueError: At least one has another number of rows.
    """
    if all(np.ndim(value) > 0 and np.shape(value)[0] == rows for value in outputs.values()):
        return
    shapes = ", ".join(f"{name}: {np.shape(value)}" for name, value in outputs.items())
    raise ValueError(
        "Received output tensors with different batch sizes: "
        f"{shapes}. Expected batch size: {rows}. "
    )


def _split(outputs: InferenceResult, sizes: Sequence[int]) -> InferenceResults:
    check_rows(outputs, sum(sizes))
    results: InferenceResults = []
    start = 0
    for size in sizes:
        results.append({name: value[start : start + size] for name, value in outputs.items()})
        start += size
    return results


def _batch(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
    """Joins the requests of a batch and calls the function once, with arrays as keyword arguments.

    The function gets every input with the batch dimension in front (`[batch, ...]`) and returns a
    dict (or a list in the order of the outputs) of arrays with as many rows. A generator function
    yields such results.

    Raises:
        PyTritonValidationError: The requests have different inputs, or the result has another type
            or number of outputs than the model.
        ValueError: An output has another number of rows than the inputs.
    """
    requests = args[0]
    names = list(requests[0].keys())
    if any(set(request.keys()) != set(names) for request in requests):
        raise PyTritonValidationError("Cannot batch requests with different set of inputs keys")
    config = _config_of(requests)
    sizes = [get_inference_request_batch_size(request) for request in requests]
    joined = {name: np.concatenate([request[name] for request in requests]) for name in names}
    outside = IS_BATCHED.set(True)
    try:
        if any(getattr(request, "span", None) is not None for request in requests):
            result = _call_traced(requests, wrapped, args, {**kwargs, **joined})
        else:
            result = wrapped(*args[1:], **kwargs, **joined)
    finally:
        IS_BATCHED.reset(outside)

    def split(outputs: Any) -> InferenceResults:
        return _split(convert_output(outputs, wrapped, instance, config), sizes)

    if inspect.isgenerator(result):
        return _split_each(result, split)
    return split(result)


def _call_traced(requests: Any, wrapped: Callable[..., Any], args: Any, arrays: Any) -> Any:
    from pytriton.proxy.telemetry import BATCH_SPAN, traced_span

    with contextlib.ExitStack() as spans:
        for request in requests:
            spans.enter_context(traced_span(request, BATCH_SPAN))
        return wrapped(*args[1:], **arrays)


def _split_each(
    results: Iterator[Any], split: Callable[[Any], InferenceResults]
) -> Iterator[InferenceResults]:
    for outputs in results:
        yield split(outputs)


def _sample(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
    """Calls the function with the arrays of the one request that a model without batching gets.

    The function gets every input as keyword argument, without a batch dimension, and returns a dict
    (or a list in the order of the outputs).

    Raises:
        PyTritonValidationError: The result has another type or number of outputs than the model.
    """
    requests = args[0]
    result = wrapped(*args[1:], **kwargs, **dict(requests[0].items()))
    return [convert_output(result, wrapped, instance, _config_of(requests))]


def _triton_context(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
    """Gives the function the keyword argument `triton_context`."""
    kwargs["triton_context"] = get_triton_context(wrapped, instance)
    return wrapped(*args, **kwargs)


batch = decorator("batch", _batch)
sample = decorator("sample", _sample)
triton_context = decorator("triton_context", _triton_context)
