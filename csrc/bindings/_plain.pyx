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
from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memcpy

import numpy as np

cdef object ndarray = np.ndarray
cdef Py_ssize_t JOIN_BELOW = 16 << 10  # bytes; smaller tensors are sent in one piece with the head
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


include "plain_answers.pxi"
