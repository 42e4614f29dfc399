"""What the clients encode and decode, against tritonclient's protobuf; then everything hostile."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tritonclient.grpc import service_pb2

from pytriton import _codec, _http1, _http2, _infer_proto
from pytriton.client import _grpc, _protobuf
from pytriton.client._call import InferRequest, InferTensor
from pytriton.client._tensors import array_of, array_of_list, contents_of, wire_type
from pytriton.client.exceptions import PyTritonClientInferenceServerError

ELEMENTS = st.lists(st.binary(max_size=20), max_size=20)
FUZZ = settings(max_examples=200, deadline=None)
MESSAGE = service_pb2.ModelInferResponse(
    model_name="m",
    model_version="1",
    id="7",
    outputs=[{"name": "y", "datatype": "FP32", "shape": [1, 2]}],
    raw_output_contents=[b"12345678"],
)
MESSAGE.parameters["text"].string_param = "é"
MESSAGE.parameters["int"].int64_param = -5
MESSAGE.parameters["big"].uint64_param = 1 << 63
MESSAGE.parameters["flag"].bool_param = True
MESSAGE.parameters["real"].double_param = 0.5


@given(ELEMENTS)
def test_bytes_survive_the_round_trip(items):
    encoded = _codec.encode_bytes(items)
    assert _codec.decode_bytes(encoded, len(items)) == items


@given(ELEMENTS)
def test_fixed_size_strings_are_sent_without_their_padding(items):
    array = np.array(items, "S20")
    encoded = contents_of(array, "BYTES", "x")
    assert _codec.decode_bytes(encoded, len(items)) == array.tolist()


@given(st.binary(max_size=60), st.integers(-3, 20))
@FUZZ
def test_no_bytes_tensor_of_a_server_is_believed(data, count):
    with contextlib.suppress(ValueError):
        items = _codec.decode_bytes(data, count)
        assert len(items) == count
        assert _codec.encode_bytes(items) == data


def test_other_objects_than_bytes_are_named():
    for wrong in ("text", None, 7):
        array = np.array([b"fine", wrong], object)
        with pytest.raises(RuntimeError, match="'x' input with dtype=object should contain"):
            contents_of(array, "BYTES", "x")
    with pytest.raises(RuntimeError, match="Unicode inputs are not supported"):
        wire_type(np.array(["text"]), "x")
    with pytest.raises(RuntimeError, match="complex64"):
        wire_type(np.zeros(1, np.complex64), "x")


def test_numeric_tensors_are_not_copied():
    array = np.arange(6, dtype=np.float32)
    assert contents_of(array, "FP32", "x") is array
    back = array_of(array, 0, 24, "FP32", (2, 3))
    assert np.shares_memory(array, back)
    unaligned = array_of(b"\0" + array.tobytes(), 1, 25, "FP32", (6,))
    assert unaligned.flags.aligned
    assert unaligned.tolist() == array.tolist()
    swapped = array.astype(">f4")
    assert wire_type(swapped, "x") == "FP32"
    assert bytes(memoryview(contents_of(swapped, "FP32", "x"))) == array.tobytes()


@pytest.mark.parametrize(
    ("datatype", "shape", "size"),
    [("FP32", (2,), 4), ("FP32", (-1, -4), 16), ("FP32", (1 << 40, 1 << 40), 4), ("FP9", (1,), 4)],
)
def test_tensors_that_do_not_fit_are_errors(datatype, shape, size):
    with pytest.raises(PyTritonClientInferenceServerError, match=datatype):
        array_of(b"x" * size, 0, size, datatype, shape)


def test_tensors_in_json_are_checked_too():
    assert array_of_list([["a"], ["é"]], "BYTES", (2,)).tolist() == [b"a", "é".encode()]
    assert array_of_list([1, 2], "INT8", (2, 1)).dtype == np.int8
    for values, datatype in (([1], "INT8"), (["a", {}], "FP32"), ([1, 2], "NO"), ({}, "INT8")):
        with pytest.raises(PyTritonClientInferenceServerError):
            array_of_list(values, datatype, (2,))


def request(**more) -> InferRequest:
    array = np.arange(4, dtype=np.int64)
    tensors = [
        InferTensor("a", "INT64", (1, 4), array),
        InferTensor("r", "FP32", (300,), region=("region", 8, 1200)),
        InferTensor("big", "UINT8", (40000,), np.full(40000, 7, np.uint8)),
    ]
    return InferRequest("model", "3", "id", tensors, ["y", "z"], **more)


def test_requests_are_what_protobuf_reads():
    speaker = _grpc.GrpcSpeaker({})
    made = request(
        parameters={"s": "é", "i": -3, "b": True, "f": False, "e": ""},
        output_regions={"z": ("region", 0, 16)},
    )
    framed = b"".join(memoryview(part).cast("B") for part in speaker.message(made))
    assert framed[:5] == b"\0" + (len(framed) - 5).to_bytes(4, "big")
    read = service_pb2.ModelInferRequest.FromString(framed[5:])
    assert (read.model_name, read.model_version, read.id) == ("model", "3", "id")
    assert read.parameters["s"].string_param == "é"
    assert read.parameters["i"].int64_param == -3
    assert read.parameters["b"].bool_param is True
    assert read.parameters["f"].WhichOneof("parameter_choice") == "bool_param"
    assert read.parameters["e"].WhichOneof("parameter_choice") == "string_param"
    assert [list(tensor.shape) for tensor in read.inputs] == [[1, 4], [300], [40000]]
    assert read.inputs[1].parameters["shared_memory_offset"].int64_param == 8
    assert [output.name for output in read.outputs] == ["y", "z"]
    assert read.outputs[1].parameters["shared_memory_byte_size"].int64_param == 16
    assert list(read.raw_input_contents) == [np.arange(4).tobytes(), b"\7" * 40000]


def test_responses_are_what_protobuf_wrote():
    error, response = _infer_proto.decode_response(MESSAGE.SerializeToString(), False)
    name, version, request_id, parameters, outputs, raws = response
    assert (error, name, version, request_id) == ("", "m", "1", "7")
    assert parameters == {"text": "é", "int": -5, "big": 1 << 63, "flag": True, "real": 0.5}
    assert outputs == [("y", "FP32", (1, 2), {}, None)]
    start, end = raws[0]
    assert MESSAGE.SerializeToString()[start:end] == b"12345678"
    stream = service_pb2.ModelStreamInferResponse(error_message="no", infer_response=MESSAGE)
    error, response = _infer_proto.decode_response(stream.SerializeToString(), True)
    assert (error, response[3]) == ("no", parameters)


@given(st.data())
@FUZZ
def test_no_response_of_a_server_is_believed(data):
    """Damaged messages are read or refused; whatever is told lies within them."""
    whole = bytearray(MESSAGE.SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at] = data.draw(st.integers(0, 255))
    whole = whole[: data.draw(st.integers(0, len(whole)))]
    with contextlib.suppress(ValueError):
        _, response = _infer_proto.decode_response(whole, False)
        for start, end in response[5]:
            assert 0 <= start <= end <= len(whole)
        with contextlib.suppress(PyTritonClientInferenceServerError):
            _grpc._outputs_of(whole, response, ())
    with contextlib.suppress(ValueError):
        _protobuf.decode(bytes(whole), _grpc.CONFIG_RESPONSE)


def feed(session, data: bytes, step: int) -> None:
    """Gives bytes to a session as a socket would."""
    while data:
        buffer = session.get_buffer()
        assert len(buffer) > 0
        count = min(len(buffer), len(data), step)
        buffer[:count] = data[:count]
        assert isinstance(buffer, memoryview)  # asyncio's TLS slices it
        session.buffer_updated(count)
        data = data[count:]


REPLIES = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nInference-Header-Content-Length: 2\r\n\r\nhello",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    b"3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nt: v\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
)


@pytest.mark.parametrize("step", [1, 7, 1000])
@pytest.mark.parametrize("reply", REPLIES)
def test_http_replies_are_read_however_they_come(reply, step):
    session = _http1.Http1Session()
    session.begin()
    feed(session, reply, step)
    if b"close" in reply:
        session.eof_received()
    assert session.is_done
    assert (session.status, bytes(session.body)) == (200, b"hello")
    assert session.is_reusable == (b"close" not in reply)


# Heads that are, begin with, or are the beginning of the one before.
IN_A_ROW = (
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5", b"hello"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5", b"world"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: 1", b"again"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: 1", b"twice"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5", b"first"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 50", b"0123456789" * 5),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 20000", bytes(range(250)) * 80),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 20000", bytes(range(249, -1, -1)) * 80),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0", b""),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 0", b""),
    (b"HTTP/1.1 404 Not Found\r\nContent-Length: 5", b"error"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 5", b"hello"),
)


@pytest.mark.parametrize("step", [1, 7, 45, 1000, 100_000])
def test_http_replies_in_a_row_are_each_its_own(step):
    session = _http1.Http1Session()
    bodies = []
    for head, body in IN_A_ROW:
        session.begin()
        feed(session, head + b"\r\n\r\n" + body, step)
        assert session.is_done
        assert session.is_reusable
        assert session.status == int(head[9:12])
        assert session.headers["content-length"] == str(len(body))
        assert ("x" in session.headers) == (b"X:" in head)
        bodies.append(session.body)
    assert [bytes(body) for body in bodies] == [body for _, body in IN_A_ROW]


@pytest.mark.parametrize(
    "reply",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffff\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"x" * 70000,
    ],
)
def test_http_replies_that_are_none_are_refused(reply):
    session = _http1.Http1Session()
    session.begin()
    with pytest.raises(ValueError, match="expected"):
        feed(session, reply, 5000)


@given(st.data())
@FUZZ
def test_http_sessions_survive_any_bytes(data):
    session = _http1.Http1Session()
    session.begin()
    reply = bytearray(data.draw(st.sampled_from(REPLIES)))
    for _ in range(data.draw(st.integers(0, 3))):
        reply[data.draw(st.integers(0, len(reply) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        feed(session, bytes(reply) + data.draw(st.binary(max_size=9)), data.draw(st.integers(1, 9)))
        session.eof_received()
        assert session.is_done


FIELDS = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/x"), (b":authority", b"a")]
# A server's frames: SETTINGS; HEADERS with :status 200; DATA with a gRPC message; trailers.
FRAMES = (
    b"\0\0\0\4\0\0\0\0\0",
    b"\0\0\1\1\4\0\0\0\1\x88",
    b"\0\0\x08\0\0\0\0\0\1" + b"\0\0\0\0\3abc",
    b"\0\0\x0f\1\5\0\0\0\1" + b"\0\x0bgrpc-status\x010",
)


def test_http2_sessions_put_messages_together():
    session = _http2.Http2Session()
    stream = session.request(FIELDS, [b"body"])
    assert b"".join(session.take_output()).startswith(b"PRI * HTTP/2.0")
    feed(session, b"".join(FRAMES), 3)
    assert stream.is_closed
    assert stream.fields == {b":status": b"200", b"grpc-status": b"0"}
    assert [(flag, bytes(message)) for flag, message in stream.messages] == [(0, b"abc")]
    assert (session.open_streams, session.is_usable) == (0, True)


@given(st.data())
@FUZZ
def test_http2_sessions_survive_any_bytes(data):
    session = _http2.Http2Session()
    session.request(FIELDS, [b"body"])
    session.take_output()
    frames = bytearray(b"".join(data.draw(st.lists(st.sampled_from(FRAMES), max_size=6))))
    for _ in range(data.draw(st.integers(0, 3)) if frames else 0):
        frames[data.draw(st.integers(0, len(frames) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(ValueError):
        feed(session, bytes(frames) + data.draw(st.binary(max_size=20)), 7)
        session.take_output()
        session.eof_received()
