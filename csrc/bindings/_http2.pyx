# cython: language_level=3, freethreading_compatible=True
# distutils: language = c++
"""Http2Session: the client's end of an HTTP/2 connection that carries gRPC calls, without sockets.

libnghttp2 keeps the protocol's state. Bytes that were received go in (get_buffer, buffer_updated),
bytes to send come out (take_output); each call is an Http2Stream with the messages received so far.

Thread rule: one thread at a time, for a session and its streams.
Owner rule: a stream keeps nothing alive; the session keeps its open streams.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from nghttp2 cimport *

import numpy as np

cdef Py_ssize_t SCRATCH = 256 << 10  # bytes received at once
cdef Py_ssize_t OUTPUT = 1 << 20  # bytes taken at once, about
cdef int WINDOW = (1 << 31) - 1  # bytes the server may send ahead: it owes us no more than we asked
cdef uint32_t MAX_FRAME = 1 << 20  # of a received frame
cdef Py_ssize_t MAX_TEXT = 64 << 10  # bytes of header fields that are kept of a stream


cdef class Http2Stream:
    """One gRPC call.

    Attributes:
        messages: Complete messages received and not taken yet: arrays of uint8.
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
    cdef list _body  # buffers that are not sent completely
    cdef Py_ssize_t _sent  # bytes of the first
    cdef bint _ends  # no more body will be given
    cdef uint8_t _lead[5]  # of the message that is received: flag and length
    cdef Py_ssize_t _lead_filled
    cdef object _message
    cdef uint8_t* _to  # where the next byte of the message goes
    cdef Py_ssize_t _left  # bytes of the message

    def __cinit__(self):
        self.messages = []
        self.fields = {}
        self._body = []

    cdef Py_ssize_t give(self, uint8_t* to, Py_ssize_t size) except -1:
        """Copies bytes of the body that is sent."""
        cdef Py_buffer view
        cdef Py_ssize_t given = 0, count
        while given < size and self._body:
            PyObject_GetBuffer(self._body[0], &view, PyBUF_SIMPLE)
            count = min(view.len - self._sent, size - given)
            memcpy(to + given, <uint8_t*>view.buf + self._sent, count)
            self._sent += count
            given += count
            if self._sent == view.len:
                self._body.pop(0)
                self._sent = 0
            PyBuffer_Release(&view)
        return given

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
                    self._message = np.empty(length, np.uint8)
                    self._left = length
                    if length:
                        view = self._message
                        self._to = &view[0]
            else:
                count = min(<Py_ssize_t>size, self._left)
                memcpy(self._to, data, count)
                self._to += count
                self._left -= count
            data += count
            size -= count
            if self._lead_filled == 5 and not self._left:
                self.messages.append((self._lead[0], self._message))
                self._message = None
                self._lead_filled = 0
        return 0


cdef class Http2Session:
    """See the module.

    Attributes:
        touched: Streams with news since the caller last emptied it.
        is_usable: Another call may be opened.
    """

    cdef nghttp2_session* _session
    cdef bytearray _scratch
    cdef object _view  # of the scratch: slices of it must not be copies
    cdef dict _streams
    cdef object _error  # what a callback could not raise
    cdef readonly list touched
    cdef readonly bint is_usable

    def __cinit__(self):
        cdef nghttp2_session_callbacks* callbacks
        cdef nghttp2_settings_entry[3] settings
        self._scratch = bytearray(SCRATCH)
        self._view = memoryview(self._scratch)
        self._streams = {}
        self.touched = []
        self.is_usable = True
        check(nghttp2_session_callbacks_new(&callbacks))
        try:
            nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header)
            nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data)
            nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close)
            nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame)
            nghttp2_session_callbacks_set_data_source_read_length_callback(callbacks, read_length)
            check(nghttp2_session_client_new(&self._session, callbacks, <void*>self))
        finally:
            nghttp2_session_callbacks_del(callbacks)
        settings[0].settings_id, settings[0].value = NGHTTP2_SETTINGS_ENABLE_PUSH, 0
        settings[1].settings_id, settings[1].value = NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, WINDOW
        settings[2].settings_id, settings[2].value = NGHTTP2_SETTINGS_MAX_FRAME_SIZE, MAX_FRAME
        check(nghttp2_submit_settings(self._session, NGHTTP2_FLAG_NONE, settings, 3))
        check(nghttp2_session_set_local_window_size(self._session, NGHTTP2_FLAG_NONE, 0, WINDOW))

    def __dealloc__(self):
        nghttp2_session_del(self._session)

    @property
    def open_streams(self):
        """How many calls have not ended."""
        return len(self._streams)

    @property
    def streams(self):
        """Calls that have not ended."""
        return list(self._streams.values())

    def request(self, list fields not None, body not None, bint ends):
        """Opens a call.

        Args:
            fields: Header fields as (name, value) in bytes, those with ":" first.
            body: Buffers with framed messages; they must not change until they are sent.
            ends: Whether this is the whole body.

        Returns:
            The Http2Stream.

        Raises:
            ValueError: The connection opens no more calls.
        """
        cdef nghttp2_nv[64] pairs
        cdef Py_ssize_t count = len(fields), i
        cdef nghttp2_data_provider provider
        cdef Http2Stream stream = Http2Stream()
        if not self.is_usable or count > 64:
            raise ValueError("expected a connection that takes calls, and at most 64 header fields")
        for i in range(count):
            name, value = fields[i]
            pairs[i].name = <uint8_t*>PyBytes_AS_STRING(name)
            pairs[i].namelen = PyBytes_GET_SIZE(name)
            pairs[i].value = <uint8_t*>PyBytes_AS_STRING(value)
            pairs[i].valuelen = PyBytes_GET_SIZE(value)
            pairs[i].flags = NGHTTP2_NV_FLAG_NONE
        stream._body = [part for part in body if memoryview(part).nbytes]
        stream._ends = ends
        provider.source.ptr = <void*>stream
        provider.read_callback = on_read
        stream.id = nghttp2_submit_request(
            self._session, NULL, pairs, count, &provider, <void*>stream
        )
        check(stream.id)
        self._streams[stream.id] = stream
        return stream

    def send(self, Http2Stream stream not None, list body not None, bint ends):
        """Adds to a call's body."""
        if stream.id in self._streams:
            stream._body.extend([part for part in body if memoryview(part).nbytes])
            stream._ends = ends
            nghttp2_session_resume_data(self._session, stream.id)

    def cancel(self, Http2Stream stream not None):
        """Ends a call whose answer nobody wants."""
        if stream.id in self._streams:
            nghttp2_submit_rst_stream(
                self._session, NGHTTP2_FLAG_NONE, stream.id, NGHTTP2_CANCEL
            )

    @property
    def wants_write(self):
        """There may be bytes to send."""
        return nghttp2_session_want_write(self._session) != 0

    def take_output(self):
        """The next bytes to send, about a megabyte at most; empty when there are none."""
        cdef const uint8_t* data
        cdef Py_ssize_t size, total = 0
        cdef list parts = []
        while total < OUTPUT:
            size = nghttp2_session_mem_send(self._session, &data)
            self._raise_kept()
            check(size)
            if size == 0:
                break
            parts.append(PyBytes_FromStringAndSize(<const char*>data, size))
            total += size
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def get_buffer(self, sizehint=-1):
        """Where to put the next bytes received."""
        return self._view

    def buffer_updated(self, Py_ssize_t count):
        """So many bytes were put into the buffer.

        Raises:
            ValueError: They are no HTTP/2 with gRPC.
        """
        cdef Py_ssize_t used
        if not 0 <= count <= SCRATCH:
            raise ValueError("expected bytes of the buffer")
        used = nghttp2_session_mem_recv(
            self._session, <uint8_t*><char*>self._scratch, count
        )
        self._raise_kept()
        check(used)
        if not nghttp2_session_want_read(self._session):
            self.is_usable = False

    def eof_received(self):
        """The server has closed the connection.

        Raises:
            ValueError: It did so with calls under way.
        """
        self.is_usable = False
        if self._streams:
            raise ValueError("the server closed the connection within a call")

    cdef int _raise_kept(self) except -1:
        if self._error is not None:
            error, self._error = self._error, None
            self.is_usable = False
            raise error
        return 0


cdef int check(Py_ssize_t result) except -1:
    if result < 0:
        text = nghttp2_strerror(<int>result).decode()
        raise ValueError(f"expected sound HTTP/2: {text}")
    return 0


# What nghttp2 calls, on the thread that is in a method of the session. A stream's pointer is valid
# until on_close: until then the session holds it.


cdef Py_ssize_t on_read(
    nghttp2_session* session, int32_t stream_id, uint8_t* to, size_t length, uint32_t* flags,
    nghttp2_data_source* source, void* user
) noexcept:
    cdef Http2Stream stream = <Http2Stream>source.ptr
    cdef Py_ssize_t given
    try:
        given = stream.give(to, <Py_ssize_t>length)
    except BaseException as error:
        (<Http2Session>user)._error = error
        return NGHTTP2_ERR_CALLBACK_FAILURE
    if not stream._body:
        if stream._ends:
            flags[0] |= NGHTTP2_DATA_FLAG_EOF
        elif not given:
            return NGHTTP2_ERR_DEFERRED
    return given


cdef Py_ssize_t read_length(
    nghttp2_session* session, uint8_t frame_type, int32_t stream_id, int32_t session_window,
    int32_t stream_window, uint32_t max_frame, void* user
) noexcept:
    return min(min(session_window, stream_window), <Py_ssize_t>min(max_frame, MAX_FRAME))


cdef int on_header(
    nghttp2_session* session, const nghttp2_frame* frame, const uint8_t* name, size_t name_size,
    const uint8_t* value, size_t value_size, uint8_t flags, void* user
) noexcept:
    cdef void* found = nghttp2_session_get_stream_user_data(session, frame.hd.stream_id)
    if found == NULL:
        return 0
    cdef Http2Stream stream = <Http2Stream>found
    stream._text += name_size + value_size
    if stream._text > MAX_TEXT:
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE
    stream.fields[(<const char*>name)[:name_size]] = (<const char*>value)[:value_size]
    return 0


cdef int on_data(
    nghttp2_session* session, uint8_t flags, int32_t stream_id, const uint8_t* data, size_t size,
    void* user
) noexcept:
    cdef Http2Session self = <Http2Session>user
    cdef void* found = nghttp2_session_get_stream_user_data(session, stream_id)
    if found == NULL:
        return 0
    cdef Http2Stream stream = <Http2Stream>found
    try:
        stream.take(data, size)
        if stream.messages:
            self.touched.append(stream)
    except BaseException as error:
        self._error = error
        return NGHTTP2_ERR_CALLBACK_FAILURE
    return 0


cdef int on_close(
    nghttp2_session* session, int32_t stream_id, uint32_t error, void* user
) noexcept:
    cdef Http2Session self = <Http2Session>user
    cdef Http2Stream stream = self._streams.pop(stream_id, None)
    if stream is not None:
        stream.is_closed = True
        stream.error = error
        stream._body = []
        self.touched.append(stream)
    return 0


cdef int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) noexcept:
    if frame.hd.type == NGHTTP2_GOAWAY:
        (<Http2Session>user).is_usable = False
    return 0
