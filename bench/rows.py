"""Markdown tables on stdout, a row at a time, for what takes long."""

from __future__ import annotations


def row(*cells: object) -> None:
    """Prints one row at once."""
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def head(*cells: str) -> None:
    """Begins a table."""
    print()
    row(*cells)
    row(*["---"] * len(cells))
