# cython: language_level=3, freethreading_compatible=True
# distutils: language = c++
"""Plain inferences: numeric arrays without extras, written and read in few steps by both protocols.

What requests have in common is made once (HttpForm, GrpcForm). What answers have in common, all but
an id and the numbers, is looked up among those that came before; an answer that is not known, or is
not as it was, is left to the caller, who reads it with care.

Nothing here is believed without a check of its length. Forms don't change, so any thread may use
them; the dictionaries are the caller's.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint64_t, uintptr_t
from libc.string cimport memcmp, memcpy

import numpy as np

cdef object ndarray = np.ndarray
cdef Py_ssize_t JOIN_BELOW = 16 << 10  # bytes; smaller tensors are sent in one piece with the head
cdef Py_ssize_t MAX_KEY = 4096  # bytes; answers with longer descriptions are not kept
cdef enum:
    DIGITS = 20  # of the longest number


def signature(dict named not None, dict known not None, bint is_sample):
    """What tells plain requests apart: names, dtypes and shapes; None: these need more care.

    Args:
        named: Inputs by name.
        known: Has the dtypes that can be sent as they are.
        is_sample: The inputs are to get a batch dimension.
    """
    cdef list key = [is_sample]
    for name, value in named.items():
        if type(value) is not ndarray or not value.flags.c_contiguous:
            return None
        dtype = value.dtype
        shape = value.shape
        if dtype not in known or 0 in shape:
            return None
        key.append(name)
        key.append(dtype)
        key.append(shape)
    return tuple(key)


cdef Py_ssize_t put_number(uint8_t* to, uint64_t number) noexcept nogil:
    """Writes decimal digits; tells how many."""
    cdef uint8_t[DIGITS] digits
    cdef Py_ssize_t count = 0, i
    while True:
        digits[count] = <uint8_t>(48 + number % 10)
        number //= 10
        count += 1
        if not number:
            break
    for i in range(count):
        to[i] = digits[count - 1 - i]
    return count


cdef uint8_t* put(uint8_t* to, const void* data, Py_ssize_t size) noexcept nogil:
    memcpy(to, data, size)
    return to + size


cdef uint8_t* put_bytes(uint8_t* to, bytes data) noexcept:
    return put(to, PyBytes_AS_STRING(data), PyBytes_GET_SIZE(data))


cdef uint8_t* put_array(uint8_t* to, object array, Py_ssize_t size) except NULL:
    """Copies an array of so many bytes."""
    cdef Py_buffer view
    PyObject_GetBuffer(array, &view, PyBUF_SIMPLE)
    try:
        if view.len != size:
            raise ValueError(f"expected arrays of {size} bytes, got {view.len}")
        return put(to, view.buf, size)
    finally:
        PyBuffer_Release(&view)


cdef int check_count(arrays, list sizes) except -1:
    if len(arrays) != len(sizes):
        raise ValueError(f"expected {len(sizes)} arrays, got {len(arrays)}")
    return 0


cdef class HttpForm:
    """An HTTP request without its id and its tensors."""

    cdef bytes _head
    cdef bytes _text
    cdef list _sizes
    cdef Py_ssize_t _size

    def __init__(self, bytes head not None, bytes text not None, list sizes not None):
        """Keeps the parts.

        Args:
            head: The HTTP head up to the value of the field inference-header-content-length.
            text: The JSON up to the value of its last member, the id.
            sizes: Bytes of each tensor.
        """
        self._head, self._text, self._sizes = head, text, list(sizes)
        self._size = sum(sizes)

    def write(self, uint64_t number, arrays not None):
        """The request as buffers.

        Args:
            number: The id.
            arrays: The tensors, contiguous.

        Raises:
            ValueError: They are others than the form was made for.
        """
        check_count(arrays, self._sizes)
        cdef uint8_t[DIGITS] digits
        cdef uint8_t[DIGITS] length
        cdef uint8_t[DIGITS] total
        cdef Py_ssize_t id_size = put_number(digits, number)
        cdef Py_ssize_t json = PyBytes_GET_SIZE(self._text) + id_size + 2
        cdef Py_ssize_t length_size = put_number(length, json)
        cdef Py_ssize_t total_size = put_number(total, json + self._size)
        cdef bint is_joined = self._size < JOIN_BELOW
        cdef Py_ssize_t size = PyBytes_GET_SIZE(self._head) + length_size + total_size + json + 22
        if is_joined:
            size += self._size
        cdef bytes made = PyBytes_FromStringAndSize(NULL, size)
        cdef uint8_t* to = put_bytes(<uint8_t*>PyBytes_AS_STRING(made), self._head)
        to = put(to, length, length_size)
        to = put(to, b"\r\ncontent-length: ", 18)
        to = put(to, total, total_size)
        to = put(to, b"\r\n\r\n", 4)
        to = put_bytes(to, self._text)
        to = put(to, digits, id_size)
        to = put(to, b'"}', 2)
        if not is_joined:
            return [made, *arrays]
        for array, expected in zip(arrays, self._sizes):
            to = put_array(to, array, expected)
        return [made]


include "varint.pxi"


cdef class GrpcForm:
    """A ModelInferRequest in its gRPC frame, without its id and its tensors."""

    cdef bytes _fields
    cdef list _sizes
    cdef Py_ssize_t _size  # of raw_input_contents with their heads

    def __init__(self, bytes fields not None, list sizes not None):
        """Keeps the parts.

        Args:
            fields: Everything but the fields id and raw_input_contents, encoded.
            sizes: Bytes of each tensor; together below 16 KiB.

        Raises:
            ValueError: They are larger.
        """
        cdef Py_ssize_t size
        self._fields, self._sizes = fields, list(sizes)
        for size in sizes:
            self._size += 1 + varint_size(size) + size
        if self._size >= JOIN_BELOW:
            raise ValueError(f"expected tensors below {JOIN_BELOW} bytes")

    def write(self, uint64_t number, arrays not None):
        """The frame.

        Args:
            number: The id.
            arrays: The tensors, contiguous.

        Raises:
            ValueError: They are others than the form was made for.
        """
        check_count(arrays, self._sizes)
        cdef uint8_t[DIGITS] digits
        cdef Py_ssize_t id_size = put_number(digits, number)
        cdef Py_ssize_t total = PyBytes_GET_SIZE(self._fields) + 2 + id_size + self._size
        cdef Py_ssize_t size
        cdef bytes made = PyBytes_FromStringAndSize(NULL, 5 + total)
        cdef uint8_t* to = <uint8_t*>PyBytes_AS_STRING(made)
        to[0] = 0  # not compressed
        to[1] = (total >> 24) & 0xFF
        to[2] = (total >> 16) & 0xFF
        to[3] = (total >> 8) & 0xFF
        to[4] = total & 0xFF
        to = put_bytes(to + 5, self._fields)
        to[0], to[1] = 0x1A, <uint8_t>id_size  # field 3, length-delimited
        to = put(to + 2, digits, id_size)
        for array, size in zip(arrays, self._sizes):
            to[0] = 0x3A  # field 7, length-delimited
            to = put_varint(to + 1, size)
            to = put_array(to, array, size)
        return made


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
