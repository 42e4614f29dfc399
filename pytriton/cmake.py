"""Where C++ programs find pytriton.

Example:
    cmake -S . -B build -DCMAKE_PREFIX_PATH="$(python -m pytriton.cmake)"
"""

from __future__ import annotations

import pathlib


def prefix() -> str:
    """The folder to add to ``CMAKE_PREFIX_PATH`` so that ``find_package(pytriton)`` works.

    Returns:
        The absolute path of the installed package, which holds ``include/``, ``lib/cmake/`` and
        ``libpytriton.so``.
    """
    from pytriton import _core

    return str(pathlib.Path(_core.__file__).resolve().parent)


if __name__ == "__main__":
    print(prefix())
