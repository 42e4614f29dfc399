# cython: language_level=3, freethreading_compatible=True
# distutils: language = c++
"""Plain sockets for the sync clients: one call a step, the deadline kept inside.

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


def receive(int fd, buffer not None, double deadline):
    """Waits for bytes.

    Args:
        fd: The socket.
        buffer: Where to put them: a writable contiguous buffer.
        deadline: Until when, of time.monotonic().

    Returns:
        How many bytes came; 0: the peer closed the connection.

    Raises:
        TimeoutError: None came in time.
        OSError: The connection broke.
    """
    cdef Py_buffer view
    cdef Py_ssize_t count = -1
    cdef int ready
    PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
    try:
        while True:
            with nogil:
                ready = wait(fd, deadline)
                if ready > 0:
                    count = c_recv(fd, view.buf, view.len, MSG_DONTWAIT)
            if ready == 0:
                raise TimeoutError("timed out")
            if ready > 0 and count >= 0:
                return count
            if errno == EINTR:
                PyErr_CheckSignals()
            elif errno != EAGAIN:
                PyErr_SetFromErrno(OSError)
    finally:
        PyBuffer_Release(&view)


cdef int wait(int fd, double deadline) noexcept nogil:
    """Waits until the socket has something: 1; 0: too late; -1: see errno."""
    cdef timespec now
    cdef pollfd asked
    cdef double left
    clock_gettime(CLOCK_MONOTONIC, &now)
    left = deadline - now.tv_sec - now.tv_nsec * 1e-9
    asked.fd = fd
    asked.events = POLLIN
    # In whole milliseconds, rounded up: else the last one would be spent spinning.
    return poll(&asked, 1, 0 if left <= 0 else <int>min(left * 1000 + 1, 2e9))
