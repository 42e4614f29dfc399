# cython: language_level=3, freethreading_compatible=True
# distutils: language = c++
"""Http2Session: the client's end of an HTTP/2 connection that carries gRPC calls, without sockets.

libnghttp2 keeps the protocol's state. Bytes that were received go in (get_buffer, buffer_updated),
bytes to send come out (take_output); each call is an Http2Stream with the messages received so far.
Large tensors are sent from where they lie, and large messages received where they stay.

Thread rule: one thread at a time, for a session and its streams.
Owner rule: a stream keeps nothing alive; the session keeps its open streams.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int32_t, uint8_t, uint32_t

from nghttp2 cimport *

cdef Py_ssize_t SCRATCH = 256 << 10  # bytes received at once, when frames are small
cdef Py_ssize_t FIRST = 64 << 10  # bytes received when an answer may begin: many small ones, too
cdef Py_ssize_t HEAD = 4 << 10  # bytes received when a large frame is about to begin
cdef Py_ssize_t LARGE_FRAME = 32 << 10  # bytes of a frame worth receiving in their place
cdef Py_ssize_t FRAME_HEAD = 9  # bytes; RFC 9113, section 4.1
cdef Py_ssize_t OUTPUT = 1 << 20  # bytes taken at once, about
cdef int WINDOW = (1 << 31) - 1  # bytes the server may send ahead: it owes us no more than we asked
cdef uint32_t MAX_FRAME = 1 << 20  # of a received frame
cdef Py_ssize_t MAX_TEXT = 64 << 10  # bytes of header fields that are kept of a stream
cdef Py_ssize_t MAX_LAST_FIELDS = 16  # of a stream's that the next one is compared with

include "http2_stream.pxi"


cdef class Http2Session:
    """See the module.

    Attributes:
        touched: Streams with news since the caller last emptied it.
        is_usable: Another call may be opened.
    """

    cdef nghttp2_session* _session
    cdef object _scratch  # memoryviews of one memory: whole, FIRST and HEAD bytes of it
    cdef object _first
    cdef object _head
    cdef object _given  # where the next bytes received were told to go; keeps that memory
    cdef Http2Stream _receiving  # whose message is under way; None: none
    cdef Py_ssize_t _frame_left  # bytes of its frame that have not come
    cdef Py_ssize_t _frame_size  # of the last frame of data
    cdef list _parts  # buffers to send
    cdef Py_ssize_t _produced  # bytes in them
    cdef dict _streams
    cdef list _last_fields  # of streams, by their place: servers repeat themselves
    cdef object _error  # what a callback could not raise
    cdef readonly list touched
    cdef readonly bint is_usable

    def __cinit__(self):
        cdef nghttp2_session_callbacks* callbacks
        cdef nghttp2_settings_entry[3] settings
        self._scratch = self._given = memoryview(bytearray(SCRATCH))
        self._first = self._scratch[:FIRST]
        self._head = self._scratch[:HEAD]
        self._parts = []
        self._streams = {}
        self._last_fields = []
        self.touched = []
        self.is_usable = True
        check(nghttp2_session_callbacks_new(&callbacks))
        try:
            nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header)
            nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data)
            nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close)
            nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame)
            nghttp2_session_callbacks_set_on_begin_frame_callback(callbacks, on_begin_frame)
            nghttp2_session_callbacks_set_send_data_callback(callbacks, send_data)
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

    def request(self, list fields not None, body not None):
        """Opens a call.

        Args:
            fields: Header fields as (name, value) in bytes, those with ":" first, names in lower
                case.
            body: Buffers with framed messages; they must not change until they are sent.

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
            pairs[i].flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE
        stream._sent_fields = tuple(fields)
        stream.add(body)
        provider.source.ptr = <void*>stream
        provider.read_callback = on_read
        stream.id = nghttp2_submit_request(
            self._session, NULL, pairs, count, &provider, <void*>stream
        )
        check(stream.id)
        self._streams[stream.id] = stream
        return stream

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
        """The next bytes to send, about a megabyte at most.

        Returns:
            Buffers: bytes, and memoryviews of what was given as body; none: nothing can be sent.
        """
        cdef const uint8_t* data
        cdef Py_ssize_t size
        cdef list parts
        self._produced = 0
        while self._produced < OUTPUT:
            size = nghttp2_session_mem_send(self._session, &data)
            self._raise_kept()
            check(size)
            if size == 0:
                break
            self._parts.append(PyBytes_FromStringAndSize(<const char*>data, size))
            self._produced += size
        parts, self._parts = self._parts, []
        return parts if len(parts) < 2 else joined(parts)

    def get_buffer(self, sizehint=-1):
        """Where to put the next bytes received: the rest of a large frame belongs to a message."""
        cdef Http2Stream stream = self._receiving
        cdef Py_ssize_t start, size
        if stream is None:
            self._given = self._first
        elif self._frame_left >= LARGE_FRAME and stream._left >= LARGE_FRAME:
            start = len(stream._message) - stream._left
            size = min(self._frame_left, stream._left)
            self._given = memoryview(stream._message)[start:start + size]
        elif self._frame_size >= LARGE_FRAME and not self._frame_left:
            self._given = self._head
        else:
            self._given = self._scratch
        return self._given

    def buffer_updated(self, Py_ssize_t count):
        """So many bytes were put into the buffer.

        Raises:
            ValueError: They are no HTTP/2 with gRPC.
        """
        cdef const uint8_t[::1] given = self._given
        cdef Py_ssize_t used
        if not 0 <= count <= given.shape[0]:
            raise ValueError("expected bytes of the buffer")
        used = nghttp2_session_mem_recv(self._session, &given[0], count)
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

    cdef tuple field(self, Py_ssize_t place, bytes_of name, bytes_of value):
        """The field of a stream at that place; mostly the one that another stream had there."""
        cdef tuple found
        if place < len(self._last_fields):
            found = self._last_fields[place]
            if is_same(<bytes>found[0], name) and is_same(<bytes>found[1], value):
                return found
        found = (name.start[:name.size], value.start[:value.size])
        if place < len(self._last_fields):
            self._last_fields[place] = found
        elif place < MAX_LAST_FIELDS:
            self._last_fields.append(found)
        return found

    cdef int _raise_kept(self) except -1:
        if self._error is not None:
            error, self._error = self._error, None
            self.is_usable = False
            raise error
        return 0


cdef list joined(list parts):
    """Bytes between views become one."""
    cdef list made = [], small = []
    for part in parts:
        if type(part) is bytes:
            small.append(part)
        else:
            if small:
                made.append(b"".join(small))
                small = []
            made.append(part)
    if small:
        made.append(b"".join(small))
    return made


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
        given = min(stream.in_place(), <Py_ssize_t>length)
        if given:
            flags[0] |= NGHTTP2_DATA_FLAG_NO_COPY  # send_data will be asked for them
            if len(stream._body) == 1 and given == stream.in_place():
                flags[0] |= NGHTTP2_DATA_FLAG_EOF
            return given
        given = stream.give(to, <Py_ssize_t>length)
    except BaseException as error:
        (<Http2Session>user)._error = error
        return NGHTTP2_ERR_CALLBACK_FAILURE
    if not stream._body:
        flags[0] |= NGHTTP2_DATA_FLAG_EOF
    return given


cdef int send_data(
    nghttp2_session* session, nghttp2_frame* frame, const uint8_t* head, size_t length,
    nghttp2_data_source* source, void* user
) noexcept:
    cdef Http2Session self = <Http2Session>user
    cdef Http2Stream stream = <Http2Stream>source.ptr
    if self._produced >= OUTPUT:
        return NGHTTP2_ERR_WOULDBLOCK
    try:
        self._parts.append(PyBytes_FromStringAndSize(<const char*>head, FRAME_HEAD))
        self._parts.append(stream.slice_of(<Py_ssize_t>length))
        self._produced += FRAME_HEAD + length
    except BaseException as error:
        self._error = error
        return NGHTTP2_ERR_CALLBACK_FAILURE
    return 0


cdef Py_ssize_t read_length(
    nghttp2_session* session, uint8_t frame_type, int32_t stream_id, int32_t session_window,
    int32_t stream_window, uint32_t max_frame, void* user
) noexcept:
    return min(min(session_window, stream_window), <Py_ssize_t>min(max_frame, MAX_FRAME))


cdef int on_begin_frame(
    nghttp2_session* session, const nghttp2_frame_hd* head, void* user
) noexcept:
    cdef Http2Session self = <Http2Session>user
    self._frame_left = 0
    if head.type == NGHTTP2_DATA:
        # Of a frame with padding not all is the message's.
        self._frame_size = 0 if head.flags & NGHTTP2_FLAG_PADDED else <Py_ssize_t>head.length
        self._frame_left = self._frame_size
    return 0


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
    cdef bytes_of names, values
    names.start, names.size = <const char*>name, name_size
    values.start, values.size = <const char*>value, value_size
    try:
        pair = (<Http2Session>user).field(stream._field_count, names, values)
        stream._field_count += 1
        stream.fields[pair[0]] = pair[1]
    except BaseException as error:
        (<Http2Session>user)._error = error
        return NGHTTP2_ERR_CALLBACK_FAILURE
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
        self._frame_left = max(self._frame_left - <Py_ssize_t>size, 0)
        self._receiving = stream if stream._left else None
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
        if self._receiving is stream:
            self._receiving = None
        stream.is_closed = True
        stream.error = error
        stream._body = []
        self.touched.append(stream)
    return 0


cdef int on_frame(nghttp2_session* session, const nghttp2_frame* frame, void* user) noexcept:
    if frame.hd.type == NGHTTP2_GOAWAY:
        (<Http2Session>user).is_usable = False
    return 0
