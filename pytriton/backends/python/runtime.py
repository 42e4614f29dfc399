"""The model that runs in this process, for functions of pb_utils that get no object to ask.

`pb_utils.get_model_dir()`, `Logger` and `MetricFamily` belong to the one model of the process: one
place holds it, set by the host and by nobody else.
"""

from __future__ import annotations

from typing import Optional

from .._channel import Channel, WorkerSetup
from .errors import TritonModelException


class Runtime:
    """The channel and the setup of this process' model.

    Attributes:
        channel: To the server.
        setup: Names and directories.
        may_call: Whether models may be called (not any more during `finalize`).
        is_blocking: Whether `execute` runs and keeps the instance busy until it ends.
        instance_count: How many instances the model has.
    """

    __slots__ = ("channel", "instance_count", "is_blocking", "may_call", "setup")

    def __init__(self, channel: Channel, setup: WorkerSetup) -> None:
        self.channel = channel
        self.setup = setup
        self.may_call = True
        self.is_blocking = False
        self.instance_count = 1

    def failed(self, what: str, text: str) -> TritonModelException:
        """The exception for a refused call: "WHAT: Failed to process the request ...: TEXT"."""
        return TritonModelException(
            f"{what}: Failed to process the request for model '{self.setup.instance_name}', "
            f"message: {text}"
        )


_runtime: Optional[Runtime] = None


def set_current(runtime: Optional[Runtime]) -> None:
    """Names the model of this process."""
    global _runtime
    _runtime = runtime


def current() -> Runtime:
    """The model of this process.

    Raises:
        TritonModelException: the process runs no model.
    """
    if _runtime is None:
        raise TritonModelException("expected a process that runs a model of a server")
    return _runtime


def get_model_dir() -> str:
    """The directory of the model's version: `<model>/<version>`."""
    return current().setup.version_dir
