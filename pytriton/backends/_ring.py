"""The memory of a worker for messages: rings, words to sleep on, flags.

The layout is that of csrc/backend/worker_ring.cc. Where the module `_hot` can be loaded, its
Ring (csrc/bindings/hot/ring.h) does the same.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import struct
import threading
from typing import Any, Optional, Tuple

from ._results import SLOTS, Results, address_of

_RING_BYTES = 256 << 10
_MASK = _RING_BYTES - 1
_LARGEST = _RING_BYTES // 4
_LARGEST_ELSEWHERE = 2 << 30
_CANCEL = 4096
_CANCEL_FLAGS = 16384
_SLOT = _CANCEL + _CANCEL_FLAGS
_TO_WORKER = 128 << 10
_FROM_WORKER = _TO_WORKER + _RING_BYTES
_TOTAL = _FROM_WORKER + _RING_BYTES

# Words, as indices of 4 bytes.
_TO_TAIL, _TO_HEAD, _SLEEPS, _BEGUN, _WANTS_ROOM = 0, 16, 17, 18, 19
_FROM_TAIL, _FROM_HEAD, _READER, _LOG_MASK = 32, 48, 49, 50
_READER_NOBODY, _READER_DOZES, _READER_SLEEPS = 0, 2, 3
_LOOP_WAITS, _LOOP_DOZES = 4, 5  # and above these bits a number

ELSEWHERE = 0x80000000
_HEADER = struct.Struct("<II")
POINTER = struct.Struct("<QQI")
_BELL = struct.pack("<Q", 1)

_FUTEX_WAIT, _FUTEX_WAKE = 0, 1
_FUTEX = {"x86_64": 202, "aarch64": 98, "ppc64le": 221, "riscv64": 98}.get(platform.machine(), 98)
# Releasing a lock orders a store before a later load here; elsewhere every message wakes.
_IS_ORDERED = platform.machine() in ("x86_64", "AMD64")


class _Timespec(ctypes.Structure):
    _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]


def _load_syscall() -> Any:
    function = ctypes.CDLL(None, use_errno=False).syscall
    function.restype = ctypes.c_long
    function.argtypes = [
        ctypes.c_long,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_uint32,
        ctypes.c_void_p,
    ]
    return function


_syscall = _load_syscall()


def map_ring(fd: int, results: Results) -> mmap.mmap:
    """The memory of a ring; the results use what of it is theirs."""
    memory = mmap.mmap(fd, _TOTAL)
    results.use_slots(memoryview(memory)[_SLOT : _SLOT + 4 * SLOTS].cast("I"))
    return memory


class Ring:
    """Messages both ways, and flags.

    Args:
        fd: the memory.
        bell: an eventfd that wakes the server when it doesn't read.
        loop_bell: an eventfd that wakes an event loop of it, when that reads.
        results: where large messages go.
    """

    def __init__(self, fd: int, bell: int, loop_bell: int, results: Results) -> None:
        self.memory = map_ring(fd, results)
        self._bytes = memoryview(self.memory)
        self._words = self._bytes[:_CANCEL].cast("I")
        self._cancel = self._bytes[_CANCEL : _CANCEL + _CANCEL_FLAGS]
        base = address_of(self.memory)
        self._to_tail = base + 4 * _TO_TAIL
        self._from_tail = base + 4 * _FROM_TAIL
        self._from_head = base + 4 * _FROM_HEAD
        self._bell = bell
        self._loop_bell = loop_bell
        self._rung = 0
        self._results = results
        self._read = 0
        self._write = 0
        self._lock = threading.Lock()
        self.is_left = False  # this process was forked from the worker

    def leave(self) -> None:
        """In a process that was forked from the worker: from now on nothing is sent."""
        self.is_left = True

    def wait(self, seconds: float) -> None:
        """Waits for a message, or for a signal.

        Args:
            seconds: how long; 0: for ever.
        """
        words = self._words
        read = self._read
        if words[_TO_TAIL] != read:
            return
        words[_SLEEPS] = 1
        limit = None
        if seconds > 0:
            timespec = _Timespec(int(seconds), int(seconds % 1 * 1e9))
            limit = ctypes.addressof(timespec)
        _syscall(_FUTEX, self._to_tail, _FUTEX_WAIT, read, limit)
        words[_SLEEPS] = 0

    def take(self) -> Optional[Tuple[int, memoryview]]:
        """The next message: type and bytes, which are valid until `taken`.

        Raises:
            ValueError: a model has written into the ring.
        """
        while self._words[_TO_TAIL] != self._read:
            there = self._words[_TO_TAIL] - self._read & 0xFFFFFFFF
            most = min(there, _RING_BYTES - (self._read & _MASK))
            at = _TO_WORKER + (self._read & _MASK)
            size, code = _HEADER.unpack_from(self._bytes, at)
            needed = 8 + ((size + 7) & ~7)
            if there > _RING_BYTES or needed > most:
                raise ValueError(
                    f"expected a whole message of the server, got {size} bytes where {most} "
                    "have room"
                )
            self._next = (self._read + needed) & 0xFFFFFFFF
            if code != 0:
                return code, self._bytes[at + 8 : at + 8 + size]
            self.taken()
        return None

    def taken(self) -> None:
        """Gives the bytes of the last message back."""
        self._read = self._next
        self._words[_TO_HEAD] = self._next

    def begin_batch(self, sequence: int) -> None:
        """Tells that this batch is being run."""
        self._words[_BEGUN] = sequence

    def is_cancelled(self, slot: int) -> bool:
        """Whether the request of that slot was cancelled."""
        return self._cancel[slot] != 0

    def is_logged(self, level: int) -> bool:
        """Whether the server writes this level."""
        return bool(self._words[_LOG_MASK] >> level & 1)

    def send(self, code: int, payload: bytes, wake: bool = True) -> None:
        """Writes one message; from any thread.

        Args:
            code: its type.
            payload: its bytes.
            wake: whether the server must learn of it now.

        Raises:
            ValueError: a model has written into the ring, or it is larger than 2 GiB.
            OSError: a model has closed the bell.
        """
        if self.is_left:
            return
        with self._lock:
            self._write_message(code, payload)
        if wake:
            self.notify()

    def has_more(self) -> bool:
        """Whether another message waits behind the last one."""
        return bool(self._words[_TO_TAIL] != self._read)

    def _write_message(self, code: int, payload: bytes) -> None:
        if len(payload) > _LARGEST:
            if len(payload) > _LARGEST_ELSEWHERE:
                raise ValueError(f"expected at most 2 GiB for the server, got {len(payload)} bytes")
            slot, offset = self._results.put(payload)
            payload = POINTER.pack(offset, len(payload), slot)
            code |= ELSEWHERE
        size = len(payload)
        needed = 8 + ((size + 7) & ~7)
        words = self._words
        write = self._write
        to_end = _RING_BYTES - (write & _MASK)
        skipped = to_end if to_end < needed else 0
        if self._room(words[_FROM_HEAD]) < needed + skipped:
            self._wait_for_room(needed + skipped)
        if skipped:
            at = _FROM_WORKER + (write & _MASK)
            _HEADER.pack_into(self._bytes, at, skipped - 8, 0)
            write = write + skipped & 0xFFFFFFFF
        at = _FROM_WORKER + (write & _MASK)
        _HEADER.pack_into(self._bytes, at, size, code)
        self._bytes[at + 8 : at + 8 + size] = payload
        self._write = write + needed & 0xFFFFFFFF
        words[_FROM_TAIL] = self._write

    def _room(self, head: int) -> int:
        unread = self._write - head & 0xFFFFFFFF
        if unread > _RING_BYTES:
            raise ValueError(
                f"expected at most {_RING_BYTES} bytes that the server hasn't read, got {unread}"
            )
        return _RING_BYTES - unread

    def notify(self, soon: bool = True) -> None:
        """Wakes the server if it doesn't read.

        Args:
            soon: False: not if it looks again by itself within a millisecond.
        """
        if self.is_left:
            return
        reader = self._words[_READER]
        if reader > _READER_SLEEPS:
            if reader == self._rung and _IS_ORDERED:
                return  # for this wait it was rung already
            if soon or reader & 7 == _LOOP_WAITS:
                self._rung = reader
                os.write(self._loop_bell, _BELL)
            return
        if not _IS_ORDERED or reader == _READER_SLEEPS or (soon and reader == _READER_DOZES):
            _syscall(_FUTEX, self._from_tail, _FUTEX_WAKE, 1, None)
        if reader == _READER_NOBODY:
            os.write(self._bell, _BELL)

    def _wait_for_room(self, needed: int) -> None:
        words = self._words
        limit = _Timespec(0, 50_000_000)
        while True:
            words[_WANTS_ROOM] = 1
            head = words[_FROM_HEAD]
            if self._room(head) >= needed:
                return
            self.notify()
            _syscall(_FUTEX, self._from_head, _FUTEX_WAIT, head, ctypes.addressof(limit))
