"""The module `_hot`: the hot path of a worker in C++ (csrc/bindings/hot).

It lies beside libpytriton_arena.so, stands on CPython's limited API and needs nothing else, so that
any interpreter of 3.9 and newer on this platform can load it. Where there is none (another kind of
interpreter, a build without the interpreter lock, another libc), the twins in Python do the same.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from typing import Any

_DIRECTORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_NAME = "_hot"
# Set to anything: the twins in Python are used.
PURE = "PYTRITON_PURE_WORKERS"


def load(directory: str = _DIRECTORY) -> Any:
    """The module that lies there; None where there is none."""
    if os.environ.get(PURE) or sys.version_info < (3, 9):
        return None
    # Finds nothing where the interpreter doesn't take the suffix, which stands for its kind.
    spec = PathFinder.find_spec(f"{__package__}.{_NAME}", [directory])
    if spec is None or spec.loader is None:
        return None
    try:
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    except ImportError:
        return None
    return module
