"""What the clients raise."""

from __future__ import annotations

__all__ = [
    "PyTritonClientClosedError",
    "PyTritonClientError",
    "PyTritonClientInferenceServerError",
    "PyTritonClientInvalidUrlError",
    "PyTritonClientModelDoesntSupportBatchingError",
    "PyTritonClientModelUnavailableError",
    "PyTritonClientQueueFullError",
    "PyTritonClientTimeoutError",
    "PyTritonClientValueError",
]


class PyTritonClientError(Exception):
    """Base of every error of the clients."""

    def __init__(self, message: str) -> None:
        """Keeps the text.

        Args:
            message: What was expected, what came, and where.
        """
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return self.message


class PyTritonClientValueError(PyTritonClientError):
    """An argument is not acceptable."""


class PyTritonClientInvalidUrlError(PyTritonClientValueError):
    """The URL of a server can't be used."""


class PyTritonClientTimeoutError(PyTritonClientError):
    """No answer came in time, or the server could not be reached."""


class PyTritonClientModelUnavailableError(PyTritonClientError):
    """The server has no such model."""


class PyTritonClientClosedError(PyTritonClientError):
    """The client was closed before."""


class PyTritonClientModelDoesntSupportBatchingError(PyTritonClientError):
    """The model takes no batches."""


class PyTritonClientInferenceServerError(PyTritonClientError):
    """The server answered with an error.

    Attributes:
        status: Its status: an HTTP status such as "500", or gRPC's name such as "INTERNAL"; None:
            the error is the client's.
    """

    def __init__(self, message: str, status: str | None = None) -> None:
        """Keeps the text and the status.

        Args:
            message: The server's text.
            status: The server's status.
        """
        super().__init__(message)
        self.status = status


class PyTritonClientQueueFullError(PyTritonClientError):
    """As many calls as the queue takes are waiting already."""
