"""Logger: lines of the model in the server's log."""

from __future__ import annotations

import enum
import os
import sys

from . import runtime

_base_names: dict[str, str] = {}


class LogLevel(enum.IntEnum):
    """Levels of the log."""

    INFO = 0
    WARNING = 1
    ERROR = 2
    VERBOSE = 3


def _write(level: int, message: str, depth: int) -> None:
    if not isinstance(message, str):
        raise TypeError(f"expected a str to log, got {type(message)}")
    channel = runtime.current().channel
    if not channel.is_logged(level):
        return
    frame = sys._getframe(depth)
    path = frame.f_code.co_filename
    name = _base_names.get(path)
    if name is None:
        name = _base_names[path] = os.path.basename(path)
    channel.log(level, name, frame.f_lineno, message)


class Logger:
    """Writes to the server's log, with file and line of the caller; not to be constructed."""

    INFO = LogLevel.INFO
    WARNING = LogLevel.WARNING
    ERROR = LogLevel.ERROR
    VERBOSE = LogLevel.VERBOSE

    def __init__(self) -> None:
        raise TypeError("Logger: No constructor defined!")

    @staticmethod
    def log(message: str, level: LogLevel = LogLevel.INFO) -> None:
        """Writes one message.

        Raises:
            TypeError: the message is no str, or the level none of the constants.
        """
        if not isinstance(level, LogLevel):
            raise TypeError(f"expected a level such as Logger.INFO, got {type(level)}")
        _write(level, message, 2)

    @staticmethod
    def log_info(message: str) -> None:
        """Writes an information."""
        _write(0, message, 2)

    @staticmethod
    def log_warn(message: str) -> None:
        """Writes a warning."""
        _write(1, message, 2)

    @staticmethod
    def log_error(message: str) -> None:
        """Writes an error."""
        _write(2, message, 2)

    @staticmethod
    def log_verbose(message: str) -> None:
        """Writes what only a verbose log shows."""
        _write(3, message, 2)


Logger.LogLevel = LogLevel  # type: ignore[attr-defined]
