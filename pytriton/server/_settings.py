"""Settings by names that may be written with dashes or with underscores."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pytriton.exceptions import PyTritonError


class Settings:
    """A mapping from the names of known settings to values."""

    def __init__(self) -> None:
        """Without any setting."""
        self._values: dict[str, Any] = {}

    @classmethod
    def _known(cls) -> Iterable[str]:
        """Names with dashes."""
        raise NotImplementedError

    @classmethod
    def _refusal(cls, name: str) -> str:
        raise NotImplementedError

    @classmethod
    def allowed_keys(cls) -> list[str]:
        """Every name, with dashes and with underscores."""
        known = list(cls._known())
        return known + [name.replace("-", "_") for name in known if "-" in name]

    def update_config(self, params: dict[str, Any] | None = None) -> None:
        """Sets several.

        Args:
            params: Values by name; None: nothing.

        Raises:
            PyTritonError: A name is unknown.
        """
        for name, value in (params or {}).items():
            self[name] = value

    def copy(self) -> Any:
        """The same settings, to be changed apart."""
        other = type(self)()
        other._values = dict(self._values)
        return other

    def __getitem__(self, name: str) -> Any:
        """The value; None for what is not set."""
        return self._values.get(name.replace("_", "-"))

    def __setitem__(self, name: str, value: Any) -> None:
        """Sets a known setting. Raises PyTritonError for another name."""
        key = name.replace("_", "-")
        if key not in self._known():
            raise PyTritonError(self._refusal(name))
        self._values[key] = value

    def __contains__(self, name: str) -> bool:
        return name.replace("_", "-") in self._values

    def _words(self) -> list[tuple[str, Any]]:
        """Names with values in the order of setting; lists repeat their name."""
        return [
            (name, item)
            for name, value in self._values.items()
            if value is not None
            for item in (value if isinstance(value, (list, tuple)) else [value])
        ]
