"""Requests and responses as callables see them."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import (
    TYPE_CHECKING,
    Any,
    ClassVar,
    Union,
)

import numpy as np

if TYPE_CHECKING:
    from pytriton._core import RequestContext

__all__ = [
    "Request",
    "Requests",
    "Response",
    "Responses",
    "ResponsesNoneOrError",
    "ResponsesOrError",
    "Scope",
]


class _TensorMapping:
    """The mapping from names to arrays that requests and responses share."""

    data: dict[str, np.ndarray[Any, Any]]

    def __getitem__(self, name: str) -> np.ndarray[Any, Any]:
        return self.data[name]

    def __setitem__(self, name: str, value: np.ndarray[Any, Any]) -> None:
        self.data[name] = value

    def __delitem__(self, name: str) -> None:
        del self.data[name]

    def __len__(self) -> int:
        return len(self.data)

    def __iter__(self) -> Iterator[str]:
        return iter(self.data)

    def items(self) -> ItemsView[str, np.ndarray[Any, Any]]:
        """Names and arrays."""
        return self.data.items()

    def keys(self) -> KeysView[str]:
        """Names."""
        return self.data.keys()

    def values(self) -> ValuesView[np.ndarray[Any, Any]]:
        """Arrays."""
        return self.data.values()


@dataclasses.dataclass
class Request(_TensorMapping):
    """One inference request.

    Attributes:
        data: Input arrays by name, in the order of the model's inputs; with batching their first
            dimension is this request's batch size. Optional inputs that did not come are absent.
        parameters: The request's parameters and forwarded headers.
        span: Span of the trace, or None.
        requested_output_names: Outputs that the client asked for.
    """

    data: dict[str, np.ndarray[Any, Any]]
    parameters: dict[str, str | int | bool] | None = None
    span: Any | None = None
    requested_output_names: list[str] | None = None

    # Set by the core for requests that came from a client.
    _context: ClassVar[RequestContext | None] = None

    def traced_span(self, span_name: str, **kwargs: Any) -> contextlib.AbstractContextManager[Any]:
        """A child of this request's span, for a `with` block; nothing when it is not traced."""
        from pytriton.proxy.telemetry import traced_span

        return traced_span(self, span_name, **kwargs)

    @property
    def cancelled(self) -> bool:
        """True once the client left or cancelled: nobody waits for the answer."""
        return self._context is not None and self._context.cancelled

    @property
    def id(self) -> str:
        """The id that the client gave the request, or an empty string."""
        return "" if self._context is None else self._context.id

    def __getstate__(self) -> dict[str, Any]:
        """What another process gets: all but the tie to the client."""
        return {name: value for name, value in vars(self).items() if name != "_context"}

    def __copy__(self) -> Request:
        return self._tied(vars(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> Request:
        return self._tied(copy.deepcopy(self.__getstate__(), memo))

    def _tied(self, state: Mapping[str, Any]) -> Request:
        """Another request of that state, tied to the same client."""
        other = type(self).__new__(type(self))
        vars(other).update(state)
        if self._context is not None:
            vars(other)["_context"] = self._context
        return other


@dataclasses.dataclass
class Response(_TensorMapping):
    """One inference response.

    Attributes:
        data: Output arrays by name.
    """

    data: dict[str, np.ndarray[Any, Any]]


Requests = list[Request]
Responses = list[Response]
ResponsesOrError = Union[Responses, Exception]
ResponsesNoneOrError = Union[Responses, None, Exception]


class Scope(dict):  # type: ignore[type-arg]
    """Objects that belong to one request while it is under way."""
