"""PythonBackendConfig: settings of Triton's python backend."""

from __future__ import annotations

from collections.abc import Iterable

from pytriton.server._settings import Settings

__all__ = ["PythonBackendConfig"]


class PythonBackendConfig(Settings):
    """Settings of the python backend, as a mapping and as values of `--backend-config`."""

    _KEYS = ("shm-region-prefix-name", "shm-default-byte-size", "shm-growth-byte-size")

    @classmethod
    def _known(cls) -> Iterable[str]:
        return cls._KEYS

    @classmethod
    def _refusal(cls, name: str) -> str:
        return f"The argument {name!r} to the python backend is not supported by the pytriton."

    @classmethod
    def backend_keys(cls) -> list[str]:
        """Names of the settings."""
        return list(cls._KEYS)

    def backend_args(self) -> dict[str, object]:
        """What is set."""
        return self._values

    def to_list_args(self) -> list[str]:
        """As `python,name=value`."""
        for name, value in self._words():
            assert isinstance(value, (int, str)), f"expected an int or a str for {name}"
        return [f"python,{name}={value}" for name, value in self._words()]
