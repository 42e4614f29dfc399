"""Http2Session: large messages in place, header fields, and what an answer is."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytriton import _http2

FIELDS = [(b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/m"), (b":authority", b"h")]
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, WINDOW_UPDATE = 0, 1, 4, 8
END_STREAM, PADDED = 1, 8
OK = b"\0\0\1\1\4\0\0\0\1\x88"
TRAILERS = b"\0\0\x0f\1\5\0\0\0\1" + b"\0\x0bgrpc-status\x010"


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


HELLO = frame(SETTINGS, 0, 0, b"") + frame(SETTINGS, 1, 0, b"")  # its own, and that it took ours


def setting(number: int, value: int) -> bytes:
    return struct.pack(">HI", number, value)


def window(stream: int, size: int) -> bytes:
    return frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", size))


def feed(session: _http2.Http2Session, data: bytes, step: int) -> None:
    """Gives bytes to a session as a socket would."""
    at = 0
    while at < len(data):
        buffer = session.get_buffer()
        count = min(len(buffer), len(data) - at, step)
        buffer[:count] = data[at : at + count]
        session.buffer_updated(count)
        at += count


def numbers(size: int) -> bytes:
    return np.arange(size // 4 + 1, dtype=np.uint32).tobytes()[:size]


SIZES = st.one_of(st.integers(0, 300), st.integers(0, 400_000))
FRAME_SIZES = st.sampled_from([9, 16_384, 40_000, 100_000, 1 << 20])


@given(st.lists(SIZES, min_size=1, max_size=3), FRAME_SIZES, st.booleans(), st.data())
@settings(max_examples=150, deadline=None)
def test_messages_arrive_whole_whatever_the_frames_and_pieces(sizes, frame_size, is_padded, data):
    messages = [numbers(size) for size in sizes]
    body = b"".join(struct.pack(">BI", 0, len(message)) + message for message in messages)
    if frame_size < 100:
        body = body[:0] if len(body) > 20_000 else body
        messages = messages if body else []
    frames = [HELLO, OK]
    for start in range(0, len(body), frame_size):
        payload = body[start : start + frame_size]
        if is_padded and len(payload) < 1 << 20:
            frames.append(frame(DATA, PADDED, 1, b"\3" + payload + bytes(3)))
        else:
            frames.append(frame(DATA, 0, 1, payload))
    session = _http2.Http2Session()
    stream = session.request(FIELDS, [b"body"])
    session.take_output()
    step = data.draw(st.sampled_from([1 << 30, 65_536, 10_007] if body else [7]))
    feed(session, b"".join(frames) + TRAILERS, step)
    assert stream.is_closed
    assert [bytes(message) for _, message in stream.messages] == messages


def sent_body(session: _http2.Http2Session, credit: int) -> tuple[bytes, list[memoryview]]:
    """Plays a server that permits `credit` bytes at a time; gives the body and the views in it."""
    output = bytearray()
    views = []
    body = bytearray()
    at = len(PREFACE)
    while True:
        for part in session.take_output():
            if isinstance(part, memoryview):
                views.append(part)
            output += part
        while at + 9 <= len(output):
            size = int.from_bytes(output[at : at + 3], "big")
            kind, flags = output[at + 3], output[at + 4]
            if kind == DATA:
                body += output[at + 9 : at + 9 + size]
                if flags & END_STREAM:
                    return bytes(body), views
            at += 9 + size
        assert at == len(output)
        feed(session, window(0, credit) + window(1, credit), 1 << 30)


@given(
    st.lists(SIZES, min_size=1, max_size=4),
    st.sampled_from([16_384, 100_000, 1 << 20]),
    st.sampled_from([1_000, 30_000, 1 << 20]),
)
@settings(max_examples=100, deadline=None)
def test_bodies_are_sent_whole_whatever_the_server_permits(sizes, max_frame, credit):
    parts = [numbers(size) for size in [*sizes, 1]]
    session = _http2.Http2Session()
    feed(session, frame(SETTINGS, 0, 0, setting(5, max_frame) + setting(4, 20_000)), 1 << 30)
    session.request(FIELDS, list(parts))
    assert sent_body(session, credit)[0] == b"".join(parts)


def test_large_tensors_are_sent_from_where_they_lie():
    tensor = np.arange(100_000, dtype=np.float32)
    session = _http2.Http2Session()
    feed(session, frame(SETTINGS, 0, 0, setting(5, 1 << 20)), 1 << 30)
    session.request(FIELDS, [b"head", tensor])
    body, views = sent_body(session, 1 << 20)
    assert body == b"head" + tensor.tobytes()
    assert sum(len(view) for view in views) == tensor.nbytes
    assert all(np.shares_memory(np.frombuffer(view, np.uint8), tensor) for view in views)


def test_large_messages_are_received_where_they_stay():
    message = numbers(1_000_000)
    session = _http2.Http2Session()
    stream = session.request(FIELDS, [b"body"])
    session.take_output()
    payload = struct.pack(">BI", 0, len(message)) + message
    data = HELLO + OK + frame(DATA, 0, 1, payload) + TRAILERS
    buffers = []
    at = 0
    while at < len(data):
        buffer = session.get_buffer()
        count = min(len(buffer), len(data) - at)
        buffer[:count] = data[at : at + count]
        buffers.append(np.frombuffer(buffer, np.uint8))
        session.buffer_updated(count)
        at += count
    received = stream.messages[0][1]
    assert bytes(received) == message
    in_place = [buffer for buffer in buffers if np.shares_memory(buffer, received)]
    assert sum(len(buffer) for buffer in in_place) > 900_000


def headers(stream: int, flags: int, fields: list[tuple[bytes, bytes]]) -> bytes:
    literals = [
        b"\0" + bytes([len(name)]) + name + bytes([len(value)]) + value for name, value in fields
    ]
    return frame(HEADERS, 4 | flags, stream, b"".join(literals))


FIELD = st.tuples(
    st.sampled_from([b"a", b"b", b"grpc-status"]), st.sampled_from([b"", b"0", b"01"])
)
FIELDS_OF_ONE = st.lists(FIELD, max_size=20)


@given(st.lists(st.tuples(FIELDS_OF_ONE, FIELDS_OF_ONE), min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_fields_of_a_stream_are_its_own_however_alike_others_are(answers):
    session = _http2.Http2Session()
    feed(session, HELLO, 1 << 30)
    for head, trailers in answers:
        stream = session.request(FIELDS, [b"body"])
        session.take_output()
        data = headers(stream.id, 0, [(b":status", b"200"), *head])
        feed(session, data + headers(stream.id, END_STREAM, trailers), 1 << 30)
        assert stream.is_closed
        assert stream.fields == dict([(b":status", b"200"), *head, *trailers])


def blocks_of(output: bytes) -> list[bytes]:
    """Header blocks in what a session sent."""
    found = []
    at = len(PREFACE)
    while at < len(output):
        size = int.from_bytes(output[at : at + 3], "big")
        if output[at + 3] == HEADERS:
            found.append(output[at + 9 : at + 9 + size])
        at += 9 + size
    return found


def test_fields_are_sent_though_nobody_else_keeps_them():
    sent = []
    for is_at_once in (True, False):
        session = _http2.Http2Session()
        output = []
        for number in range(50):
            fields = [*FIELDS, (b"name-%d" % number, b"value of %d" % number)]
            session.request(fields, [b"body"])
            del fields
            if is_at_once:
                output += session.take_output()
        rubbish = [b"rubbish %d" % number for number in range(500)]
        output += session.take_output()
        sent.append(blocks_of(b"".join(output)))
        assert len(rubbish) == 500
    assert len(sent[0]) == 50
    assert sent[0] == sent[1]


@pytest.mark.parametrize(
    ("messages", "trailers", "answer"),
    [
        ([(0, b"abc")], [(b"grpc-status", b"0")], b"abc"),
        ([(0, b"")], [(b"grpc-status", b"0")], b""),
        ([(1, b"abc")], [(b"grpc-status", b"0")], None),  # compressed
        ([(0, b"abc"), (0, b"d")], [(b"grpc-status", b"0")], None),
        ([], [(b"grpc-status", b"0")], None),
        ([(0, b"abc")], [(b"grpc-status", b"13")], None),
        ([(0, b"abc")], [(b"x", b"y")], None),
        ([(0, b"abc")], None, None),  # not closed
    ],
)
def test_an_answer_is_one_message_of_a_call_that_went_well(messages, trailers, answer):
    session = _http2.Http2Session()
    feed(session, HELLO, 1 << 30)
    stream = session.request(FIELDS, [b"body"])
    session.take_output()
    data = headers(1, 0, [(b":status", b"200")])
    for flag, message in messages:
        data += frame(DATA, 0, 1, struct.pack(">BI", flag, len(message)) + message)
    if trailers is not None:
        data += headers(1, END_STREAM, trailers)
    feed(session, data, 1 << 30)
    assert stream.answer == answer
