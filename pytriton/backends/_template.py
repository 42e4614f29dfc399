"""The program of a worker template: `<interpreter> _template.py <pid of the server>`.

It has imported what every worker needs, and forks a worker whenever the server asks: that costs a
few milliseconds instead of the start of an interpreter. It never sees a model. It forks on its only
thread, and its children become what `_worker.py` would be.

Commands come over the socket that is descriptor 3 (csrc/backend/worker_template.h).
"""

from __future__ import annotations

import contextlib
import os
import struct
import sys
from typing import Any, List, Set, Tuple

_SOCKET = 3
_FORK, _REAP = 1, 2
_COMMAND = struct.Struct("<II")
_ANSWER = struct.Struct("<q")
_REFUSED = -1
_PIDFD_OPEN = 434  # of all architectures; os.pidfd_open is there since Python 3.9


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


def _fork() -> int:
    """As `os.fork`; -1 if the system refuses."""
    import warnings

    with warnings.catch_warnings():
        # Threads of numpy's libraries are no reason to warn: they know of forks.
        warnings.simplefilter("ignore")
        try:
            return os.fork()
        except OSError:
            return _REFUSED


class _Birth:
    """What makes a fork of this process a worker, prepared: what a fork touches is copied.

    Args:
        end_with: what `bind_to` of `_worker` returned.
    """

    def __init__(self, end_with: Any) -> None:
        import ctypes

        self._end_with = end_with
        self._template = os.getpid()
        self._memmove: Any = ctypes.memmove
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        # The arguments of this process in its memory, where /proc shows them from.
        self._begin, end = int(fields[45]), int(fields[46])
        self._size = end - self._begin
        text = ctypes.string_at(self._begin, self._size) if self._begin else b""
        text = text.replace(b"/_template.py\0", b"/_worker.py\0", 1)
        self._arguments = text.ljust(self._size, b"\0")
        # numpy's own generator, or all workers would draw the same numbers.
        self._seed: Any = None
        if "numpy.random" in sys.modules:
            self._seed = sys.modules["numpy.random"].seed

    def become_worker(self, descriptors: List[int], directory: bytes) -> None:
        """Makes this child what a freshly started worker is.

        Args:
            descriptors: the socket to the server and the pipe for output.
            directory: where it runs.
        """
        connection, output = descriptors
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.dup2(connection, _SOCKET, False)
        os.close(connection)
        os.close(output)
        os.setpgid(0, 0)
        self._end_with(self._template)
        with contextlib.suppress(OSError):  # it has gone
            os.chdir(directory)
        if self._seed is not None:
            self._seed()
        if self._begin:
            self._memmove(self._begin, self._arguments, self._size)


class _Server:
    """The server: its commands, and its end, with which ends what models have started.

    Args:
        connection: the socket to it.
        pid: its process, the parent of this one.
    """

    def __init__(self, connection: Any, pid: int) -> None:
        import ctypes
        import select

        import _worker

        self._connection = connection
        self._receive: Any = _worker.receive
        self._workers: Set[int] = set()  # each leads a process group until it is reaped
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        libc = ctypes.CDLL(None)
        self._pidfd: int = libc.syscall(_PIDFD_OPEN, pid, 0)  # -1 before Linux 5.3
        if self._pidfd >= 0:
            self._poll.register(self._pidfd, select.POLLIN)
            # Else the system ends this process with the server, which leaves no time.
            libc.prctl(1, 0, 0, 0, 0)  # PR_SET_PDEATHSIG

    def receive(self) -> Tuple[int, bytes, int, List[int]]:
        """The next command: its kind, directory, number and descriptors."""
        if any(fd == self._pidfd for fd, _ in self._poll.poll()):
            self._end()
        data, descriptors = self._receive(self._connection, _COMMAND.size)
        if len(data) < _COMMAND.size:
            self._end()
        kind, number = _COMMAND.unpack(data)
        directory = b""
        if kind == _FORK and number > 0:
            directory = self._receive(self._connection, number)[0]
        return kind, directory, number, descriptors

    def answer(self, number: int) -> None:
        """Answers the command."""
        try:
            self._connection.sendall(_ANSWER.pack(number))
        except OSError:
            self._end()

    def fork(self) -> int:
        """As `os.fork`; -1 if the system refuses."""
        pid = _fork()
        if pid > 0:
            self._workers.add(pid)
        elif pid == 0 and self._pidfd >= 0:
            os.close(self._pidfd)
        return pid

    def reap(self, worker: int) -> int:
        """How the worker has ended; -1 if it hasn't."""
        try:
            found, status = os.waitpid(worker, os.WNOHANG)
        except ChildProcessError:
            return _REFUSED
        if found != worker:
            return _REFUSED
        self._workers.discard(worker)
        return status

    def _end(self) -> None:
        """There is no server any more."""
        for group in self._workers:
            with contextlib.suppress(OSError):
                os.killpg(group, 9)
        os._exit(0)


def _serve(connection: Any, server: int, end_with: Any) -> None:
    """Obeys. Runs a worker in each child, and returns in none: what this knows is not freed."""
    import gc

    known = _import_all()
    import _worker
    from pytriton_worker._output import mark_output  # type: ignore[import-not-found]

    _worker.hide_directory()
    commands = _Server(connection, server)
    run = _worker.run
    del sys.modules["_worker"]  # a model may have one of that name
    executing = mark_output()
    birth = _Birth(end_with)
    gc.collect()
    gc.freeze()  # nothing here is garbage: its pages stay shared
    connection.sendall(b"H")
    while True:
        kind, directory, number, descriptors = commands.receive()
        if kind == _REAP:
            answer = commands.reap(number)
        else:
            is_sound = _is_same(known) and len(descriptors) == 2
            answer = commands.fork() if is_sound else _REFUSED
            if answer == 0:
                birth.become_worker(descriptors, directory)
                run(connection, executing)  # whose number is the worker's socket from here on
            for descriptor in descriptors:
                os.close(descriptor)
        commands.answer(answer)


def main() -> None:
    """Runs until the server ends; children run as workers."""
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import _worker

    server = int(sys.argv[1])
    end_with = _worker.bind_to(server)
    connection = _worker.open_socket()
    null = os.open(os.devnull, os.O_WRONLY)
    for target in (1, 2):
        os.dup2(null, target)
    os.close(null)
    _serve(connection, server, end_with)


if __name__ == "__main__":
    main()
