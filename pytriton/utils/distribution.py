"""Where this package is installed."""

from __future__ import annotations

import pathlib
import site

__all__ = ["get_libs_path", "get_root_module_path", "get_stub_path", "is_editable_install"]


def get_root_module_path() -> pathlib.Path:
    """The directory of the package `pytriton`."""
    return pathlib.Path(__file__).resolve().parents[1]


def is_editable_install() -> bool:
    """Whether the package is used from elsewhere than where packages are installed."""
    return str(get_root_module_path().parent) not in {
        *site.getsitepackages(),
        site.getusersitepackages(),
    }


def get_libs_path() -> pathlib.Path:
    """The directory of the package's shared libraries."""
    from pytriton import _core

    return pathlib.Path(_core.__file__).resolve().parent


def get_stub_path(version: str) -> pathlib.Path:
    """Where PyTriton has the stub of Triton's python backend; nothing is there.

    Args:
        version: Of Python, such as "3.11".
    """
    stubs = get_root_module_path() / "tritonserver" / "python_backend_stubs"
    return stubs / version / "triton_python_backend_stub"
