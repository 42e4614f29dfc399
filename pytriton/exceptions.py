"""Exceptions of the server side of pytriton."""

from __future__ import annotations

__all__ = [
    "PyTritonBadParameterError",
    "PyTritonError",
    "PyTritonInvalidOperationError",
    "PyTritonModelConfigError",
    "PyTritonRuntimeError",
    "PyTritonUnrecoverableError",
    "PyTritonValidationError",
]


class PyTritonError(Exception):
    """Base of every error that pytriton raises on purpose."""

    def __init__(self, message: str) -> None:
        """Keeps the text.

        Args:
            message: What was expected, what came, and where.
        """
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class PyTritonValidationError(PyTritonError):
    """A value that was given is not acceptable."""


class PyTritonInvalidOperationError(PyTritonError):
    """The operation is not allowed in this state."""


class PyTritonBadParameterError(PyTritonError):
    """A parameter has a value outside of what it may have."""


class PyTritonModelConfigError(PyTritonError):
    """A model configuration is not complete or contradicts itself."""


class PyTritonUnrecoverableError(PyTritonError):
    """Raised by a callable that can never work again: clients get the error, the server stops."""


class PyTritonRuntimeError(PyTritonError):
    """Something failed while serving."""
