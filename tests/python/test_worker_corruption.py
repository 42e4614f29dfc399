"""What a model may do to its worker's channel: a clear error comes of it, in Python and in C++."""

from __future__ import annotations

import contextlib
import os
import struct
import subprocess
import sys
import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from python.worker_kit import (
    BATCHES,
    DONE,
    FROM_HEAD,
    HEADER,
    KINDS,
    READER,
    RING_BYTES,
    TO_TAIL,
    TO_WORKER,
    Side,
    batch,
    without_times,
)
from pytriton.backends import _messages as messages

TO_HEAD = 16
WAITING_LOOP = 4 + 8


@pytest.fixture(params=KINDS)
def side(request: pytest.FixtureRequest) -> Side:
    return Side(request.param)


@pytest.mark.parametrize(
    ("size", "there"),
    [
        (64, 64),  # its head isn't counted
        (0xFFFFFFFF, 64),  # rounded up it would be nothing
        (RING_BYTES, RING_BYTES),
        (8, 2 * RING_BYTES),
        (8, -8),
        (0, 4),
    ],
)
def test_a_message_that_is_not_all_there_is_refused(side: Side, size: int, there: int):
    HEADER.pack_into(side.memory, TO_WORKER, size, messages.SETUP)
    side.words[TO_TAIL] = there & 0xFFFFFFFF
    with pytest.raises(ValueError, match=f"expected a whole message of the server, got {size} "):
        side.link.receive(0.001)


def test_a_message_is_not_read_beyond_the_end_of_the_ring(side: Side):
    before = RING_BYTES // 4 - 8
    for _ in range(3):
        side.put(messages.SETUP, bytes(before))
        side.link.receive(1)
    HEADER.pack_into(side.memory, TO_WORKER + 3 * RING_BYTES // 4, RING_BYTES // 4, messages.SETUP)
    side.words[TO_TAIL] = 3 * RING_BYTES // 4 + 8 + RING_BYTES // 4
    with pytest.raises(ValueError, match=f"where {RING_BYTES // 4} have room"):
        side.link.receive(0.001)


def test_what_lies_elsewhere_has_to_lie_there(side: Side):
    side.put(messages.SETUP | 0x80000000, struct.pack("<QQI", 1 << 40, 8, 1))
    with pytest.raises(ValueError, match="inside the server's memory"):
        side.link.receive(1)


@pytest.mark.parametrize("position", [8, -RING_BYTES - 8, 1 << 31])
def test_nothing_is_written_over_what_the_server_may_read(side: Side, position: int):
    side.words[FROM_HEAD] = position & 0xFFFFFFFF
    with pytest.raises(ValueError, match=f"expected at most {RING_BYTES} bytes that the server"):
        side.link.reply(True, "text")
    side.put(messages.BATCH, batch(3, BATCHES["one"]))
    side.link.receive(1)
    with pytest.raises(ValueError, match="expected at most"):
        side.link.end_batch(None)


def close_for_writing(bell: int) -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, bell)
    os.close(null)


@pytest.mark.parametrize(("reader", "bell"), [(0, 0), (WAITING_LOOP, 1)], ids=["monitor", "loop"])
def test_a_bell_that_cannot_be_rung_is_an_error(side: Side, reader: int, bell: int):
    close_for_writing(side.bells[bell])
    side.put(messages.BATCH, batch(3, BATCHES["one"]))
    side.link.receive(1)
    side.words[READER] = reader
    for attempt in (
        lambda: side.link.reply(True, ""),
        lambda: side.link._ring.notify(),
        lambda: side.link.end_batch(None),
    ):
        side.words[READER] = side.words[READER] + 8 * bool(reader)  # another wait
        with pytest.raises(OSError, match="Bad file descriptor"):
            attempt()


def test_nobody_waits_for_room_whom_the_server_cannot_hear(side: Side):
    close_for_writing(side.bells[0])
    payload = bytes(RING_BYTES // 8)
    for _ in range(7):
        side.link._ring.send(messages.REPLY, payload, False)
    with pytest.raises(OSError, match="Bad file descriptor"):
        side.link._ring.send(messages.REPLY, payload, False)


def test_a_batch_that_fails_for_no_text_can_still_be_ended(side: Side):
    side.put(messages.BATCH, batch(3, BATCHES["one"]))
    side.link.receive(1)
    with pytest.raises((TypeError, AttributeError)):
        side.link.end_batch(5)
    assert side.take() == []
    side.link.end_batch("text")
    assert without_times(side.take()) == [(messages.BATCH_DONE, DONE.pack(3, 0, True) + b"text")]


def test_views_of_a_message_end_with_it(side: Side):
    kept = []

    def put(payload):
        kept.append(payload)
        raise MemoryError("no room")

    side.results.put = put
    with pytest.raises(MemoryError, match="no room"):
        side.link._ring.send(messages.REPLY, bytes(RING_BYTES))
    if isinstance(kept[0], memoryview):
        with pytest.raises(ValueError, match="released"):
            bytes(kept[0])


CORRUPT = st.tuples(
    st.integers(0, 0xFFFFFFFF) | st.sampled_from([0, 8, 48, 64, 4096, RING_BYTES - 8]),  # size
    st.sampled_from([0, 1, 1, 3, 1 | 0x80000000, 0xFFFFFFFF]),  # type
    st.integers(0, 0xFFFFFFFF) | st.sampled_from([8, 56, 72, 4104, RING_BYTES]),  # what is there
    st.binary(max_size=200),
)


@pytest.mark.parametrize("kind", KINDS)
def test_any_bytes_are_received_or_refused(kind: str):
    side = Side(kind)

    @settings(max_examples=150, deadline=None)
    @given(CORRUPT)
    def receive(content) -> None:
        size, code, there, data = content
        read = side.words[TO_HEAD]
        at = TO_WORKER + read % RING_BYTES
        room = TO_WORKER + RING_BYTES - at
        side.memory[at : at + min(room, 8 + len(data))] = (HEADER.pack(size, code) + data)[:room]
        side.words[TO_TAIL] = (read + there) & 0xFFFFFFFF
        with contextlib.suppress(Exception):
            side.link.receive(0.001)
        assert (side.words[TO_HEAD] - read) & 0xFFFFFFFF <= RING_BYTES
        side.take()
        side.rings()

    receive()


def test_no_memory_is_an_error():
    code = """
        import resource, sys
        from python.worker_kit import BATCHES, Side, batch
        side = Side("hot")
        side.put(1, batch(3, BATCHES["one"]))
        side.link.receive(1)
        payload = bytes(1 << 28)
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + (1 << 26), -1))
        try:
            side.link._port.keep(payload, None)
        except MemoryError:
            sys.exit(7)
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    run = subprocess.run(command, env=environment, check=False)
    assert run.returncode == 7
