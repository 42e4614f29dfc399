"""Dataclasses whose constructors take keywords only."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from typing_extensions import dataclass_transform
else:

    def dataclass_transform(**_: Any) -> Any:
        """Tells type checkers only."""
        return lambda decorator: decorator


__all__ = ["kwonly_dataclass"]

T = TypeVar("T")


@dataclass_transform(kw_only_default=True)
def kwonly_dataclass(cls: type[T]) -> type[T]:
    """Makes a dataclass that refuses positional arguments (Python 3.9 has no `kw_only`)."""
    made = dataclasses.dataclass(cls)
    plain_init = made.__init__

    @functools.wraps(plain_init)
    def init(self: T, *args: Any, **kwargs: Any) -> None:
        if args:
            raise TypeError(
                f"{made.__name__} initialization can't be used with positional arguments"
            )
        plain_init(self, **kwargs)

    made.__init__ = init  # type: ignore[method-assign,assignment]
    return made
