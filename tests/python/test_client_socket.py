"""The sockets of the clients: what comes, how long it is waited for, when it is looked for."""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from pytriton import _socket

LONG = 60.0  # seconds; nobody waits so long
MOST = 1024  # answers without looking, also where others had the core for long


class Pair:
    """A descriptor and its peer."""

    def __init__(self) -> None:
        self.ours, self.peer = socket.socketpair()
        self.ours.setblocking(False)
        self.descriptor = _socket.Descriptor(self.ours.fileno())

    def ask(self) -> None:
        assert self.descriptor.send(b"question") == 8
        assert self.peer.recv(8) == b"question"

    def receive(self, size: int = 16, seconds: float = LONG) -> bytes:
        buffer = bytearray(size)
        return bytes(buffer[: self.descriptor.receive(buffer, time.monotonic() + seconds)])

    def close(self) -> None:
        self.ours.close()
        self.peer.close()


@pytest.fixture
def pair() -> Iterator[Pair]:
    made = Pair()
    yield made
    made.close()


def test_receives_what_is_there_and_what_comes_later(pair: Pair) -> None:
    pair.ask()
    pair.peer.send(b"answer")
    assert pair.receive() == b"answer"
    pair.ask()
    thread = threading.Thread(target=lambda: (pair.peer.recv(2), pair.peer.send(b"late")))
    thread.start()
    pair.descriptor.send(b"go")
    assert pair.receive() == b"late"
    thread.join()


def test_receives_an_answer_in_parts(pair: Pair) -> None:
    pair.ask()
    pair.peer.send(b"0123456789")
    assert [pair.receive(4), pair.receive(4), pair.receive(4)] == [b"0123", b"4567", b"89"]
    with pytest.raises(TimeoutError):
        pair.receive(seconds=0.0)


@pytest.mark.parametrize("is_asked", [True, False])
def test_tells_the_end_and_a_break(pair: Pair, is_asked: bool) -> None:
    if is_asked:
        pair.ask()
    pair.peer.close()
    assert pair.receive() == b""
    listener = socket.create_server(("127.0.0.1", 0))
    ours = socket.create_connection(listener.getsockname())
    peer, _ = listener.accept()
    broken = _socket.Descriptor(ours.fileno())
    if is_asked:
        broken.send(b"never read")
    else:
        ours.send(b"never read")
    peer.close()  # with bytes unread: a reset
    with pytest.raises(ConnectionResetError):
        broken.receive(bytearray(4), time.monotonic() + LONG)
    ours.close()
    listener.close()


def exchange(pair: Pair, answer: Any) -> None:
    pair.ask()
    pair.peer.send(answer)
    assert pair.receive() == answer


def test_looks_for_no_answer_where_the_last_ones_were_slow(pair: Pair) -> None:
    assert pair.descriptor.looks
    for pause in (4, 16, 64):
        pair.ask()
        with pytest.raises(TimeoutError):
            pair.receive(seconds=0.01)
        count = 0
        while not pair.descriptor.looks:
            exchange(pair, b"in time")
            count += 1
        assert count in (pause, MOST)


def test_looks_for_nothing_that_was_not_asked_for(pair: Pair) -> None:
    with pytest.raises(TimeoutError):
        pair.receive(seconds=0.01)
    assert pair.descriptor.looks


def test_receives_at_once_what_is_there(pair: Pair) -> None:
    buffer = bytearray(4)
    number = pair.ours.fileno()
    assert _socket.receive(number, buffer) == -1
    pair.peer.send(b"answer")
    assert _socket.receive(number, buffer) == 4
    assert _socket.receive(number, memoryview(buffer)[2:]) == 2
    assert buffer == b"aner"
    pair.peer.close()
    assert _socket.receive(number, buffer) == 0


def test_receiving_tells_that_a_connection_broke() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ours = socket.create_connection(listener.getsockname())
        peer, _ = listener.accept()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.close()  # a reset
        with ours:
            select.select([ours], [], [], LONG)
            with pytest.raises(ConnectionResetError):
                _socket.receive(ours.fileno(), bytearray(4))
