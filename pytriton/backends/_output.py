"""What a model prints, with the ids of the requests that it is answering."""

from __future__ import annotations

import io
import sys
import threading
from typing import Any, List, Optional

_MOST_IDS = 8  # in one line


class Executing:
    """The batch that the main thread executes now."""

    def __init__(self) -> None:
        self.batch: Optional[List[Any]] = None
        self._main = threading.get_ident()

    def mark(self) -> str:
        """What a line begins with that is printed now."""
        batch = self.batch
        if batch is None or threading.get_ident() != self._main:
            return ""
        ids = [request.id for request in batch if request.id]
        if not ids:
            return ""
        more = ", ..." if len(ids) > _MOST_IDS else ""
        return f"[request id: {', '.join(ids[:_MOST_IDS])}{more}] "


class _MarkedOutput(io.TextIOWrapper):
    """A text stream whose lines begin with a mark."""

    executing: Executing
    _is_inside_line = False

    def write(self, text: str) -> int:
        """Writes text; what begins a line is marked."""
        mark = self.executing.mark()
        if mark and isinstance(text, str):
            body, end = (text[:-1], "\n") if text.endswith("\n") else (text, "")
            begin = "" if self._is_inside_line else mark
            super().write(begin + body.replace("\n", "\n" + mark) + end)
        else:
            super().write(text)
        if text:
            self._is_inside_line = not text.endswith("\n")
        return len(text)


def mark_output() -> Executing:
    """Replaces stdout and stderr; what to tell of batches."""
    executing = Executing()
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        stream.flush()
        marked = _MarkedOutput(
            stream.detach(), encoding="utf-8", errors="backslashreplace", line_buffering=True
        )
        marked.executing = executing
        setattr(sys, name, marked)
        setattr(sys, f"__{name}__", marked)
    return executing
