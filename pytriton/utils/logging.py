"""Log levels of libraries that PyTriton used."""

from __future__ import annotations

import logging

__all__ = ["silence_3rd_party_loggers"]


def silence_3rd_party_loggers() -> None:
    """Keeps `sh`, which scripts may have loaded, from logging each of its commands."""
    for name in ("sh.command", "sh.stream_bufferer", "sh.streamreader"):
        logging.getLogger(name).setLevel(logging.WARNING)
