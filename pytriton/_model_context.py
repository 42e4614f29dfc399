"""How decorators find the configuration of the model that a callable serves."""

from __future__ import annotations

import contextlib
import inspect
import threading
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any, Callable

from pytriton._decorator import CONTEXT, Decorated, innermost, layers
from pytriton.exceptions import PyTritonValidationError
from pytriton.model_config.triton_model_config import TritonModelConfig


class _Serving(threading.local):
    """The model whose callables this thread runs: one callable may serve several models."""

    config: TritonModelConfig | None = None
    functions: frozenset[int] = frozenset()  # ids of the users' own functions


_SERVING = _Serving()


@contextlib.contextmanager
def serving(config: TritonModelConfig, functions: Sequence[Any]) -> Iterator[None]:
    """Within the block, calls of these functions on this thread are calls of that model."""
    before = _SERVING.config, _SERVING.functions
    begin_serving(config, functions)
    try:
        yield
    finally:
        _SERVING.config, _SERVING.functions = before


def begin_serving(config: TritonModelConfig, functions: Sequence[Any]) -> None:
    """From now on, calls of these functions on this thread are calls of that model."""
    _SERVING.config = config
    _SERVING.functions = frozenset(id(innermost(function)) for function in functions)


class ModelConfigDict(MutableMapping[Any, TritonModelConfig]):
    """Model configurations by the callables that serve them."""

    def __init__(self) -> None:
        """Begins empty."""
        self._kept: dict[str, tuple[Any, TritonModelConfig]] = {}

    @staticmethod
    def _get_model_config_key(function: Any) -> str:
        while isinstance(function, Decorated):  # as if it were not decorated
            function = function.__wrapped__
        if inspect.ismethod(function) and function.__name__ == "__call__":
            function = function.__self__
        return str(function)

    def __getitem__(self, function: Any) -> TritonModelConfig:
        return self._kept[self._get_model_config_key(function)][1]

    def __setitem__(self, function: Any, config: TritonModelConfig) -> None:
        self._kept[self._get_model_config_key(function)] = (function, config)

    def __delitem__(self, function: Any) -> None:
        del self._kept[self._get_model_config_key(function)]

    def __iter__(self) -> Iterator[Any]:
        return iter([function for function, _ in self._kept.values()])

    def __len__(self) -> int:
        return len(self._kept)


class TritonContext:
    """What decorated callables know about the models they serve.

    Attributes:
        model_configs: Configurations by callable.
    """

    def __init__(self, model_configs: ModelConfigDict | None = None) -> None:
        """Keeps the configurations, none at first."""
        self.model_configs = ModelConfigDict() if model_configs is None else model_configs

    @property
    def model_config(self) -> TritonModelConfig:
        """The configuration of the model whose callable runs on this thread.

        Outside of one it is that of the only model.

        Raises:
            AttributeError: No callable runs, and there is not exactly one model.
        """
        if _SERVING.config is not None:
            return _SERVING.config
        names = {(c.model_name, c.model_version): c for c in self.model_configs.values()}
        if len(names) != 1:
            raise AttributeError(f"expected a running callable or one model, got {len(names)}")
        return next(iter(names.values()))


def get_triton_context(wrapped: Callable[..., Any], instance: Any) -> TritonContext:
    """The context that `Triton.bind` has put on a callable.

    Args:
        wrapped: The decorated function.
        instance: The object a method is bound to, or None.

    Raises:
        PyTritonValidationError: The callable is bound to no model.
    """
    holder = instance if instance is not None else innermost(wrapped)
    context: Any = getattr(holder, CONTEXT, None)
    if context is None:
        raise PyTritonValidationError(
            "Wrapped function or object must bound with triton to get  __triton_context__"
        )
    found: TritonContext = context
    return found


def get_model_config(wrapped: Callable[..., Any], instance: Any) -> TritonModelConfig:
    """The configuration of the model that a callable serves."""
    if _SERVING.config is not None and id(innermost(wrapped)) in _SERVING.functions:
        return _SERVING.config
    configs = get_triton_context(wrapped, instance).model_configs
    return configs[wrapped] if wrapped in configs else configs[innermost(wrapped)]


def inject_triton_context(context: TritonContext, function: Any, config: TritonModelConfig) -> None:
    """Lets decorators on `function` find the model's configuration."""
    inner = function
    for inner in layers(function):
        context.model_configs[inner] = config
    for holder in (getattr(function, "__self__", None), getattr(function, "instance", None), inner):
        try:
            if holder is not None:
                setattr(holder, CONTEXT, context)
        except (AttributeError, TypeError):
            continue  # built-in functions and objects with slots take no attributes


def get_inference_request_batch_size(inference_request: Any) -> int:
    """First dimension of a request's first input."""
    first = next(iter(inference_request.values()))
    return int(first.shape[0])
