"""What people's tests of their own callables and decorators take from this path of PyTriton.

Its classes Model and ModelManager are not here: they talk to a server of their own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pytriton._decorator import innermost
from pytriton._model_context import TritonContext

__all__ = ["TritonContext"]

F = TypeVar("F", bound=Callable[..., Any])


def _inject_triton_context(triton_context: TritonContext, model_callable: F) -> F:
    """Lets decorators of a callable find its configuration, without a server.

    Args:
        triton_context: Has the configuration, as `model_configs[model_callable]`.
        model_callable: A function, or a method of the object that will hold the context.

    Returns:
        The callable.
    """
    holder = getattr(model_callable, "__self__", None) or getattr(model_callable, "instance", None)
    target: Any = innermost(model_callable) if holder is None else holder
    target.__triton_context__ = triton_context
    return model_callable
