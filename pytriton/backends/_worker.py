"""The program of a worker process: `<interpreter> _worker.py <pid of the server>`.

Descriptor 3 is a socket to the server, over which the shared memory comes. The process ends with
the server, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import Any, Callable, Dict, List, Optional, Tuple

_SOCKET = 3
_IDLE_SECONDS = 2.0
_BATCH = 1  # as in _messages.py, which is imported later
_UTILS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "python")


def _ignore(number: int, frame: Any) -> None:
    pass


def bind_to(parent: int) -> Callable[[int], None]:
    """Makes this process end with its parent (the server or a template), and only with it.

    Returns:
        What does the same in a fork of this process, given the parent of that.
    """
    import ctypes
    import signal

    # Handlers that do nothing, as programs that a model starts would go on to ignore these signals.
    signal.signal(signal.SIGINT, _ignore)
    signal.signal(signal.SIGTERM, _ignore)
    prctl = ctypes.CDLL(None).prctl
    kill = int(signal.SIGKILL)

    def end_with(parent: int) -> None:
        prctl(1, kill, 0, 0, 0)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            os._exit(0)

    end_with(parent)
    return end_with


def receive(connection: Any, size: int) -> Tuple[bytes, List[int]]:
    """So many bytes, fewer only at the end, and the descriptors that come with them."""
    import array
    import socket

    numbers = array.array("i")
    space = socket.CMSG_SPACE(8 * numbers.itemsize)
    flags = socket.MSG_WAITALL | socket.MSG_CMSG_CLOEXEC
    data, ancillary, _, _ = connection.recvmsg(size, space, flags)
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
    return data, list(numbers)


def import_parts() -> None:
    """Makes this directory the package `pytriton_worker`, whatever interpreter runs it."""
    import atexit  # noqa: F401  (imported here once, for all that are forked)
    import types

    package = types.ModuleType("pytriton_worker")
    package.__path__ = [os.path.dirname(os.path.abspath(__file__))]
    sys.modules["pytriton_worker"] = package
    try:
        import numpy  # noqa: F401
    except ImportError as error:
        sys.exit(
            f"expected numpy in the environment of the worker's interpreter {sys.executable}, "
            f"got: {error}"
        )


def hide_directory() -> None:
    """Takes this directory out of sys.path: it holds nothing that a model should import."""
    folder = os.path.dirname(os.path.realpath(__file__))
    sys.path[:] = [path for path in sys.path if not path or os.path.realpath(path) != folder]


def _deliver_signals_after_forks(leave: Callable[[], None]) -> None:
    """Has forks die of SIGTERM, with which multiprocessing ends its processes, and of SIGINT.

    Args:
        leave: called in each fork.
    """
    import signal
    import threading

    defaults: Dict[signal.Signals, Any] = {
        signal.SIGTERM: signal.SIG_DFL,
        signal.SIGINT: signal.default_int_handler,
    }
    masks = threading.local()

    def hold() -> None:
        masks.before = signal.pthread_sigmask(signal.SIG_BLOCK, defaults)

    def release() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, masks.before)

    def become() -> None:
        leave()
        for number, default in defaults.items():
            if signal.getsignal(number) is _ignore:
                with contextlib.suppress(ValueError):  # forked by a thread
                    signal.signal(number, default)
        release()

    os.register_at_fork(before=hold, after_in_parent=release, after_in_child=become)


class Worker:
    """Runs the commands of the server, on the main thread.

    Args:
        link: the channel that the host gets.
        results: memory that is trimmed when idle.
        executing: told of the batches.
    """

    def __init__(self, link: Any, results: Any, executing: Any) -> None:
        self._executing = executing
        self._link = link
        self._results = results
        self._setup: Any = None
        self._host: Any = None
        self._ends = False
        self._is_fork = False

    def run(self, ring: Any) -> None:
        """Runs what comes from the ring, until the model is finalized."""
        self._ring = ring
        _deliver_signals_after_forks(self._leave)
        from pytriton_worker import _messages as messages  # type: ignore[import-not-found]

        receive = self._link.receive
        seconds = _IDLE_SECONDS
        while not self._ends:
            message = receive(seconds)
            if message is None:
                # Before it sleeps for long it gives memory back.
                if self._results.needs_trim:
                    self._results.trim()
                else:
                    seconds = 0
                continue
            seconds = _IDLE_SECONDS
            code, content = message
            if code == _BATCH:
                self._execute(content)
            else:
                self._command(code, messages.Reader(memoryview(content)))

    def _leave(self) -> None:
        """In a process that the model has forked: the server talks to its parent only."""
        if self._is_fork:
            return
        self._is_fork = True
        self._ring.leave()
        with contextlib.suppress(OSError):
            os.close(_SOCKET)

    def _execute(self, batch: List[Any]) -> None:
        failure = None
        self._executing.batch = batch
        arena = self._results.arena
        before = None if arena is None else arena.begin()
        try:
            self._host.execute(batch)
        except BaseException as error:
            failure = _text_of(error)
            self._end_fork(error)
        if self._is_fork:
            self._end_fork(None)
        if arena is not None:
            arena.end(before)
        self._executing.batch = None
        batch.clear()  # its inputs can be given back with its end: the callers see this list, too
        try:
            self._link.end_batch(failure)
        except BaseException as error:
            self._link.end_batch(_text_of(error))

    def _command(self, code: int, content: Any) -> None:
        from pytriton_worker import _messages as messages

        try:
            text = ""
            if code == messages.SETUP:
                self._take_setup(content)
            elif code == messages.COMPLETE:
                text = self._the_host().complete_config(content.text())
            elif code == messages.INITIALIZE:
                text = self._initialize(content)
            elif code == messages.FINALIZE:
                self._ends = True
                if self._host is not None:
                    self._host.finalize()
                _run_exit_functions()
        except BaseException as error:
            self._end_fork(error)
            self._link.reply(False, _text_of(error))
            return
        self._end_fork(None)
        self._link.reply(True, text)

    def _end_fork(self, error: Optional[BaseException]) -> None:
        """Ends a process that the model forked and that came back from the model.

        Args:
            error: what it came with.
        """
        if not self._is_fork:
            return
        code: Any = 1
        cause = error
        while cause is not None and not isinstance(cause, SystemExit):
            cause = cause.__cause__ or cause.__context__
        if cause is not None:
            code = cause.code
        elif error is None:
            print("a process that the model forked came back from the model", file=sys.stderr)
        else:
            print(_text_of(error), file=sys.stderr)
        sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 0 if code is None else 1)

    def _take_setup(self, content: Any) -> None:
        from pytriton_worker._channel import WorkerSetup  # type: ignore[import-not-found]

        texts = content.texts()
        self._setup = WorkerSetup(
            model_name=texts[0],
            version=int(texts[1]),
            instance_name=texts[2],
            model_dir=texts[3],
            version_dir=texts[4],
            model_file=texts[5],
            is_backend_model=texts[6] == "1",
            utils_dir=_UTILS,
            decoupled=texts[7] == "1",
        )

    def _the_host(self) -> Any:
        if self._host is None:
            from pytriton_worker.python.host import make_host  # type: ignore[import-not-found]

            self._host = make_host(self._link, self._setup)
        return self._host

    def _initialize(self, content: Any) -> str:
        import json

        names = content.texts()
        values = content.texts()
        inputs = content.texts()
        self._link.set_names(inputs, content.texts())
        host = self._the_host()
        told = host.initialize(dict(zip(names, values)))
        if told.get("has_is_ready"):
            self._link.watch_ready(host.is_ready)
        return json.dumps(told)


def _run_exit_functions() -> None:
    """What the model has registered with atexit: the process ends without the interpreter's end."""
    import atexit

    run_all: Any = getattr(atexit, "_run_exitfuncs", None)
    with contextlib.suppress(BaseException):  # printed; Python before 3.10 raises the last, too
        if run_all is not None:
            run_all()


def _text_of(error: BaseException) -> str:
    from pytriton_worker._channel import HostError

    if isinstance(error, HostError):
        return str(error)
    import traceback

    return "".join(traceback.format_exception(type(error), error, error.__traceback__))


def _open(connection: Any) -> Tuple[Any, Any, Any]:
    import threading

    from pytriton_worker._hot_link import HotLink, open_port  # type: ignore[import-not-found]
    from pytriton_worker._link import Link  # type: ignore[import-not-found]
    from pytriton_worker._loans import Loans  # type: ignore[import-not-found]
    from pytriton_worker._native import load  # type: ignore[import-not-found]
    from pytriton_worker._results import Results  # type: ignore[import-not-found]
    from pytriton_worker._ring import Ring  # type: ignore[import-not-found]

    ring_fd, results_fd, pool_fd, *bells = receive(connection, 1)[1]
    results = Results(results_fd, os.fstat(results_fd).st_size)
    hot = load()
    if hot is not None:
        ring = open_port(hot, ring_fd, bells, pool_fd, results)
        link = HotLink(ring, results, threading.get_ident())
    else:
        ring = Ring(ring_fd, *bells, results)
        loans = Loans(pool_fd, os.fstat(pool_fd).st_size)
        link = Link(ring, results, loans, threading.get_ident())
    for fd in (ring_fd, results_fd, pool_fd):
        os.close(fd)
    return ring, link, results


def run(connection: Any, executing: Any) -> None:
    """Runs until the server wants no more.

    Args:
        connection: the socket to the server.
        executing: what `mark_output` returned.
    """
    import _thread

    ring, link, results = _open(connection)
    # Without an object of `threading`: those are the model's, and making one costs more.
    _thread.start_new_thread(link.listen, (connection,))
    sys.argv = [""]
    code = 0
    try:
        Worker(link, results, executing).run(ring)
    except BaseException as error:
        print(_text_of(error), file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # no thread of the model's keeps the process


def open_socket() -> Any:
    """The socket to the server."""
    import socket

    connection = socket.socket(fileno=_SOCKET)
    connection.set_inheritable(False)
    return connection


def main() -> None:
    """Runs as a worker that was started by the server."""
    bind_to(int(sys.argv[1]))
    import_parts()
    hide_directory()
    from pytriton_worker._output import mark_output  # type: ignore[import-not-found]

    run(open_socket(), mark_output())


if __name__ == "__main__":
    main()
