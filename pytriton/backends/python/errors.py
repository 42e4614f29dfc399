"""Errors of models: TritonError, TritonModelException, and the text that an exception becomes.

Runs in foreign interpreters (Python 3.8, numpy): like every file of this package it imports only
the standard library, numpy and its neighbours.
"""

from __future__ import annotations

import enum
import os
from types import TracebackType

_OWN_DIRECTORIES = tuple(
    path + os.sep for path in (os.path.dirname(os.path.dirname(os.path.abspath(__file__))),)
)


class TritonModelException(Exception):
    """What pb_utils raises, and what a model may raise: one text."""


class TritonErrorCode(enum.IntEnum):
    """Kinds of errors; the protocols translate them (404 and NOT_FOUND for NOT_FOUND, ...)."""

    UNKNOWN = 0
    INTERNAL = 1
    NOT_FOUND = 2
    INVALID_ARG = 3
    UNAVAILABLE = 4
    UNSUPPORTED = 5
    ALREADY_EXISTS = 6
    CANCELLED = 7


class TritonError:
    """An error that answers one request.

    Args:
        message: what the client reads, as it is.
        code: its kind, one of the constants of this class.

    Raises:
        TypeError: the message is no str or the code none of the constants.
    """

    __slots__ = ("_code", "_message")

    UNKNOWN = TritonErrorCode.UNKNOWN
    INTERNAL = TritonErrorCode.INTERNAL
    NOT_FOUND = TritonErrorCode.NOT_FOUND
    INVALID_ARG = TritonErrorCode.INVALID_ARG
    UNAVAILABLE = TritonErrorCode.UNAVAILABLE
    UNSUPPORTED = TritonErrorCode.UNSUPPORTED
    ALREADY_EXISTS = TritonErrorCode.ALREADY_EXISTS
    CANCELLED = TritonErrorCode.CANCELLED

    def __init__(self, message: str, code: TritonErrorCode = TritonErrorCode.INTERNAL) -> None:
        if not isinstance(message, str):
            raise TypeError(f"expected a str as message of a TritonError, got {type(message)}")
        if not isinstance(code, TritonErrorCode):
            raise TypeError(f"expected a code such as TritonError.INTERNAL, got {type(code)}")
        self._message = message
        self._code = code

    def message(self) -> str:
        """The text."""
        return self._message

    def code(self) -> TritonErrorCode:
        """The kind."""
        return self._code


def code_from_number(number: int) -> TritonErrorCode:
    """The code with that number; UNKNOWN for a number that this version doesn't know."""
    try:
        return TritonErrorCode(number)
    except ValueError:
        return TritonErrorCode.UNKNOWN


def _frames(traceback: TracebackType | None) -> list[str]:
    lines = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        # Neither the host below the model nor pb_utils above it tells its author anything.
        if not code.co_filename.startswith(_OWN_DIRECTORIES) and not code.co_filename.startswith(
            "<frozen importlib"
        ):
            lines.append(f"  {code.co_filename}({traceback.tb_lineno}): {code.co_name}\n")
        traceback = traceback.tb_next
    lines.reverse()
    return lines


def describe(error: BaseException) -> str:
    """The text that clients and operators see of an exception in a model.

    Returns:
        "<type>: <text>", then after "At:" one line "  file(line): function" for each frame of the
        model, innermost first.
    """
    try:
        text = str(error) or "<EMPTY MESSAGE>"
    except Exception:
        text = "<MESSAGE UNAVAILABLE DUE TO ANOTHER EXCEPTION>"
    text = f"{type(error).__name__}: {text}"
    frames = _frames(error.__traceback__)
    if frames:
        text += "\n\nAt:\n" + "".join(frames)
    return text


def type_text(value: object) -> str:
    """How texts name the type of a value: "<class 'int'>"."""
    return str(type(value))
