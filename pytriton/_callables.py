"""How a bound callable is called: decided once, from its outermost form."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Callable

from pytriton._decorator import Decorated, layers

if TYPE_CHECKING:
    from pytriton._async_calls import AsyncCalls
    from pytriton._core import Stream
    from pytriton.proxy.types import Request

ARRAYS = "arrays"  # target(**inputs) for the whole batch
REQUESTS = "requests"  # target(requests) -> one result for each
STREAM = "stream"  # target(requests, stream): answers through the stream


class Instance:
    """One callable of a model, on its way to the core.

    Attributes:
        form: One of the forms above.
        target: What the core calls.
        calls: The event loop that runs it, for asynchronous callables.
    """

    def __init__(self, form: str, target: Callable[..., Any], calls: AsyncCalls | None) -> None:
        """Keeps all three."""
        self.form = form
        self.target = target
        self.calls = calls


def make_instance(
    function: Callable[..., Any],
    decoupled: bool,
    batching: bool,
    alone: bool = False,
    limit: int | None = None,
) -> Instance:
    """Chooses how `function` is called.

    Args:
        function: What the user gave to `bind`.
        decoupled: Whether each request may get any number of responses.
        batching: Whether tensors have a batch dimension.
        alone: Whether a call must have ended before the instance takes the next batch.
        limit: Most calls of an asynchronous callable at once; None: the kind's own.
    """
    is_async = is_form(inspect.iscoroutinefunction, function)
    if is_async or is_form(inspect.isasyncgenfunction, function):
        from pytriton._async_calls import AsyncCalls

        calls = AsyncCalls(function, limit)
        if decoupled or (limit is not None and limit > 1 and not alone):
            return Instance(STREAM, calls.run_stream if alone else calls.start, calls)
        return Instance(REQUESTS, calls.run, calls)
    if is_form(inspect.isgeneratorfunction, function):
        if decoupled:
            return Instance(STREAM, functools.partial(_pull, function), None)
        return Instance(REQUESTS, functools.partial(_pull_one, function), None)
    outermost, inner = _undecorated(function)
    if outermost == ("batch" if batching else "sample"):
        return Instance(ARRAYS, inner, None)
    return Instance(REQUESTS, function, None)


def only_one(name: str) -> ValueError:
    """The error of a model that is not decoupled and answers another number of times than once."""
    return ValueError(
        f"`{name}` must give exactly one response to each request, "
        "because its model is not decoupled; set ModelConfig(decoupled=True) to stream responses"
    )


def is_form(test: Callable[[Any], bool], function: Any) -> bool:
    """Whether the callable, or what it wraps, passes a test such as inspect.isgeneratorfunction."""
    if any(test(layer) for layer in layers(function)):
        return True
    if inspect.isroutine(function):
        return False
    method = type(function).__call__ if callable(function) else None
    return any(test(layer) for layer in layers(method))


def _undecorated(function: Any) -> tuple[str, Any]:
    """The outermost decorator's kind and the callable under it, which takes arrays."""
    if not isinstance(function, Decorated) and not inspect.isroutine(function):
        # An object whose __call__ is decorated. Looked up on the object, so that it is bound.
        function = function.__call__
    if isinstance(function, Decorated):
        return function.kind, function.__wrapped__
    return "", function


def _pull(function: Callable[..., Any], requests: list[Request], stream: Stream) -> None:
    """Sends what a generator yields, on the instance's thread, until nobody listens."""
    try:
        results = function(requests)
        for item in results:
            if stream.cancelled:
                results.close()
                stream.cancel()
                return
            stream.respond(item)
    except BaseException as error:
        stream.fail(error)
    else:
        stream.finish()


def _pull_one(function: Callable[..., Any], requests: list[Request]) -> Any:
    """The only item of a generator."""
    results = function(requests)
    none: Any = object()
    first = next(results, none)
    # The second is asked for only to know that there is none.
    if first is none or next(results, none) is not none:
        results.close()
        raise only_one(getattr(function, "__name__", str(function)))
    return first
