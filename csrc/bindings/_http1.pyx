# cython: language_level=3, freethreading_compatible=True
# distutils: language = c++
"""Http1Session: the client's end of an HTTP/1.1 connection without sockets.

Bytes that were received go in (get_buffer, buffer_updated), one reply at a time comes out. Large
bodies are received straight into the memory that the tensors will be views of.

Thread rule: one thread at a time. Whatever a server sends wrong raises ValueError; then the
connection is of no use any more.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.string cimport memcmp, memcpy

import numpy as np

cdef Py_ssize_t SCRATCH = 64 << 10  # bytes; also the longest head and the longest chunk line
cdef object MAX_LENGTH = 1 << 40  # bytes of a body; beyond it a length is a mistake or an attack
cdef Py_ssize_t MAX_HEADS = 16  # kept of a connection
cdef Py_ssize_t SMALL = 16 << 10  # bytes; fewer are worth no array
cdef Py_ssize_t ALIGNMENT = 64  # bytes; of the first tensor behind the JSON head

cdef enum:
    HEAD, LENGTH, CHUNK_HEAD, CHUNK, CHUNK_END, TRAILERS, UNTIL_CLOSE, DONE


cdef class Http1Session:
    """See the module.

    Attributes:
        status: Status of the reply, for example 200.
        headers: Header fields of the reply, names in lower case; of repeated ones the first.
        body: Body of the reply: an array of uint8, a memoryview, or a bytearray.
        is_done: The reply is complete.
        is_reusable: The connection may carry another request.
    """

    cdef bytearray _scratch
    cdef object _view  # memoryview of it
    cdef Py_ssize_t _filled  # bytes in the scratch that are not used up
    cdef int _state
    cdef Py_ssize_t _left  # of the body, or of the chunk
    cdef object _target  # memoryview of the body, while it is received straight into its place
    cdef dict _heads  # heads that came before, parsed: servers repeat themselves
    cdef bytes _last  # the last of them; None: there is none
    cdef tuple _parsed  # what _last says
    cdef readonly int status
    cdef readonly dict headers
    cdef readonly object body
    cdef readonly bint is_done
    cdef readonly bint is_reusable

    def __cinit__(self):
        self._scratch = bytearray(SCRATCH)
        self._view = memoryview(self._scratch)
        self._state = DONE
        self.is_reusable = True
        self.body = bytearray()
        self.headers = {}
        self._heads = {}

    def begin(self):
        """A request is about to be sent; its reply comes next.

        Raises:
            ValueError: The server has sent bytes that nobody asked for, or announced the end.
        """
        if self._filled or not self.is_reusable or self._state != DONE:
            raise ValueError("expected a connection ready for the next request")
        self._state = HEAD
        self.is_done = False

    def get_buffer(self, sizehint=-1):
        """Where to put the next bytes received; never empty."""
        if self._state == LENGTH:
            return self._target[len(self._target) - self._left:]
        return self._view[self._filled:] if self._filled else self._view

    def buffer_updated(self, Py_ssize_t count):
        """So many bytes were put into the buffer.

        Raises:
            ValueError: They are no HTTP reply.
        """
        if self._state == LENGTH:
            self._left -= count
            if not self._left:
                self._finish()
            return
        if self._state == DONE:
            self.is_reusable = False
            raise ValueError("expected no bytes between replies")
        self._filled += count
        cdef Py_ssize_t used = 0, step
        while self._state != DONE and self._state != LENGTH:
            step = self._advance(used)
            if step < 0:
                break
            used += step
        self._filled -= used
        if used and self._filled:
            self._scratch[:self._filled] = self._scratch[used:used + self._filled]
        if self._state == DONE and self._filled:
            self.is_reusable = False  # bytes that nobody asked for
        elif self._filled == SCRATCH:
            raise ValueError(f"expected lines of a reply below {SCRATCH} bytes")

    def eof_received(self):
        """The server has closed the connection.

        Raises:
            ValueError: It did so within a reply.
        """
        self.is_reusable = False
        if self._state == UNTIL_CLOSE:
            self._finish()
        elif self._state != DONE:
            is_early = self._state == HEAD and not self._filled
            part = "before a reply" if is_early else "within a reply"
            raise ValueError(f"the server closed the connection {part}")

    @property
    def is_untouched(self):
        """Nothing of the reply has come."""
        return self._state == HEAD and not self._filled

    cdef Py_ssize_t _advance(self, Py_ssize_t used) except -2:
        """Uses bytes of the scratch from `used` on; tells how many, -1: it needs more."""
        cdef Py_ssize_t end = self._filled, size
        if self._state == HEAD:
            size = self._repeated(used)
            if not size:
                size = self._scratch.find(b"\r\n\r\n", used, end)
                if size < 0:
                    return -1
                self._read_head(bytes(self._scratch[used:size]))
                size += 4 - used
            if self._state == LENGTH:
                size += self._move_into_body(used + size)
            return size
        if self._state == CHUNK or self._state == UNTIL_CLOSE:
            size = end - used
            if self._state == CHUNK and size > self._left:
                size = self._left
            if not size:
                return -1
            self.body += self._scratch[used:used + size]
            if self._state == CHUNK:
                self._left -= size
                if not self._left:
                    self._state = CHUNK_END
            return size
        size = self._scratch.find(b"\r\n", used, end)
        if size < 0:
            return -1
        self._read_line(bytes(self._scratch[used:size]))
        return size + 2 - used

    cdef Py_ssize_t _repeated(self, Py_ssize_t used) except -1:
        """Reads a head that is the last one again; tells its bytes, 0: it is another."""
        cdef const char* text = PyByteArray_AS_STRING(self._scratch) + used
        cdef Py_ssize_t size
        if self._last is None:
            return 0
        size = PyBytes_GET_SIZE(self._last)
        if self._filled - used < size + 4 or memcmp(text, PyBytes_AS_STRING(self._last), size):
            return 0
        if memcmp(text + size, b"\r\n\r\n", 4):
            return 0
        self._take_parsed()
        return size + 4

    cdef Py_ssize_t _move_into_body(self, Py_ssize_t start) except -2:
        """What of the body came with the head goes to its place."""
        cdef Py_ssize_t count = min(self._filled - start, self._left)
        cdef Py_buffer view
        PyObject_GetBuffer(self._target, &view, PyBUF_SIMPLE | PyBUF_WRITABLE)
        memcpy(view.buf, PyByteArray_AS_STRING(self._scratch) + start, count)
        PyBuffer_Release(&view)
        self._left -= count
        if not self._left:
            self._finish()
        return count

    cdef int _read_line(self, bytes line) except -1:
        """A line of a chunked body."""
        if self._state == CHUNK_END:
            if line:
                raise ValueError("expected the end of a chunk")
            self._state = CHUNK_HEAD
        elif self._state == TRAILERS:
            if not line:
                self._finish()
        else:
            size = line.partition(b";")[0].strip()
            if not size.isalnum() or len(size) > 10:
                raise ValueError(f"expected a chunk's size, got {line[:40]!r}")
            self._left = int(size, 16)
            self._state = CHUNK if self._left else TRAILERS
        return 0

    cdef int _read_head(self, bytes head) except -1:
        known = self._heads.get(head)
        if known is None:
            return self._parse_head(head)
        self._last, self._parsed = head, known
        return self._take_parsed()

    cdef int _take_parsed(self) except -1:
        self.status, self.headers, self._left, lead = self._parsed
        self.is_reusable = True
        return self._expect(lead)

    cdef int _parse_head(self, bytes head) except -1:
        cdef list lines = head.decode("latin-1").split("\r\n")
        start = lines[0]
        code = start[9:12]
        if not start.startswith("HTTP/1.") or not (code.isascii() and code.isdigit()):
            raise ValueError(f"expected an HTTP/1 reply, got {start[:60]!r}")
        cdef dict headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers.setdefault(name.lower(), value.strip())
        self.status = int(code)
        if 100 <= self.status < 200:
            if self.status == 101:
                raise ValueError("expected no change of protocol")
            return 0  # an interim reply; the head of the final one follows
        self.headers = headers
        connection = headers.get("connection", "").lower()
        self.is_reusable = connection != "close" and (start[7] != "0" or connection == "keep-alive")
        self._choose_body(headers)
        if self.status == 200 and self.is_reusable and self._state in (LENGTH, DONE):
            if len(self._heads) >= MAX_HEADS:
                self._heads.clear()
            self._heads[head] = (self.status, headers, self._left, lead_of(headers))
        return 0

    cdef int _expect(self, Py_ssize_t lead) except -1:
        """So many bytes of the body are left."""
        if not self._left:
            self.body = bytearray()
            self._finish()
            return 0
        self.body = aligned(self._left, lead)
        self._target = self.body if self._left < SMALL else memoryview(self.body)
        self._state = LENGTH
        return 0

    cdef int _choose_body(self, dict headers) except -1:
        if self.status == 204 or self.status == 304:
            self.body = bytearray()
            self._finish()
        elif headers.get("transfer-encoding", "").lower().endswith("chunked"):
            self.body = bytearray()
            self._state = CHUNK_HEAD
        elif "content-length" in headers:
            length = headers["content-length"]
            if not (length.isascii() and length.isdigit()) or int(length) > MAX_LENGTH:
                raise ValueError(f"expected a content length, got {length[:40]!r}")
            self._left = int(length)
            self._expect(lead_of(headers))
        else:
            self.body = bytearray()
            self.is_reusable = False
            self._state = UNTIL_CLOSE
        return 0

    cdef void _finish(self):
        self._state = DONE
        self._target = None
        self.is_done = True


cdef Py_ssize_t lead_of(dict headers) except -1:
    """Bytes of JSON before the tensors."""
    lead = headers.get("inference-header-content-length", "0")
    return int(lead) if lead.isdigit() and len(lead) < 15 else 0


cdef object aligned(Py_ssize_t size, Py_ssize_t lead):
    """Writable memory whose byte `lead` is aligned.

    Raises:
        ValueError: There is not so much memory.
    """
    cdef Py_ssize_t skip
    if size < SMALL:  # malloc aligns to 16 bytes, which is enough for numbers
        skip = -lead % 16
        small = PyByteArray_FromStringAndSize(NULL, size + 16)
        return memoryview(small)[skip:skip + size]
    try:
        block = np.empty(size + ALIGNMENT, np.uint8)
    except MemoryError:
        raise ValueError(f"expected a body that fits into memory, got {size} bytes") from None
    cdef unsigned char[::1] view = block
    skip = -(<Py_ssize_t>&view[0] + lead) % ALIGNMENT
    return block[skip:skip + size]
