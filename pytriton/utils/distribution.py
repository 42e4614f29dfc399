"""Where this package is installed."""

from __future__ import annotations

import pathlib

__all__ = ["get_root_module_path", "is_editable_install"]


def get_root_module_path() -> pathlib.Path:
    """The directory of the package `pytriton`."""
    return pathlib.Path(__file__).resolve().parents[1]


def is_editable_install() -> bool:
    """Whether the package is used from a checkout."""
    return (get_root_module_path().parent / "CMakeLists.txt").exists()
