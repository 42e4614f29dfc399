"""Decorators that group, pad and fill: the rarer half of pytriton.decorators."""

from __future__ import annotations

import contextvars
import inspect
import itertools
from collections.abc import Iterable
from typing import Any, Callable

import numpy as np

from pytriton._decorator import decorator, layers
from pytriton._model_context import get_inference_request_batch_size, get_model_config
from pytriton.exceptions import PyTritonBadParameterError, PyTritonRuntimeError

Array = np.ndarray[Any, Any]
Results = dict[str, Array]

# Whether `@batch` calls: its results must have as many rows as its requests, so padding is cut.
IS_BATCHED: contextvars.ContextVar[bool] = contextvars.ContextVar("pytriton_batched", default=False)

_CONTEXT = "__triton_context__"
_TEXT_KINDS = "OSU"


def _group_by_keys(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
    """Calls the function once for each set of input names among the requests.

    Results come back in the order of the requests; groups are called in the order of their sorted
    names.
    """
    requests = args[0]

    def names(index: int) -> tuple[str, ...]:
        return tuple(sorted(requests[index].keys()))

    order = sorted(range(len(requests)), key=names)
    results: dict[int, Any] = {}
    for _, group in itertools.groupby(order, key=names):
        indices = list(group)
        outputs = wrapped([requests[index] for index in indices], *args[1:], **kwargs)
        results.update(zip(indices, outputs))
    return [results[index] for index in sorted(results)]


group_by_keys = decorator("group_by_keys", _group_by_keys)


def group_by_values(
    *keys: str, pad_fn: Callable[[tuple[Results, ...]], list[Results]] | None = None
) -> Callable[..., Any]:
    """Calls the function once for each combination of values of some inputs.

    Goes under `@batch`. The function gets rows with equal values; results are put back in order.

    Args:
        keys: Names of the inputs whose rows are compared.
        pad_fn: Makes the results of all groups equal in shape, see ConstantPadder.

    Raises:
        PyTritonRuntimeError: When called, if it stands above `@batch`.
    """

    def wrapper(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        if any(getattr(layer, "kind", None) == "batch" for layer in layers(wrapped)):
            raise PyTritonRuntimeError(
                "The @group_by_values decorator must be used after the @batch decorator."
            )
        inputs = {name: value for name, value in kwargs.items() if name != _CONTEXT}
        rest = {name: value for name, value in kwargs.items() if name == _CONTEXT}
        batch_size = len(next(iter(inputs.values())))
        row_keys = [
            tuple(_row_key(inputs[key][row]) for key in keys if key in inputs)
            for row in range(batch_size)
        ]
        order = sorted(range(batch_size), key=row_keys.__getitem__)
        groups = [list(rows) for _, rows in itertools.groupby(order, key=row_keys.__getitem__)]
        results = [
            wrapped(*args, **rest, **{name: value[rows] for name, value in inputs.items()})
            for rows in groups
        ]
        return _merge(groups, list(pad_fn(tuple(results))) if pad_fn else results, batch_size)

    return decorator("group_by_values", wrapper)


def _row_key(value: Any) -> bytes:
    """A row's value as bytes; elements of texts are told apart by their lengths."""
    array = np.asarray(value)
    if array.dtype.kind != "O":
        return array.tobytes()
    elements = [e if isinstance(e, bytes) else str(e).encode() for e in array.flat]
    return b"".join(len(element).to_bytes(4, "little") + element for element in elements)


def _merge(groups: list[list[int]], results: list[Results], batch_size: int) -> Results:
    merged: Results = {}
    for name, first in results[0].items():
        # The widest type of text, so that no group's is cut.
        same_kind = first.dtype.kind in "SU"
        dtype = np.result_type(*(r[name].dtype for r in results)) if same_kind else first.dtype
        merged[name] = np.zeros((batch_size, *first.shape[1:]), dtype=dtype)
    for rows, result in zip(groups, results):
        for name, value in result.items():
            merged[name][rows] = value
    return merged


class ConstantPadder:
    """Pads the results of several calls with a constant to equal shapes; a `pad_fn`."""

    def __init__(self, pad_value: Any = 0) -> None:
        """Keeps the constant.

        Args:
            pad_value: Fills numbers; texts are filled with empty ones.
        """
        self.pad_value = pad_value

    def __call__(self, batches_list: Iterable[Results]) -> list[Results]:
        """Pads at the end of every axis but the first.

        Args:
            batches_list: Results with arrays `[rows, ...]` of equal rank and dtype for each name.

        Returns:
            The results with equal shapes behind the first axis.

        Raises:
            PyTritonRuntimeError: Arrays of one name have different types.
        """
        batches = list(batches_list)
        names = dict.fromkeys(name for batch in batches for name in batch)
        padded: list[Results] = [{} for _ in batches]
        for name in names:
            arrays = [batch[name] for batch in batches if name in batch]
            shape = np.max([array.shape for array in arrays], axis=0)[1:]
            dtype = _common_type(arrays)
            for source, target in zip(batches, padded):
                if name in source:
                    target[name] = self._pad(source[name], shape, dtype)
        return padded

    def _pad(self, array: Array, shape: Any, dtype: np.dtype[Any]) -> Array:
        value: Any = b"" if dtype.kind in "SO" else "" if dtype.kind == "U" else self.pad_value
        result = np.full((array.shape[0], *shape), value, dtype=dtype)
        result[tuple(slice(size) for size in array.shape)] = array
        return result


def _common_type(arrays: list[Array]) -> np.dtype[Any]:
    first: np.dtype[Any] = arrays[0].dtype
    if all(array.dtype.kind == first.kind for array in arrays):
        if first.kind in "SU":
            return np.dtype(max((array.dtype for array in arrays), key=lambda d: d.itemsize))
        if all(array.dtype == first for array in arrays):
            return first
    raise PyTritonRuntimeError("All input arrays for given input name must have the same dtype.")


def fill_optionals(**defaults: Array) -> Callable[..., Any]:
    """Gives requests the inputs that they leave out.

    Goes on top: the function gets the list of requests.

    Args:
        defaults: Values by input names, without the batch dimension.

    Raises:
        PyTritonBadParameterError: When called, if a default does not fit the model's input.
    """

    def wrapper(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        config = get_model_config(wrapped, instance)
        _check_defaults(defaults, {spec.name: spec for spec in config.inputs or ()})
        (requests,) = args
        for request in requests:
            missing = {n: v for n, v in defaults.items() if n not in request.keys()}  # noqa: SIM118
            if config.batching and missing:
                size = get_inference_request_batch_size(request)
                missing = {n: np.tile(v, (size,) + (1,) * v.ndim) for n, v in missing.items()}
            for name, value in missing.items():
                request[name] = value
        return wrapped(requests, **kwargs)

    return decorator("fill_optionals", wrapper)


def _check_defaults(defaults: dict[str, Array], specs: dict[str, Any]) -> None:
    def fail(wrong: dict[str, str], text: str) -> None:
        if wrong:
            listed = ", ".join(f"{name}{what}" for name, what in sorted(wrong.items()))
            raise PyTritonBadParameterError(text.format(listed))

    fail(dict.fromkeys(set(defaults) - set(specs), ""), "Could not found {} inputs")
    fail(
        {n: f"={v}" for n, v in defaults.items() if not isinstance(v, np.ndarray)},
        "Could not use {} defaults as they are not NumPy arrays",
    )
    fail(
        {
            n: f": dtype={v.dtype} expected_dtype={specs[n].dtype}"
            for n, v in defaults.items()
            if not _fits_type(v, specs[n].dtype)
        },
        "Could not use {} defaults as they have different than input signature dtypes",
    )
    fail(
        {
            n: f": shape={v.shape} expected_shape={tuple(specs[n].shape)}"
            for n, v in defaults.items()
            if not _fits_shape(v.shape, tuple(specs[n].shape))
        },
        "Could not use {} defaults as they have different than input signature shapes",
    )


def _fits_type(value: Array, dtype: Any) -> bool:
    if dtype in (bytes, object, np.bytes_, np.object_):
        return value.dtype.kind in "OS"
    return bool(value.dtype == (np.float32 if dtype == "bfloat16" else dtype))


def _fits_shape(shape: tuple[int, ...], declared: tuple[int, ...]) -> bool:
    return len(shape) == len(declared) and all(d in (-1, s) for s, d in zip(shape, declared))


def _pad_batch(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
    """Repeats the last row until the batch has a preferred size.

    Goes under `@batch`; within it results are cut to the rows given.
    """
    config = get_model_config(wrapped, instance)
    preferred = (config.batcher.preferred_batch_size or []) if config.batcher else []
    inputs = {name: value for name, value in kwargs.items() if name != _CONTEXT}
    rest = {name: value for name, value in kwargs.items() if name == _CONTEXT}
    rows = len(next(iter(inputs.values())))
    size = min(s for s in [*preferred, max(config.max_batch_size, rows)] if s >= rows)
    padded = {
        name: np.concatenate([value, np.repeat(value[-1:], size - rows, axis=0)])
        for name, value in inputs.items()
    }
    result = wrapped(*args, **rest, **padded)
    if not IS_BATCHED.get() or size == rows:
        return result
    if inspect.isgenerator(result):
        return (_cut(item, size, rows) for item in result)
    return _cut(result, size, rows)


def _cut(result: Any, size: int, rows: int) -> Any:
    """A function's result without the rows that were added."""

    def cut(value: Any) -> Any:
        return value[:rows] if np.ndim(value) > 0 and len(value) == size else value

    if isinstance(result, dict):
        return {name: cut(value) for name, value in result.items()}
    return [cut(value) for value in result] if isinstance(result, (list, tuple)) else result


pad_batch = decorator("pad_batch", _pad_batch)


def first_value(
    *keys: str, squeeze_single_values: bool = True, strict: bool = True
) -> Callable[..., Any]:
    """Replaces inputs that are equal in all rows by their first row.

    Args:
        keys: Names of the inputs.
        squeeze_single_values: Give values of a single element as scalars.
        strict: Fail when the rows are not equal.

    Raises:
        PyTritonBadParameterError: A key is reserved.
        PyTritonRuntimeError: When called, if the model has no batching, or rows differ.
    """
    if _CONTEXT in keys:
        raise PyTritonBadParameterError(
            f"The keys {', '.join(keys)} are not allowed as keys for @first_value wrapper. "
            f"The set of not allowed keys are {_CONTEXT}"
        )

    def replace(inputs: Any) -> None:
        for key in keys:
            if key in inputs:
                inputs[key] = _first_row(key, inputs[key], squeeze_single_values, strict)

    def wrapper(wrapped: Callable[..., Any], instance: Any, args: Any, kwargs: Any) -> Any:
        if not get_model_config(wrapped, instance).batching:
            raise PyTritonRuntimeError(
                "The @first_value decorator can only be used with models that support batching."
            )
        if any(name != _CONTEXT for name in kwargs):
            replace(kwargs)
        else:
            for request in args[0]:
                replace(request)
        return wrapped(*args, **kwargs)

    return decorator("first_value", wrapper)


def _first_row(key: str, values: Array, squeeze: bool, strict: bool) -> Any:
    if strict:
        axis = None if values.dtype.kind == "O" else 0
        if len(np.unique(values, axis=axis)) > 1:
            raise PyTritonRuntimeError(
                f"The values on the {key!r} input are not equal. "
                "To proceed, either disable strict mode in @first_value wrapper "
                "or ensure that the values always are consistent. "
                f"The current values of {key!r} are {values!r}."
            )
    value = values[0]
    if squeeze and np.size(value) == 1 and all(size == 1 for size in np.shape(value)):
        return np.asarray(value).flat[0]
    return value
