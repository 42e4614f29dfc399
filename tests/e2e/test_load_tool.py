"""pytriton-load against servers that are known: it must count rightly and catch wrong answers."""

from __future__ import annotations

import itertools
import struct
import threading

import grpc
import pytest

from e2e.load_peers import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PADDED,
    PING,
    FramePeer,
    HttpPeer,
    frame,
    frame_peer,
    grpc_peer,
    http_peer,
    literal,
    plain_answer,
)

FLOATS_OF_1_MB = 131072


def assert_all_right(result: dict) -> None:
    assert result["right"] > 0
    assert (result["wrong"], result["failed"], result["refused"]) == (0, 0, 0), result
    assert 0 < result["p50_us"] <= result["p99_us"] <= result["p999_us"] <= result["max_us"]


def flip_last_byte(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1])


# --- right answers ------------------------------------------------------------------------------


def test_one_tensor_must_come_back_as_it_was_sent(load):
    with grpc_peer() as peer:
        assert_all_right(load(peer.address, "--identity", "X,Y", "--concurrency", "3"))
    zeros = bytes(64)
    with grpc_peer(lambda answer, _: answer.raw_output_contents.__setitem__(0, zeros)) as peer:
        result = load(peer.address, "--identity", "X,Y", code=1)
        assert "output 'Y': wrong values" in result["first_fault"]


@pytest.mark.parametrize("elements", ["1", "16", str(FLOATS_OF_1_MB)])
def test_grpc_answers_are_right(load, elements):
    with grpc_peer() as peer:
        options = ["--elements", elements, "--concurrency", "6", "--connections", "2"]
        assert_all_right(load(peer.address, *options))


@pytest.mark.parametrize("protocol", ["http", "raw"])
@pytest.mark.parametrize("elements", ["1", "16", str(FLOATS_OF_1_MB)])
def test_http_answers_are_right(load, protocol, elements):
    with http_peer(HttpPeer()) as peer:
        options = ["--protocol", protocol, "--elements", elements, "--concurrency", "3"]
        assert_all_right(load(peer.address, *options))


def test_http_answers_may_come_byte_by_byte(load):
    with http_peer(HttpPeer(pieces=1)) as peer:
        assert_all_right(load(peer.address, "--protocol", "http"))


def test_http_answers_may_be_chunked(load):
    def chunked(number: int, head: bytes, body: bytes) -> bytes:
        parts = [body[:7], body[7:100], body[100:]]
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)
        return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"

    with http_peer(HttpPeer(reply=chunked, pieces=50)) as peer:
        assert_all_right(load(peer.address, "--protocol", "http"))


def test_outputs_may_come_in_another_order(load):
    with http_peer(HttpPeer(swaps_outputs=True)) as peer:
        assert_all_right(load(peer.address, "--protocol", "http"))


def test_heads_may_differ_from_answer_to_answer(load):
    def counted(number: int, head: bytes, body: bytes) -> bytes:
        return head + b"X-Number: %d\r\nContent-Length: %d\r\n\r\n" % (number, len(body)) + body

    with http_peer(HttpPeer(reply=counted)) as peer:
        assert_all_right(load(peer.address, "--protocol", "http"))


def test_a_number_must_be_one_that_may_answer_now(load, tmp_path):
    window = tmp_path / "window"
    options = ["--protocol", "http", "--concurrency", "3", "--number", f"content,{window}"]
    with http_peer(HttpPeer(parameters={"content": "7"})) as peer:
        window.write_bytes(struct.pack("=qq", 7, 7))
        assert_all_right(load(peer.address, *options))
        for lowest, highest in ((8, 9), (1, 6)):
            window.write_bytes(struct.pack("=qq", lowest, highest))
            fault = load(peer.address, *options, code=1)["first_fault"]
            assert f"'content': expected {lowest} to {highest}, got 7" in fault
        window.write_bytes(b"short")
        assert "expected a file of two int64" in load(peer.address, *options, code=2)["error"]
    window.write_bytes(bytes(16))
    with http_peer(HttpPeer()) as peer:
        fault = load(peer.address, *options, code=1)["first_fault"]
        assert "'content': expected a whole number, got ''" in fault


def test_the_number_of_each_answer_counts(load, tmp_path):
    """Answers alternate: a request is never judged by the number of another's answer."""
    window = tmp_path / "window"
    window.write_bytes(struct.pack("=qq", 1, 2))

    def alternating(number: int, head: bytes, body: bytes) -> bytes:
        body = body.replace(b'"content": "1"', b'"content": "%d"' % (1 + number % 3))
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body

    peer = HttpPeer(reply=alternating, parameters={"content": "1"})
    with http_peer(peer):
        options = ["--protocol", "http", "--number", f"content,{window}"]
        result = load(peer.address, *options, code=1)
    assert "expected 1 to 2, got 3" in result["first_fault"]
    assert abs(result["ended"] - 3 * result["wrong"]) <= 3, result


def test_connections_that_end_are_opened_again(load):
    def closing(number: int, head: bytes, body: bytes) -> bytes:
        return head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    with http_peer(HttpPeer(reply=closing, closes=True)) as peer:
        result = load(peer.address, "--protocol", "http", "--concurrency", "2")
        assert_all_right(result)
        assert result["reconnects"] >= result["right"]


def test_unix_sockets(load, tmp_path):
    with http_peer(HttpPeer(), unix_path=str(tmp_path / "socket")) as peer:
        assert_all_right(load(peer.address, "--protocol", "http"))


# --- wrong and missing answers -------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["http", "raw"])
def test_one_flipped_bit_is_found(load, protocol):
    def flipped(number: int, head: bytes, body: bytes) -> bytes:
        body = flip_last_byte(body) if number % 10 == 9 else body
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body

    with http_peer(HttpPeer(reply=flipped)) as peer:
        result = load(peer.address, "--protocol", protocol, code=1)
    assert result["wrong"] > 0
    assert result["right"] > result["wrong"]
    assert "output 'sub': wrong values" in result["first_fault"]


def test_one_flipped_bit_of_a_large_answer_is_found(load):
    numbers = itertools.count()

    def flip(answer, context) -> None:
        if next(numbers) % 5 == 4:
            blob = answer.raw_output_contents[0]
            middle = len(blob) // 2
            changed = blob[:middle] + bytes([blob[middle] ^ 1]) + blob[middle + 1 :]
            answer.raw_output_contents[0] = changed

    with grpc_peer(flip) as peer:
        result = load(peer.address, "--elements", str(FLOATS_OF_1_MB), code=1)
    assert result["wrong"] > 0
    assert result["right"] > result["wrong"]
    assert "output 'add': wrong values" in result["first_fault"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda answer: answer.outputs.pop(), "expected 2 outputs"),
        (lambda answer: answer.raw_output_contents.pop(), "2 raw_output_contents, got 2 and 1"),
        (lambda answer: answer.outputs[0].shape.append(1), "expected shape 1 16, got 1 16 1"),
        (lambda answer: setattr(answer.outputs[0], "name", "sub"), "one twice"),
        (lambda answer: setattr(answer.outputs[0], "name", "x"), "got the output 'x'"),
        (lambda answer: setattr(answer.outputs[0], "datatype", "FP64"), "got 'FP64'"),
    ],
)
def test_a_wrong_description_is_wrong(load, change, fault):
    with grpc_peer(lambda answer, context: change(answer)) as peer:
        result = load(peer.address, code=1)
    assert result["right"] == 0
    assert fault in result["first_fault"]


def test_an_answer_before_its_request_is_a_failure(load):
    def twice(number: int, head: bytes, body: bytes) -> bytes:
        return (head + b"Content-Length: %d\r\n\r\n" % len(body) + body) * 2

    with http_peer(HttpPeer(reply=twice)) as peer:
        result = load(peer.address, "--protocol", "http", code=1)
    assert result["failed"] > 0
    assert "nobody asked for" in result["first_fault"]


@pytest.mark.parametrize(
    ("status", "outcome"), [(503, "refused"), (429, "refused"), (500, "failed")]
)
def test_http_errors_are_told_apart(load, status, outcome):
    def refuse(number: int, head: bytes, body: bytes) -> bytes:
        return b'HTTP/1.1 %d No\r\nContent-Length: 15\r\n\r\n{"error":"why"}' % status

    with http_peer(HttpPeer(reply=refuse)) as peer:
        code = 0 if outcome == "refused" else 1
        result = load(peer.address, "--protocol", "http", code=code)
    assert result[outcome] > 0
    assert result["right"] == 0
    assert result["first_fault"] == f'HTTP {status}: {{"error":"why"}}'


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (grpc.StatusCode.UNAVAILABLE, "refused"),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "refused"),
        (grpc.StatusCode.INTERNAL, "failed"),
    ],
)
def test_grpc_errors_are_told_apart(load, status, outcome):
    with grpc_peer(lambda answer, context: context.abort(status, "why")) as peer:
        result = load(peer.address, code=0 if outcome == "refused" else 1)
    assert result[outcome] > 0
    assert result["right"] == 0
    assert result["first_fault"] == f"gRPC status {status.value[0]}: why"


def test_a_server_that_does_not_answer_is_given_up(load):
    with frame_peer(FramePeer(answer=lambda stream, message: b"")) as peer:
        result = load(peer.address, "--timeout", "0.2", code=3)
    assert "no answer for" in result["error"]


# --- HTTP/2 --------------------------------------------------------------------------------------


def test_strange_but_legal_frames_are_understood(load):
    def strange(stream: int, message: bytes) -> bytes:
        head = b"\x88" + literal("content-type", "application/grpc")
        trailers = literal("grpc-status", "0")
        return (
            frame(PING, 0, 0, b"12345678")
            + frame(HEADERS, 0, stream, head[:5])
            + frame(CONTINUATION, END_HEADERS, stream, head[5:])
            + frame(DATA, 0, stream)
            + frame(DATA, PADDED, stream, b"\x03" + message[:3] + b"\0\0\0")
            + frame(0xEE, 0xFF, stream, b"unknown frames are ignored")
            + frame(DATA, PADDED, stream, b"\x00" + message[3:])
            + frame(HEADERS, END_HEADERS | END_STREAM | PADDED, stream, b"\1" + trailers + b"\0")
        )

    with frame_peer(FramePeer(answer=strange)) as peer:
        result = load(peer.address, "--concurrency", "4")
    assert_all_right(result)
    assert (PING, 1) in peer.others  # acknowledged


def test_header_tables_are_used_where_allowed(load):
    with frame_peer(FramePeer(answer=plain_answer)) as peer:
        assert_all_right(load(peer.address))
    assert len(peer.blocks[0]) > 50
    assert all(len(block) == 6 for block in peer.blocks[1:])


def test_header_tables_are_not_used_where_forbidden(load):
    settings = struct.pack(">HI", 1, 0)  # SETTINGS_HEADER_TABLE_SIZE
    with frame_peer(FramePeer(answer=plain_answer, settings=settings)) as peer:
        assert_all_right(load(peer.address))
    assert peer.blocks[0][0] == 0x20  # the table's new size, RFC 7541 section 4.2
    assert all(b"ModelInfer" in block for block in peer.blocks)


def test_small_windows_hold_messages_back(load):
    """With a window smaller than a message nothing can be answered: it must wait, not overrun."""
    settings = struct.pack(">HI", 4, 100)  # SETTINGS_INITIAL_WINDOW_SIZE
    sizes: list[int] = []

    def no_answer(stream: int, message: bytes) -> bytes:
        sizes.append(len(message))
        return b""

    with frame_peer(FramePeer(answer=no_answer, settings=settings)) as peer:
        load(peer.address, "--timeout", "0.2", code=3)
    assert sizes == []


def test_a_limit_on_streams_is_told(load):
    settings = struct.pack(">HI", 3, 4)  # SETTINGS_MAX_CONCURRENT_STREAMS
    with frame_peer(FramePeer(answer=plain_answer, settings=settings)) as peer:
        assert_all_right(load(peer.address, "--concurrency", "4"))
        result = load(peer.address, "--concurrency", "5", code=2)
    assert "takes only 4 requests on 1 connections" in result["error"]


def test_a_server_that_goes_away_is_followed(load):
    def last(stream: int, message: bytes) -> bytes:
        away = frame(GOAWAY, 0, 0, struct.pack(">II", stream, 0)) if stream > 20 else b""
        return away + plain_answer(stream, message)

    with frame_peer(FramePeer(answer=last)) as peer:
        result = load(peer.address)
    assert_all_right(result)
    assert result["reconnects"] > 0


# --- modes ---------------------------------------------------------------------------------------


def test_an_open_loop_starts_no_more_than_is_due(load):
    with grpc_peer() as peer:
        options = ["--rate", "200", "--concurrency", "50", "--duration", "0.5"]
        result = load(peer.address, *options)
    assert_all_right(result)
    assert result["ended"] + result["not_started"] <= 200 * 0.55 + 1


def test_an_open_loop_tells_what_it_could_not_start(load):
    with http_peer(HttpPeer()) as peer:
        result = load(peer.address, "--protocol", "http", "--rate", "1000000")
    assert_all_right(result)
    assert result["not_started"] > 0


def test_idle_connections_stay_open_beside_the_load(load):
    with http_peer(HttpPeer()) as peer:
        options = ["--concurrency", "2", "--idle-connections", "20"]
        result = load(peer.address, "--protocol", "http", *options)
    assert_all_right(result)
    assert peer.accepted == 22
    assert result["idle_closed"] == 0


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_vanishing_clients_leave_requests_behind(load, protocol):
    options = ["--concurrency", "16", "--vanish-after", "5", "--protocol", protocol]
    with grpc_peer() if protocol == "grpc" else http_peer(HttpPeer()) as peer:
        result = load(peer.address, *options)
    assert result["vanish_rounds"] > 1
    assert result["vanished"] == 16 * result["vanish_rounds"]


def test_the_first_answer_is_waited_for(load):
    refusals = threading.Semaphore(5)

    def late(number: int, head: bytes, body: bytes) -> bytes:
        if refusals.acquire(blocking=False):
            return b"HTTP/1.1 503 Not yet\r\nContent-Length: 0\r\n\r\n"
        return head + b"Content-Length: %d\r\n\r\n" % len(body) + body

    with http_peer(HttpPeer(reply=late)) as peer:
        result = load(peer.address, "--protocol", "http", "--first-answer", "30")
    assert result["first_answer_monotonic_ns"] > 0
    assert peer.answered == 6
