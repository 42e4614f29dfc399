"""Http2Stream, a part of _http2.pyx: what of one call is still to be sent, what of it has come."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytearray cimport PyByteArray_FromStringAndSize
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp, memcpy, memmove

import numpy as np

cdef Py_ssize_t JOIN_BELOW = 16 << 10  # bytes; more of a body are not copied


cdef class Http2Stream:
    """One gRPC call.

    Attributes:
        messages: Complete messages received and not taken yet, as (flag, bytes): large ones are
            arrays of uint8, small ones bytearrays.
        fields: Header fields and trailers, names and values as bytes.
        is_closed: Nothing more will come.
        error: HTTP/2's error code; meaningful when closed.
        id: HTTP/2's number of the stream.
        user: For the caller.
    """

    cdef readonly list messages
    cdef readonly dict fields
    cdef readonly bint is_closed
    cdef readonly uint32_t error
    cdef readonly int32_t id
    cdef public object user
    cdef Py_ssize_t _text  # bytes in fields
    cdef list _body  # bytes, and memoryviews of bytes, that are not sent completely
    cdef Py_ssize_t _sent  # bytes of the first
    cdef tuple _sent_fields  # nghttp2 refers to their bytes until they are sent
    cdef Py_ssize_t _field_count  # fields received, repeated ones as well
    cdef uint8_t _lead[5]  # of the message that is received: flag and length
    cdef Py_ssize_t _lead_filled
    cdef object _message
    cdef uint8_t* _to  # where the next byte of the message goes
    cdef Py_ssize_t _left  # bytes of the message

    def __cinit__(self):
        self.messages = []
        self.fields = {}
        self._body = []

    @property
    def answer(self):
        """The message of a call that went well with one; None: it is to be looked at with care."""
        if not self.is_closed or self.error or len(self.messages) != 1:
            return None
        flag, message = self.messages[0]
        return None if flag or self.fields.get(b"grpc-status") != b"0" else message

    cdef int add(self, body) except -1:
        """Adds to the body that is sent."""
        for part in body:
            if type(part) is not bytes or len(part) >= JOIN_BELOW:
                part = memoryview(part).cast("B")  # slices of it are no copies
            if len(part):
                self._body.append(part)
        return 0

    cdef Py_ssize_t in_place(self) except -1:
        """How many of the next bytes of the body are too many to be copied; 0: they are few."""
        cdef Py_ssize_t left
        if not self._body:
            return 0
        left = len(self._body[0]) - self._sent
        return left if left >= JOIN_BELOW else 0

    cdef Py_ssize_t give(self, uint8_t* to, Py_ssize_t size) except -1:
        """Copies bytes of the body that is sent, up to the next that are too many for that."""
        cdef Py_buffer view
        cdef Py_ssize_t given = 0, count
        while given < size and self._body and not self.in_place():
            PyObject_GetBuffer(self._body[0], &view, PyBUF_SIMPLE)
            count = min(view.len - self._sent, size - given)
            memcpy(to + given, <uint8_t*>view.buf + self._sent, count)
            PyBuffer_Release(&view)
            self.skip(count)
            given += count
        return given

    cdef object slice_of(self, Py_ssize_t size):
        """The next bytes of the body, which in_place told of, where they lie."""
        part = self._body[0][self._sent:self._sent + size]
        self.skip(size)
        return part

    cdef int skip(self, Py_ssize_t size) except -1:
        """So many bytes of the first buffer were sent."""
        self._sent += size
        if self._sent == len(self._body[0]):
            self._body.pop(0)
            self._sent = 0
        return 0

    cdef int take(self, const uint8_t* data, size_t size) except -1:
        """Puts received bytes together to messages; ValueError when they can't be any."""
        cdef Py_ssize_t count
        cdef uint64_t length
        cdef uint8_t[::1] view
        while size:
            if self._lead_filled < 5:
                count = min(<Py_ssize_t>size, 5 - self._lead_filled)
                memcpy(&self._lead[self._lead_filled], data, count)
                self._lead_filled += count
                if self._lead_filled == 5:
                    length = (<uint64_t>self._lead[1] << 24) | (<uint64_t>self._lead[2] << 16)
                    length |= (<uint64_t>self._lead[3] << 8) | self._lead[4]
                    if length < JOIN_BELOW:
                        self._message = PyByteArray_FromStringAndSize(NULL, <Py_ssize_t>length)
                    else:
                        self._message = np.empty(length, np.uint8)
                    self._left = length
                    if length:
                        view = self._message
                        self._to = &view[0]
            else:
                count = min(<Py_ssize_t>size, self._left)
                if self._to != data:  # else they were received into their place
                    memmove(self._to, data, count)
                self._to += count
                self._left -= count
            data += count
            size -= count
            if self._lead_filled == 5 and not self._left:
                self.messages.append((self._lead[0], self._message))
                self._message = None
                self._lead_filled = 0
        return 0


cdef struct bytes_of:
    const char* start
    size_t size


cdef bint is_same(bytes kept, bytes_of given) noexcept:
    return (
        PyBytes_GET_SIZE(kept) == <Py_ssize_t>given.size
        and memcmp(PyBytes_AS_STRING(kept), given.start, given.size) == 0
    )
