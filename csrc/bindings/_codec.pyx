# cython: language_level=3, freethreading_compatible=True
# distutils: language = c++
"""BYTES tensors on the wire: each element is a little-endian uint32 and so many bytes.

Everything that comes from a server is hostile until it was checked: no length is believed, whatever
is wrong raises ValueError. Nothing here keeps state, so any thread may call any function.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy


def encode_bytes(list items not None):
    """Encodes elements of a BYTES tensor.

    Args:
        items: The elements in row-major order.

    Returns:
        The wire form as one bytes object.

    Raises:
        TypeError: An element is no bytes object; the error's second argument is the element.
        ValueError: An element has 4 GiB or more.
    """
    cdef Py_ssize_t count = len(items), i, total = 4 * count
    cdef const char** starts = <const char**>malloc((count + 1) * sizeof(char*))
    cdef Py_ssize_t* sizes = <Py_ssize_t*>malloc((count + 1) * sizeof(Py_ssize_t))
    cdef bytes result
    try:
        if starts == NULL or sizes == NULL:
            raise MemoryError()
        for i in range(count):
            item = items[i]
            if not isinstance(item, bytes):
                raise TypeError("expected bytes", item)
            starts[i] = PyBytes_AS_STRING(item)
            sizes[i] = PyBytes_GET_SIZE(item)
            if sizes[i] > 0xFFFFFFFF:
                raise ValueError("expected elements below 4 GiB")
            total += sizes[i]
        result = PyBytes_FromStringAndSize(NULL, total)
        write_elements(<uint8_t*>PyBytes_AS_STRING(result), starts, sizes, count)
        return result
    finally:
        free(starts)
        free(sizes)


cdef void write_elements(
    uint8_t* to, const char** starts, const Py_ssize_t* sizes, Py_ssize_t count
) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(count):
        write_uint32(to, <uint32_t>sizes[i])
        memcpy(to + 4, starts[i], sizes[i])
        to += 4 + sizes[i]


def encode_fixed(const uint8_t[::1] data not None, Py_ssize_t itemsize):
    """Encodes an array of fixed-size byte strings (numpy's S types); trailing NULs are padding.

    Args:
        data: The array's memory.
        itemsize: Bytes of one element, at least 1.
    """
    cdef Py_ssize_t count = data.shape[0] // itemsize, i, size, total = 4 * count
    cdef const uint8_t* at
    cdef uint8_t* to
    if count == 0:
        return b""
    with nogil:
        for i in range(count):
            total += unpadded(&data[i * itemsize], itemsize)
    cdef bytes result = PyBytes_FromStringAndSize(NULL, total)
    to = <uint8_t*>PyBytes_AS_STRING(result)
    with nogil:
        for i in range(count):
            at = &data[i * itemsize]
            size = unpadded(at, itemsize)
            write_uint32(to, <uint32_t>size)
            memcpy(to + 4, at, size)
            to += 4 + size
    return result


def decode_bytes(const uint8_t[::1] data not None, Py_ssize_t count):
    """Decodes the elements of a BYTES tensor.

    Args:
        data: The wire form.
        count: How many elements the tensor's shape has.

    Returns:
        A list of bytes objects.

    Raises:
        ValueError: The data end within an element or hold another number of elements.
    """
    cdef Py_ssize_t size = data.shape[0], at = 0, i
    cdef uint32_t length
    if count < 0 or count > size // 4 or (count == 0 and size):
        raise ValueError(f"expected {count} elements, got {size} bytes")
    if count == 0:
        return []
    cdef const uint8_t* start = &data[0]
    with nogil:
        for i in range(count):
            if size - at < 4:
                break
            length = read_uint32(start + at)
            if size - at - 4 < length:
                break
            at += 4 + <Py_ssize_t>length
        else:
            i = count
    if i != count or at != size:
        raise ValueError(f"expected {count} elements in {size} bytes, but they end at byte {at}")
    cdef list items = [None] * count
    at = 0
    for i in range(count):
        length = read_uint32(start + at)
        items[i] = PyBytes_FromStringAndSize(<const char*>start + at + 4, length)
        at += 4 + <Py_ssize_t>length
    return items


cdef inline Py_ssize_t unpadded(const uint8_t* at, Py_ssize_t size) noexcept nogil:
    while size and at[size - 1] == 0:
        size -= 1
    return size


cdef inline void write_uint32(uint8_t* to, uint32_t value) noexcept nogil:
    to[0] = value & 0xFF
    to[1] = (value >> 8) & 0xFF
    to[2] = (value >> 16) & 0xFF
    to[3] = value >> 24


cdef inline uint32_t read_uint32(const uint8_t* at) noexcept nogil:
    return at[0] | (<uint32_t>at[1] << 8) | (<uint32_t>at[2] << 16) | (<uint32_t>at[3] << 24)
