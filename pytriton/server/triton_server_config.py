"""TritonServerConfig: the flags of tritonserver."""

from __future__ import annotations

from collections.abc import Iterable

from pytriton import _core
from pytriton.server._settings import Settings

__all__ = ["TritonServerConfig"]


class TritonServerConfig(Settings):
    """Flags of a server, as a mapping and as a command line.

    Attributes:
        server_arg_keys: Names of the flags.
    """

    server_arg_keys = [row["name"] for row in _core.option_table()]

    @classmethod
    def _known(cls) -> Iterable[str]:
        return cls.server_arg_keys

    @classmethod
    def _refusal(cls, name: str) -> str:
        return (
            f"The argument {name!r} to the Triton Inference Server is not supported by "
            "the pytriton."
        )

    def server_args(self) -> dict[str, object]:
        """What is set."""
        return self._values

    def to_cli_string(self) -> str:
        """As `--name=value`, joined by blanks."""
        return " ".join(f"--{name}={value}" for name, value in self._words())

    def to_args_list(self) -> list[str]:
        """As `--name`, `value`, ...; a value with blanks stays whole."""
        return [word for name, value in self._words() for word in (f"--{name}", str(value))]
