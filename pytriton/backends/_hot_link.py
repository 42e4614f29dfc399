"""The channel of a worker process whose hot path is the module `_hot`."""

from __future__ import annotations

import mmap
import os
import threading
from typing import Any, List, Sequence

from . import _messages as messages
from ._channel import RawAnswer, RawRequest
from ._link import Link
from ._results import Results
from ._ring import map_ring
from ._rows import RowReader


def open_port(hot: Any, ring_fd: int, bells: Sequence[int], pool_fd: int, results: Results) -> Any:
    """What is both a `Ring` and `Loans`, and does what `HotLink` has no need to do.

    Args:
        hot: the module.
        ring_fd: the memory of the ring.
        bells: as `Ring` takes them.
        pool_fd: the memory of the loans.
        results: where large messages go.
    """
    memory: mmap.mmap = map_ring(ring_fd, results)
    size = os.fstat(pool_fd).st_size
    parts = (RawRequest, tuple.__new__, messages.read_parameters, RowReader().read)
    return hot.Port(memory, *bells, results, pool_fd, size, parts)


class HotLink(Link):
    """A link whose hot path is in C++; `Link` tells what the functions do.

    Args:
        port: what `open_port` gave.
        results: memory for outputs.
        main: the thread that executes.
    """

    def __init__(self, port: Any, results: Results, main: int) -> None:
        super().__init__(port, results, port, main)
        self._port = port
        # Called without a function of Python in between.
        for name in (
            "receive",
            "make_requests",
            "answer",
            "end_batch",
            "return_inputs",
            "is_logged",
        ):
            setattr(self, name, getattr(port, name))

    def set_names(self, inputs: List[str], outputs: List[str]) -> None:
        """The tensors of the model."""
        super().set_names(inputs, outputs)
        places = {name: index for index, name in enumerate(outputs)}
        self._port.set_names(inputs, tuple(outputs), places)

    def respond_all(self, answers: Sequence[RawAnswer]) -> None:
        """See `Channel.respond_all`."""
        if self._ring.is_left:
            return
        message = self._encoder.responses(answers, True)
        if not self._port.keep(message.payload(), message.lent):
            self._ring.send(messages.RESPONSES, message.payload())

    def _must_wake(self) -> bool:
        return not (self._port.is_executing and threading.get_ident() == self._main)
