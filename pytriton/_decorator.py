"""What all decorators of callables share: they work on functions, methods and callable objects."""

from __future__ import annotations

import functools
import types
from collections.abc import Iterator
from typing import Any, Callable

Wrapper = Callable[..., Any]
CONTEXT = "__triton_context__"  # attribute of the user's own function, or of its object


class Decorated:
    """A callable around another one; as a class attribute it binds like a function.

    Attributes:
        kind: Name of the decorator, such as "batch".
        instance: What a method is bound to, or None.
    """

    def __init__(
        self, kind: str, wrapper: Wrapper, wrapped: Callable[..., Any], instance: Any = None
    ) -> None:
        """Wraps.

        Args:
            kind: Name of the decorator.
            wrapper: Called with (wrapped, instance, args, kwargs) for every call.
            wrapped: What is decorated.
            instance: What `wrapped` is bound to, or None.
        """
        functools.update_wrapper(self, wrapped)
        self.kind = kind
        self.instance = instance if instance is not None else getattr(wrapped, "__self__", None)
        self._wrapper = wrapper
        self.__wrapped__ = wrapped

    def __setattr__(self, name: str, value: Any) -> None:
        if name == CONTEXT:  # who sets it here means the function
            setattr(self.__wrapped__, name, value)
        else:
            super().__setattr__(name, value)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._wrapper(self.__wrapped__, self.instance, args, kwargs)

    def __get__(self, instance: Any, owner: type | None = None) -> Decorated:
        if instance is None or not hasattr(self.__wrapped__, "__get__"):
            return self
        bound = self.__wrapped__.__get__(instance, owner)
        return Decorated(self.kind, self._wrapper, bound, instance)


def decorator(kind: str, wrapper: Wrapper) -> Callable[..., Any]:
    """Makes a decorator that is used with or without empty parentheses."""

    def decorate(*args: Callable[..., Any]) -> Any:
        if not args:
            return decorate
        return Decorated(kind, wrapper, args[0])

    decorate.__name__ = kind
    decorate.__doc__ = wrapper.__doc__
    return decorate


def layers(function: Any) -> Iterator[Any]:
    """The callable and all it wraps, from outside in: decorators, partials, bound methods."""
    while function is not None:
        yield function
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, types.MethodType):
            function = function.__func__
        else:
            function = getattr(function, "__wrapped__", None)


def innermost(function: Any) -> Any:
    """The user's own function."""
    last = function
    for layer in layers(function):
        last = layer
    return last
