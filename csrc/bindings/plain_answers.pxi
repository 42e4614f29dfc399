"""Answers, a part of _plain.pyx: what those that are alike have in common, and reading them."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint64_t, uintptr_t
from libc.string cimport memcmp

cdef Py_ssize_t MAX_KEY = 4096  # bytes; answers with longer descriptions are not kept


cdef class Place:
    """One tensor of a known answer."""

    cdef object name
    cdef object dtype
    cdef tuple shape
    cdef tuple rest  # of the shape, behind the batch dimension; None: that is no array
    cdef Py_ssize_t size
    cdef Py_ssize_t alignment


def places_of(list described not None):
    """What is kept of an answer: (name, array) of each output in its order; numbers only."""
    cdef list places = []
    cdef Place place
    for name, array in described:
        place = Place()
        place.name, place.dtype, place.shape = name, array.dtype, array.shape
        place.rest = place.shape[1:] if len(place.shape) > 1 else None
        place.size, place.alignment = array.nbytes, array.dtype.alignment
        places.append(place)
    return places


cdef object array_at(
    Place place, object data, const uint8_t* base, Py_ssize_t start, bint is_sample
):
    """The tensor that starts so many bytes behind the base; of a sample the first of the batch."""
    cdef bint is_aligned = not (<uintptr_t>(base + start)) % place.alignment
    if is_sample and is_aligned and place.rest is not None:
        return ndarray(place.rest, place.dtype, data, start)
    array = ndarray(place.shape, place.dtype, data, start)
    if not is_aligned:
        array = array.copy()
    return array[0] if is_sample else array


cdef Py_ssize_t id_end(const uint8_t* text, Py_ssize_t size) noexcept nogil:
    """Where the JSON goes on behind an id in front, which tells nothing; 0: there is none."""
    cdef Py_ssize_t at = 7
    if size < 12 or memcmp(text, b'{"id":"', 7):
        return 0
    while at < size and 48 <= text[at] <= 57:
        at += 1
    return at + 2 if size - at >= 2 and text[at] == 34 and text[at + 1] == 44 else 0


cdef bytes http_key_in(Py_buffer* view, Py_ssize_t end):
    if not 0 <= end <= view.len:
        raise ValueError(f"expected {end} bytes of JSON, got {view.len} bytes")
    cdef Py_ssize_t start = id_end(<const uint8_t*>view.buf, end)
    if end - start > MAX_KEY:
        return None
    return PyBytes_FromStringAndSize(<const char*>view.buf + start, end - start)


def http_key(data not None, Py_ssize_t end):
    """By what a body of an HTTP answer is looked up: its JSON, which ends at `end`.

    None: it is too long to be kept.

    Raises:
        ValueError: The body is shorter.
    """
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        return http_key_in(&view, end)
    finally:
        PyBuffer_Release(&view)


cpdef read_http(data, Py_ssize_t end, dict known, bint is_sample):
    """The outputs of a body that came before.

    Args:
        data: The body.
        end: Where its JSON ends.
        known: What places_of gave, by http_key.
        is_sample: The outputs lose their batch dimension, which all must have.

    Returns:
        Arrays by name, views of the body where they are aligned; None: it needs more care.

    Raises:
        ValueError: The body is shorter.
    """
    cdef Py_buffer view
    cdef Py_ssize_t at = end
    cdef Place place
    cdef dict outputs = {}
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        key = http_key_in(&view, end)
        places = None if key is None else known.get(key)
        if places is None:
            return None
        for place in <list>places:
            if place.size > view.len - at or (is_sample and not place.shape):
                return None
            outputs[place.name] = array_at(place, data, <const uint8_t*>view.buf, at, is_sample)
            at += place.size
        return outputs
    finally:
        PyBuffer_Release(&view)


cdef struct Parts:
    Py_ssize_t outputs  # where the fields `outputs` begin and end
    Py_ssize_t outputs_end
    Py_ssize_t count
    Py_ssize_t[16] starts  # of raw_output_contents
    Py_ssize_t[16] sizes


cdef bint find_parts(const uint8_t* data, Py_ssize_t size, Parts* parts) noexcept nogil:
    """Finds the parts of a ModelInferResponse that is plain: no parameters, no gaps."""
    cdef Py_ssize_t at = 0, start
    cdef uint64_t length
    cdef int shift
    cdef uint8_t tag
    parts.outputs, parts.outputs_end, parts.count = -1, -1, 0
    while at < size:
        tag, start = data[at], at
        at += 1
        length, shift = 0, 0
        while True:
            if at >= size or shift > 35:
                return False
            length |= <uint64_t>(data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if not data[at - 1] & 0x80:
                break
        if length > <uint64_t>(size - at):
            return False
        if tag == 0x2A:  # field 5, outputs
            if parts.outputs < 0:
                parts.outputs = start
            elif parts.outputs_end != start:
                return False
            parts.outputs_end = at + <Py_ssize_t>length
        elif tag == 0x32:  # field 6, raw_output_contents
            if parts.count == 16:
                return False
            parts.starts[parts.count], parts.sizes[parts.count] = at, <Py_ssize_t>length
            parts.count += 1
        elif tag != 0x0A and tag != 0x12 and tag != 0x1A:  # names of model and version, id
            return False
        at += <Py_ssize_t>length
    return parts.outputs >= 0


cdef bytes grpc_key_in(Py_buffer* view, Parts* parts):
    if not find_parts(<const uint8_t*>view.buf, view.len, parts):
        return None
    cdef Py_ssize_t size = parts.outputs_end - parts.outputs
    if size > MAX_KEY:
        return None
    return PyBytes_FromStringAndSize(<const char*>view.buf + parts.outputs, size)


def grpc_key(data not None):
    """By what a ModelInferResponse is looked up: its fields `outputs`; None: not plain, or long."""
    cdef Py_buffer view
    cdef Parts parts
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        return grpc_key_in(&view, &parts)
    finally:
        PyBuffer_Release(&view)


cpdef read_grpc(data, dict known, bint is_sample):
    """As read_http, of a ModelInferResponse; known: what places_of gave, by grpc_key."""
    cdef const uint8_t* base
    cdef Py_buffer view
    cdef Parts parts
    cdef Py_ssize_t i = 0
    cdef Place place
    cdef dict outputs = {}
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        key = grpc_key_in(&view, &parts)
        places = None if key is None else known.get(key)
        if places is None or len(<list>places) != parts.count:
            return None
        base = <const uint8_t*>view.buf
        for place in <list>places:
            if place.size != parts.sizes[i] or (is_sample and not place.shape):
                return None
            outputs[place.name] = array_at(place, data, base, parts.starts[i], is_sample)
            i += 1
        return outputs
    finally:
        PyBuffer_Release(&view)


cpdef Py_ssize_t http_end(dict headers, body) except -1:
    """Where the JSON of an HTTP answer's body ends, which is maybe all of it."""
    cdef Py_ssize_t end = len(body)
    length = headers.get("inference-header-content-length")
    if length is not None and length.isdigit() and len(length) < 15:
        return min(<Py_ssize_t>int(length), end)
    return end


cdef class Reader:
    """Makes outputs of the replies to inferences: quickly of those that are like earlier ones.

    A reply is a tuple: status, headers, body, message.
    """

    cdef dict _known
    cdef bint _is_sample
    cdef object _careful

    def __init__(self, dict known not None, bint is_sample, careful not None):
        """Keeps the arguments.

        Args:
            known: What places_of gave, by the key of an answer.
            is_sample: The outputs lose their batch dimension.
            careful: Takes replies that are not known or no good, and adds to the known ones.
        """
        self._known, self._is_sample, self._careful = known, is_sample, careful


cdef class HttpReader(Reader):
    """Reads bodies of HTTP, whose keys are http_key's."""

    def __call__(self, reply not None):
        """The outputs of a reply."""
        headers, body = reply[1], reply[2]
        if reply[0] == 200 and "content-encoding" not in headers:
            outputs = read_http(body, http_end(headers, body), self._known, self._is_sample)
            if outputs is not None:
                return outputs
        return self._careful(reply)


cdef class GrpcReader(Reader):
    """Reads messages of gRPC, whose keys are grpc_key's."""

    def __call__(self, reply not None):
        """The outputs of a reply."""
        if reply[0] == 0:
            outputs = read_grpc(reply[2], self._known, self._is_sample)
            if outputs is not None:
                return outputs
        return self._careful(reply)
