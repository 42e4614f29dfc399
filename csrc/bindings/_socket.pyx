# cython: language_level=3, freethreading_compatible=True
# distutils: language = c++
"""Plain sockets for the clients: one call a step, a deadline kept inside.

Descriptors are borrowed: the caller's socket object owns them, and no other thread uses or closes
them meanwhile. The interpreter's lock is released around every system call.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.exc cimport PyErr_CheckSignals, PyErr_SetFromErrno
from libc.errno cimport EAGAIN, EINTR, errno

cdef extern from "<poll.h>" nogil:
    struct pollfd:
        int fd
        short events
        short revents
    enum:
        POLLIN
    int poll(pollfd*, unsigned long, int)

cdef extern from "<sched.h>" nogil:
    int sched_yield()

cdef extern from "<sys/socket.h>" nogil:
    enum:
        MSG_DONTWAIT
        MSG_NOSIGNAL
        MSG_PEEK
    Py_ssize_t c_recv "recv"(int, void*, size_t, int)
    Py_ssize_t c_send "send"(int, const void*, size_t, int)

cdef extern from "<time.h>" nogil:
    enum:
        CLOCK_MONOTONIC
    struct timespec:
        long tv_sec
        long tv_nsec
    int clock_gettime(int, timespec*)

cdef double LOOK = 100e-6  # seconds of looking for an answer at most
cdef double TURN = 20e-6  # seconds from one look to the next; longer: somebody else had the core
cdef double SLICE = 500e-6  # seconds; such a turn was somebody's time slice, and the next will be
cdef int MAX_FAILURES = 10
cdef int LATE = -2


def is_quiet(int fd):
    """Nothing waits to be received: neither bytes nor the end."""
    cdef char byte
    return c_recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 and errno == EAGAIN


def send(int fd, data not None):
    """Sends what the kernel takes at once.

    Args:
        fd: The socket.
        data: A contiguous buffer.

    Returns:
        How many bytes it took; maybe 0.

    Raises:
        OSError: The connection broke.
    """
    cdef Py_buffer view
    cdef Py_ssize_t sent
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        with nogil:
            sent = c_send(fd, view.buf, view.len, MSG_DONTWAIT | MSG_NOSIGNAL)
        if sent < 0:
            if errno != EAGAIN and errno != EINTR:
                PyErr_SetFromErrno(OSError)
            return 0
        return sent
    finally:
        PyBuffer_Release(&view)


def receive(int fd, buffer not None):
    """Receives what is there.

    Args:
        fd: The socket.
        buffer: Where to put it: a writable contiguous buffer.

    Returns:
        How many bytes came; 0: the peer closed the connection; -1: nothing is there.

    Raises:
        OSError: The connection broke.
    """
    cdef Py_buffer view
    cdef Py_ssize_t count
    PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
    try:
        with nogil:
            count = c_recv(fd, view.buf, view.len, MSG_DONTWAIT)
        if count < 0 and errno != EAGAIN and errno != EINTR:
            PyErr_SetFromErrno(OSError)
        return count
    finally:
        PyBuffer_Release(&view)


cdef class Descriptor:
    """Sends and receives on one socket; looks for an answer a moment before it sleeps.

    Sleeping and being woken costs more than a small model takes to answer. So after something was
    sent, the socket is looked at again and again, for LOOK seconds at most; whoever else wants the
    core has it in between. Where answers take longer, looking is left out for the next 4, then 16,
    at last 1024 answers, and for 1024 at once where others need the core: slow models and busy
    machines don't pay for it.

    Thread rule: one thread at a time.
    """

    cdef int _fd
    cdef bint _is_asked  # something was sent since bytes came last
    cdef int _failures  # two for each look in vain, less one for each that found something
    cdef int _unlooked  # answers that are awaited without looking

    def __init__(self, int fd):
        """Borrows the descriptor."""
        self._fd = fd

    @property
    def looks(self):
        """The next answer will be looked for."""
        return self._unlooked == 0

    def send(self, data not None):
        """As the function of that name."""
        self._is_asked = True
        return send(self._fd, data)

    def receive(self, buffer not None, double deadline):
        """Waits for bytes.

        Args:
            buffer: Where to put them: a writable contiguous buffer.
            deadline: Until when, of time.monotonic().

        Returns:
            How many bytes came; 0: the peer closed the connection.

        Raises:
            TimeoutError: None came in time.
            OSError: The connection broke.
        """
        cdef Py_buffer view
        cdef Py_ssize_t count
        PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        try:
            while True:
                with nogil:
                    count = self._receive(view.buf, view.len, deadline)
                if count >= 0:
                    self._is_asked = False
                    return count
                if count == LATE:
                    raise TimeoutError("timed out")
                if errno == EINTR:
                    PyErr_CheckSignals()
                elif errno != EAGAIN:
                    PyErr_SetFromErrno(OSError)
        finally:
            PyBuffer_Release(&view)

    cdef Py_ssize_t _receive(self, void* to, size_t size, double deadline) noexcept nogil:
        """As recv, but waits; LATE: none came in time."""
        cdef Py_ssize_t count
        cdef int ready
        if self._is_asked and self._unlooked:
            self._unlooked -= 1
        else:
            if self._is_asked:
                count = self._look(to, size)
            else:
                count = c_recv(self._fd, to, size, MSG_DONTWAIT)  # the rest of what began to come
            if count >= 0 or errno != EAGAIN:
                return count
        self._is_asked = False
        ready = wait(self._fd, deadline)
        if ready > 0:
            return c_recv(self._fd, to, size, MSG_DONTWAIT)
        return LATE if ready == 0 else ready

    cdef Py_ssize_t _look(self, void* to, size_t size) noexcept nogil:
        """As recv, again and again for a moment; learns whether that pays."""
        cdef double begin = monotonic(), last = begin, now
        cdef Py_ssize_t count
        while True:
            count = c_recv(self._fd, to, size, MSG_DONTWAIT)
            now = monotonic()
            if count >= 0 and now - begin <= LOOK:
                self._failures -= self._failures > 0
                return count
            # A turn may be as long as the server takes on this core, but not longer.
            if count >= 0 or errno != EAGAIN or now - last > TURN or now - begin > LOOK:
                break
            last = now
            sched_yield()
        self._failures = MAX_FAILURES if now - last > SLICE else self._failures + 2
        self._failures = min(self._failures, MAX_FAILURES)
        self._unlooked = 1 << self._failures
        return count


cdef double monotonic() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_MONOTONIC, &now)
    return now.tv_sec + now.tv_nsec * 1e-9


cdef int wait(int fd, double deadline) noexcept nogil:
    """Waits until the socket has something: 1; 0: too late; -1: see errno."""
    cdef pollfd asked
    cdef double left = deadline - monotonic()
    asked.fd = fd
    asked.events = POLLIN
    # In whole milliseconds, rounded up: else the last one would be spent spinning.
    return poll(&asked, 1, 0 if left <= 0 else <int>min(left * 1000 + 1, 2e9))
