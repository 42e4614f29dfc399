# cython: language_level=3, freethreading_compatible=True
# distutils: language = c++
"""The messages of ModelInfer as the clients write and read them: protobuf without libprotobuf.

Everything that comes from a server is hostile until it was checked: no length is believed, whatever
is wrong raises ValueError. Nothing here keeps state, so any thread may call any function.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy


# --- ModelInferRequest ----------------------------------------------------------------------------


include "varint.pxi"


cdef inline Py_ssize_t field_size(Py_ssize_t size) noexcept:
    return 1 + varint_size(size) + size


def encode_input(bytes head not None, tuple shape not None, bytes parameters not None):
    """The field `inputs` of a ModelInferRequest with one InferInputTensor.

    Args:
        head: The tensor's fields name and datatype, encoded.
        shape: Its dimensions.
        parameters: Its field parameters, encoded.
    """
    cdef Py_ssize_t dims = 0, inner
    cdef int64_t dim
    for dim in shape:
        dims += varint_size(<uint64_t>dim)
    inner = PyBytes_GET_SIZE(head) + PyBytes_GET_SIZE(parameters)
    inner += field_size(dims) if shape else 0
    cdef bytes result = PyBytes_FromStringAndSize(NULL, field_size(inner))
    cdef uint8_t* to = <uint8_t*>PyBytes_AS_STRING(result)
    to[0] = 0x2A  # field 5, length-delimited
    to = put_varint(to + 1, inner)
    memcpy(to, PyBytes_AS_STRING(head), PyBytes_GET_SIZE(head))
    to += PyBytes_GET_SIZE(head)
    if shape:
        to[0] = 0x1A  # field 3, packed
        to = put_varint(to + 1, dims)
        for dim in shape:
            to = put_varint(to, <uint64_t>dim)
    memcpy(to, PyBytes_AS_STRING(parameters), PyBytes_GET_SIZE(parameters))
    return result


def frame_request(bytes fields not None, list contents not None, Py_ssize_t join_below):
    """A ModelInferRequest in a gRPC frame, as buffers that together are the bytes to send.

    Args:
        fields: Everything but raw_input_contents, encoded.
        contents: raw_input_contents: objects with contiguous buffers.
        join_below: Contents smaller than this are copied into the buffer before them, others are
            passed on as they are.

    Raises:
        ValueError: The message has 4 GiB or more.
    """
    cdef Py_ssize_t size, total = PyBytes_GET_SIZE(fields)
    cdef list sizes = [memoryview(content).nbytes for content in contents]
    for size in sizes:
        total += field_size(size)
    if total > 0xFFFFFFFF:
        raise ValueError(f"expected a request below 4 GiB, got {total} bytes")
    cdef uint8_t lead[5]
    lead[0] = 0  # not compressed
    lead[1] = (total >> 24) & 0xFF
    lead[2] = (total >> 16) & 0xFF
    lead[3] = (total >> 8) & 0xFF
    lead[4] = total & 0xFF
    cdef list parts = []
    cdef list joined = [PyBytes_FromStringAndSize(<char*>lead, 5), fields]
    for content, size in zip(contents, sizes):
        joined.append(raw_head(size))
        if size < join_below:
            joined.append(content)
        else:
            parts.append(b"".join(joined))
            parts.append(content)
            joined = []
    if joined:
        parts.append(b"".join(joined))
    return parts


cdef bytes raw_head(Py_ssize_t size):
    cdef uint8_t head[11]
    head[0] = 0x3A  # field 7, length-delimited
    return PyBytes_FromStringAndSize(<char*>head, put_varint(head + 1, size) - head)


# --- ModelInferResponse ---------------------------------------------------------------------------


cdef struct Span:
    const uint8_t* at
    const uint8_t* end


cdef struct Field:
    uint32_t number
    uint32_t wire
    uint64_t value  # of wire types 0, 1 and 5
    Span body  # of wire type 2


cdef int read_varint(Span* span, uint64_t* value) except -1:
    cdef int shift = 0
    cdef uint8_t byte
    value[0] = 0
    while span.at < span.end and shift < 70:
        byte = span.at[0]
        span.at += 1
        if shift < 64:
            value[0] |= <uint64_t>(byte & 0x7F) << shift
        if not byte & 0x80:
            return 0
        shift += 7
    raise ValueError("expected a protobuf varint of at most 10 bytes")


cdef int next_field(Span* span, Field* field) except -1:
    """Reads one field; 0 when the message has ended."""
    cdef uint64_t value
    cdef int i, size
    if span.at == span.end:
        return 0
    read_varint(span, &value)
    field.number = <uint32_t>(value >> 3)
    field.wire = value & 7
    if field.wire == 0:
        read_varint(span, &field.value)
    elif field.wire == 2:
        read_varint(span, &value)
        if value > <uint64_t>(span.end - span.at):
            raise ValueError("expected a protobuf field within its message, got a longer one")
        field.body.at = span.at
        span.at += value
        field.body.end = span.at
    elif field.wire == 1 or field.wire == 5:
        size = 8 if field.wire == 1 else 4
        if span.end - span.at < size:
            raise ValueError("expected a protobuf number, got the end of the message")
        field.value = 0
        for i in range(size):
            field.value |= <uint64_t>span.at[i] << (8 * i)
        span.at += size
    else:
        raise ValueError(f"expected a protobuf wire type, got {field.wire}")
    return 1


cdef inline str text_of(Span span):
    return (<const char*>span.at)[:span.end - span.at].decode("utf-8", "replace")


cdef object parameter_value(Span span):
    """The value of an InferParameter; None when no field is set."""
    cdef Field field
    cdef double number
    result = None
    while next_field(&span, &field):
        if field.number == 1 and field.wire == 0:
            result = field.value != 0
        elif field.number == 2 and field.wire == 0:
            result = <int64_t>field.value
        elif field.number == 3 and field.wire == 2:
            result = text_of(field.body)
        elif field.number == 4 and field.wire == 1:
            memcpy(&number, &field.value, 8)
            result = number
        elif field.number == 5 and field.wire == 0:
            result = field.value
    return result


cdef int add_parameter(dict parameters, Span span) except -1:
    """One entry of a map from strings to InferParameter."""
    cdef Field field
    key, value = "", None
    while next_field(&span, &field):
        if field.number == 1 and field.wire == 2:
            key = text_of(field.body)
        elif field.number == 2 and field.wire == 2:
            value = parameter_value(field.body)
    parameters[key] = value
    return 0


cdef tuple output_of(Span span, const uint8_t* base):
    """An InferOutputTensor as (name, datatype, shape, parameters, contents)."""
    cdef Field field
    cdef uint64_t value
    cdef list shape = []
    cdef dict parameters = {}
    name, datatype, contents = "", "", None
    while next_field(&span, &field):
        if field.number == 3 and field.wire == 0:
            shape.append(<int64_t>field.value)
        elif field.wire != 2:
            continue
        elif field.number == 1:
            name = text_of(field.body)
        elif field.number == 2:
            datatype = text_of(field.body)
        elif field.number == 3:
            while field.body.at < field.body.end:
                read_varint(&field.body, &value)
                shape.append(<int64_t>value)
        elif field.number == 4:
            add_parameter(parameters, field.body)
        elif field.number == 5:
            contents = (field.body.at - base, field.body.end - base)
    return name, datatype, tuple(shape), parameters, contents


cdef tuple response_of(Span span, const uint8_t* base):
    cdef Field field
    cdef dict parameters = {}
    cdef list outputs = [], raws = []
    name, version, request_id = "", "", ""
    while next_field(&span, &field):
        if field.wire != 2:
            continue
        if field.number == 1:
            name = text_of(field.body)
        elif field.number == 2:
            version = text_of(field.body)
        elif field.number == 3:
            request_id = text_of(field.body)
        elif field.number == 4:
            add_parameter(parameters, field.body)
        elif field.number == 5:
            outputs.append(output_of(field.body, base))
        elif field.number == 6:
            raws.append((field.body.at - base, field.body.end - base))
    return name, version, request_id, parameters, outputs, raws


def decode_response(data not None, bint is_stream):
    """Reads a ModelInferResponse, or a ModelStreamInferResponse.

    Args:
        data: The message: an object with a contiguous buffer.
        is_stream: Whether it is a ModelStreamInferResponse.

    Returns:
        (error message, response); the response is None when the message has none, else (model name,
        version, request id, parameters, outputs, raws). An output is (name, datatype, shape,
        parameters, contents); contents and the items of raws are (start, end) within data.

    Raises:
        ValueError: The bytes are no such message.
    """
    cdef Py_buffer view
    cdef Span span
    cdef Field field
    cdef const uint8_t* base
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        base = span.at = <const uint8_t*>view.buf
        span.end = base + view.len
        if not is_stream:
            return "", response_of(span, base)
        error, response = "", None
        while next_field(&span, &field):
            if field.number == 1 and field.wire == 2:
                error = text_of(field.body)
            elif field.number == 2 and field.wire == 2:
                response = response_of(field.body, base)
        return error, response
    finally:
        PyBuffer_Release(&view)
