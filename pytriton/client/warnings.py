"""Warnings of the clients, for programs that filter them: these clients keep every time-out."""

from __future__ import annotations

__all__ = ["NotSupportedTimeoutWarning", "PyTritonWarning"]


class PyTritonWarning(UserWarning):
    """Base of the clients' warnings."""


class NotSupportedTimeoutWarning(PyTritonWarning):
    """A time-out could not be kept. Never issued here."""
