"""The channel of a worker, in Python and in C++: what it receives and sends."""

from __future__ import annotations

import contextlib
import os
import struct
import threading

import numpy as np
import pytest

from python.fake_channel import host_of
from python.worker_kit import (
    BATCHES,
    CODE,
    FROM_HEAD,
    KINDS,
    LARGE,
    READER,
    RING_BYTES,
    SMALL,
    Side,
    batch,
    request,
    tensor,
)
from pytriton.backends import _messages as messages
from pytriton.backends import _native
from pytriton.backends._hot_link import HotLink
from pytriton.backends.python.host import _CLASSES
from pytriton.backends.python.request import ServedRequest


@pytest.fixture(params=KINDS)
def side(request: pytest.FixtureRequest) -> Side:
    return Side(request.param)


# --- Receiving.


def plain(requests: list) -> list:
    """Requests with the bytes of their tensors, wherever they lie."""
    inputs = [[(*raw[:3], bytes(raw[3])) for raw in one.inputs] for one in requests]
    return [inputs, [one._replace(inputs=()) for one in requests]]


def parameters() -> tuple[bytes, int]:
    count, values = messages.pack_parameters('{"a": 1, "b": true, "c": "text", "d": 2.5}')
    trace = struct.pack("<HB", len(messages._TRACE), 3) + messages._TRACE.encode()
    return values + trace + messages.pack_text("{}"), count + 1


REQUESTS = {
    "plain": [request(7, [tensor(0, SMALL)])],
    "all fields": [
        request(
            1 << 63,
            [tensor(0, SMALL), tensor(1, np.arange(3))],
            id="näme",
            text="sequence",
            wanted=[1],
            timeout=1 << 40,
            flags=3,
            parameters=parameters(),
        )
    ],
    "numbers": [request(8, [tensor(0, SMALL)], correlation=(1 << 64) - 1, wanted=[])],
    "scalar and empty": [
        request(9, [tensor(0, np.array(1, np.float32)), tensor(1, np.zeros((0, 4), np.int64))])
    ],
    "several": [request(key, [tensor(0, SMALL * key)]) for key in range(5)],
    "no inputs": [request(1, [])],
    "no requests": [],
}


@pytest.mark.parametrize("name", REQUESTS)
def test_a_batch_is_read_as_the_decoder_in_python_reads_it(side: Side, name: str):
    content = batch(3, REQUESTS[name])
    decoder = messages.Decoder(None)
    decoder.set_names(["X", "Z"], ["Y", "T"])
    side.put(messages.BATCH, content)
    code, requests = side.link.receive(1)
    assert code == messages.BATCH
    assert plain(requests) == plain(decoder.batch(memoryview(content))[1])
    assert [type(one).__name__ for one in requests] == ["RawRequest"] * len(requests)
    for one in requests:
        assert not any(memoryview(raw[3]).readonly for raw in one.inputs)


def text_tensor(elements: list[bytes]) -> bytes:
    data = b"".join(struct.pack("<I", len(one)) + one for one in elements)
    head = messages._TENSOR.pack(1, 13, 1, 0, 0, 0, 0, len(data))
    return head + struct.pack("<q", len(elements)) + data


def bfloat_tensor() -> bytes:
    return messages._TENSOR.pack(1, 14, 1, 0, 0, 0, 0, 4) + struct.pack("<q", 2) + b"abcd"


SEEN = {
    **REQUESTS,
    "text": [request(1, [tensor(0, SMALL), text_tensor([b"a", b"longer"])])],
    "bfloat16": [request(1, [tensor(0, SMALL), bfloat_tensor()])],
}


def seen(tensor_seen) -> tuple:
    try:
        array = tensor_seen.as_numpy()
    except Exception as error:
        return tensor_seen.name(), type(error)
    assert array is tensor_seen.as_numpy()
    flags = array.flags.writeable, array.flags.c_contiguous
    return tensor_seen.name(), tensor_seen.shape(), array.dtype, array.tolist(), flags, array.shape


@pytest.mark.parametrize("name", SEEN)
def test_a_model_sees_its_requests_as_in_python(side: Side, name: str):
    twin = Side("twin")
    found = []
    for one in (side, twin):
        one.put(messages.BATCH, batch(3, SEEN[name]) + b"\0" * 8)
        _, raws = one.link.receive(1)
        requests = one.link.make_requests(raws, "host", _CLASSES)
        assert [type(each) for each in requests] == [ServedRequest] * len(raws)
        assert [each._raw for each in requests] == raws
        facts = [(each._host, each._sender, each._release) for each in requests]
        names = [sorted(each.requested_output_names()) for each in requests]
        assert all(each.inputs() is each.inputs() for each in requests)
        found.append((facts, names, [list(map(seen, each.inputs())) for each in requests]))
    assert found[0] == found[1]


def test_what_is_no_request_is_refused(side: Side):
    for junk in ([5], [()], [("k", "i", ((1, 2),))], [("k", "i", (("X", 11, (3,), b"ab"),))]):
        if isinstance(side.link, HotLink):
            made = None
            with contextlib.suppress(Exception):
                made = side.link.make_requests(junk, "host", _CLASSES)
            assert made is None or made[0].inputs()[0]._array is None


def test_rows_are_read(side: Side):
    head = struct.pack("<II", 3, 3 | messages.ROWS) + request(0, [tensor(0, SMALL)])
    rows = b"".join(struct.pack("<Q", key) + (SMALL + key).tobytes() for key in (1, 2))
    side.put(messages.BATCH, head + rows)
    _, requests = side.link.receive(1)
    contents = [bytes(one.inputs[0][3]) for one in requests]
    assert contents == [(SMALL + key).tobytes() for key in range(3)]


def test_large_messages_are_read_where_they_lie(side: Side):
    content = batch(3, [request(5, [tensor(0, SMALL)])])
    side.pool[4096 : 4096 + len(content)] = content
    side.put(messages.BATCH | 0x80000000, struct.pack("<QQI", 4096, len(content), 9))
    _, requests = side.link.receive(1)
    assert requests[0].key == 5
    assert side.take() == [(messages.RETURN_INPUTS, struct.pack("<II", 1, 9))]


def test_other_messages_come_as_bytes_in_their_order(side: Side):
    texts = [b"x" * size for size in range(0, 60_000, 7_001)] * 6  # more than once around
    for text in texts:
        side.put(messages.SETUP, text)
        assert side.link.receive(1) == (messages.SETUP, text)


def test_waits_for_a_message_and_no_longer_than_it_is_told(side: Side):
    assert side.link.receive(0.001) is None
    seen = threading.Event()

    def put() -> None:
        while side.words[17] == 0:  # it sleeps
            seen.wait(0.001)
        side.put(messages.SETUP, b"late")
        # It is woken as the server does it.
        from pytriton.backends._ring import _FUTEX, _FUTEX_WAKE, _syscall, address_of

        _syscall(_FUTEX, address_of(side.memory.obj), _FUTEX_WAKE, 1, None)

    thread = threading.Thread(target=put)
    thread.start()
    while True:
        message = side.link.receive(30)
        if message is not None:
            break
    thread.join()
    assert message == (messages.SETUP, b"late")


# --- Sending.


def test_an_idle_server_is_told_of_a_loan_that_has_ended(side: Side):
    side.put(messages.BATCH, batch(3, [request(5, [side.lend(7, 4096, LARGE)])]))
    _, requests = side.link.receive(1)
    kept = requests[0].inputs[0][3]
    requests.clear()
    side.link.end_batch(None)
    side.take()
    side.rings()
    del kept
    assert side.link.receive(0.001) is None
    assert side.take() == [(messages.RETURN_INPUTS, struct.pack("<II", 1, 7))]
    assert side.rings() == [1, 0]


def test_a_full_ring_is_waited_for(side: Side):
    count = 40
    payloads = [bytes([number]) * (RING_BYTES // 16) for number in range(count)]
    writers = [
        threading.Thread(target=lambda half=half: [side.link._ring.send(4, p) for p in half])
        for half in (payloads[::2], payloads[1::2])
    ]
    for writer in writers:
        writer.start()
    found: list[bytes] = []
    while len(found) < count:
        found += [data for _, data in side.take()]
    for writer in writers:
        writer.join()
    assert sorted(found) == payloads
    assert side.words[FROM_HEAD] % 8 == 0


def test_bells_are_rung_for_those_that_wait_for_them(side: Side):
    ring = side.link._ring
    for reader, expected in ((0, [1, 0]), (1, [0, 0]), (4 + 8, [0, 1]), (5 + 16, [0, 1])):
        side.words[READER] = reader
        ring.send(4, b"")
        assert side.rings() == expected
    ring.send(4, b"")
    assert side.rings() == [0, 0]  # for this wait it was rung already
    ring.send(4, b"", False)
    assert len(side.take()) == 6


def test_large_messages_go_where_results_lie(side: Side):
    side.link._ring.send(4, b"x" * RING_BYTES)
    assert side.take() == [(4, b"x" * RING_BYTES)]


def test_flags_are_read(side: Side):
    side.memory[4096 + 5] = 1
    side.words[50] = 1 << 2
    assert [side.link.is_cancelled(key) for key in (5, 6, (1 << 20) + 5)] == [True, False, True]
    assert [side.link.is_logged(level) for level in range(4)] == [False, False, True, False]


def test_a_fork_of_the_worker_sends_nothing(side: Side, tmp_path):
    host, _ = host_of(
        tmp_path, CODE + "        return [respond(y(a)) for a in x]\n", channel=side.link
    )
    side.put(messages.BATCH, batch(3, BATCHES["three"]))
    _, requests = side.link.receive(1)
    side.link._ring.leave()
    host.execute(requests)
    side.link._ring.send(4, b"x")
    side.link.log(0, "f", 1, "x")
    assert side.take() == []
    assert side.rings() == [0, 0]


def test_the_module_is_not_taken_where_it_is_not_wanted(monkeypatch):
    monkeypatch.setenv(_native.PURE, "1")
    assert _native.load() is None
    monkeypatch.delenv(_native.PURE)
    assert _native.load(os.path.dirname(__file__)) is None
