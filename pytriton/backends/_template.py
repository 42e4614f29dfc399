"""The program of a worker template: `<interpreter> _template.py <pid of the server>`.

It has imported what every worker needs, and forks a worker whenever the server asks: that costs a
few milliseconds instead of the start of an interpreter. It never sees a model. It forks on its only
thread, and its children become what `_worker.py` would be.

Commands come over the socket that is descriptor 3 (csrc/backend/worker_template.h).
"""

from __future__ import annotations

import os
import struct
import sys
from typing import Any, List, Optional, Tuple

_SOCKET = 3
_FORK, _REAP = 1, 2
_COMMAND = struct.Struct("<II")
_ANSWER = struct.Struct("<q")
_REFUSED = -1


def _is_same(known: List[Tuple[str, int, int]]) -> bool:
    """Whether the files of what was imported are those of then."""
    return known == [_mark_of(path) for path, _, _ in known]


def _mark_of(path: str) -> Tuple[str, int, int]:
    try:
        info = os.stat(path)
    except OSError:
        return path, 0, 0
    return path, info.st_mtime_ns, info.st_ino


def _import_all() -> List[Tuple[str, int, int]]:
    """Imports what workers need; marks of the files that tell when that was installed anew."""
    import importlib

    import _worker  # type: ignore[import-not-found]

    _worker.import_parts()
    for name in ("_hot_link", "_output", "python.host", "python.triton_python_backend_utils"):
        importlib.import_module("pytriton_worker." + name)
    importlib.import_module("pytriton_worker._native").load()
    import numpy

    folder = os.path.dirname(numpy.__file__)
    paths = [sys.executable, numpy.__file__, os.path.join(folder, "version.py"), __file__]
    return [_mark_of(path) for path in paths]


class _CommandLine:
    """The arguments of this process in its memory, where /proc shows them from."""

    def __init__(self) -> None:
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        self._begin, end = int(fields[45]), int(fields[46])
        self._size = end - self._begin

    def name_worker(self) -> None:
        """Shows the program of a worker."""
        import ctypes

        if self._begin == 0:
            return
        text = ctypes.string_at(self._begin, self._size)
        text = text.replace(b"/_template.py\0", b"/_worker.py\0", 1)
        ctypes.memmove(self._begin, text.ljust(self._size, b"\0"), self._size)


def _receive(connection: Any) -> Tuple[int, int, List[int]]:
    """The next command: its kind, its number, descriptors. Exits when there is no server."""
    import array
    import socket

    numbers = array.array("i")
    space = socket.CMSG_SPACE(8 * numbers.itemsize)
    data, ancillary, _, _ = connection.recvmsg(_COMMAND.size, space, socket.MSG_WAITALL)
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
    if len(data) < _COMMAND.size:
        os._exit(0)
    kind, number = _COMMAND.unpack(data)
    return kind, number, list(numbers)


def _reap(pid: int) -> int:
    try:
        found, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return _REFUSED
    return status if found == pid else _REFUSED


def _fork() -> int:
    import warnings

    with warnings.catch_warnings():
        # Threads of numpy's libraries are no reason to warn: they know of forks.
        warnings.simplefilter("ignore")
        try:
            return os.fork()
        except OSError:
            return _REFUSED


def _serve(connection: Any) -> Tuple[List[int], str]:
    """Obeys. Returns in a child: its descriptors (socket, output) and its directory."""
    import gc
    import socket

    known = _import_all()
    import _worker

    _worker.hide_directory()
    gc.collect()
    gc.freeze()  # nothing here is garbage: its pages stay shared
    connection.sendall(b"H")
    while True:
        kind, number, descriptors = _receive(connection)
        if kind == _REAP:
            answer = _reap(number)
        else:
            directory = connection.recv(number, socket.MSG_WAITALL) if number else b""
            answer = _fork() if _is_same(known) and len(descriptors) == 2 else _REFUSED
            if answer == 0:
                return descriptors, os.fsdecode(directory)
            for descriptor in descriptors:
                os.close(descriptor)
        connection.sendall(_ANSWER.pack(answer))


def _become_worker(template: int, descriptors: List[int], directory: str) -> None:
    """Makes this child what a freshly started worker is."""
    import contextlib

    import _worker

    for source, target in zip((descriptors[1], descriptors[1], descriptors[0]), (1, 2, _SOCKET)):
        os.dup2(source, target)
    for descriptor in descriptors:
        os.close(descriptor)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        setattr(sys, name, os.fdopen(descriptor, "w", encoding="utf-8", closefd=False))
    os.setpgid(0, 0)
    _worker.bind_to(template)
    with contextlib.suppress(OSError):
        os.chdir(directory)
    numpy: Optional[Any] = sys.modules.get("numpy")
    if "numpy.random" in sys.modules and numpy is not None:
        numpy.random.seed()  # or all workers would draw the same numbers


def main() -> None:
    """Runs until the server ends; children run as workers."""
    import socket

    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import _worker

    _worker.bind_to(int(sys.argv[1]))
    null = os.open(os.devnull, os.O_WRONLY)
    for target in (1, 2):
        os.dup2(null, target)
    os.close(null)
    connection = socket.socket(fileno=_SOCKET)
    connection.set_inheritable(False)
    line = _CommandLine()
    template = os.getpid()
    descriptors, directory = _serve(connection)
    connection.detach()  # its number is the worker's from here on
    _become_worker(template, descriptors, directory)
    line.name_worker()
    del sys.modules["_worker"]  # a model may have one of that name
    _worker.run()


if __name__ == "__main__":
    main()
