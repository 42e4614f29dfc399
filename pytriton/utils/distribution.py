"""Where this package is installed."""

from __future__ import annotations

import pathlib
import site

__all__ = ["get_root_module_path", "is_editable_install"]


def get_root_module_path() -> pathlib.Path:
    """The directory of the package `pytriton`."""
    return pathlib.Path(__file__).resolve().parents[1]


def is_editable_install() -> bool:
    """Whether the package is used from elsewhere than where packages are installed."""
    return str(get_root_module_path().parent) not in {
        *site.getsitepackages(),
        site.getusersitepackages(),
    }
