"""The shared memory of a worker: message rings, words to sleep on, flags, results.

The layout is that of csrc/backend/worker_ring.cc.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import platform
import struct
import threading
import weakref
from collections import deque
from typing import Any, Deque, Dict, List, Optional, Tuple

from ._arena import Arena

_RING_BYTES = 256 << 10
_MASK = _RING_BYTES - 1
_LARGEST = _RING_BYTES // 4
_CANCEL = 4096
_CANCEL_FLAGS = 16384
_SLOT = _CANCEL + _CANCEL_FLAGS
_SLOTS = 16384
_TO_WORKER = 128 << 10
_FROM_WORKER = _TO_WORKER + _RING_BYTES
_TOTAL = _FROM_WORKER + _RING_BYTES

# Words, as indices of 4 bytes.
_TO_TAIL, _TO_HEAD, _SLEEPS, _BEGUN, _WANTS_ROOM = 0, 16, 17, 18, 19
_FROM_TAIL, _FROM_HEAD, _READER, _LOG_MASK = 32, 48, 49, 50
_READER_NOBODY, _READER_SLEEPS = 0, 2

ELSEWHERE = 0x80000000
_HEADER = struct.Struct("<II")
_POINTER = struct.Struct("<QQI")
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


def _address_of(memory: mmap.mmap) -> int:
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


class Ring:
    """Messages both ways, and flags.

    Args:
        fd: the memory.
        bell: an eventfd that wakes the server when it doesn't read.
        results: where large messages go.
    """

    def __init__(self, fd: int, bell: int, results: Results) -> None:
        self._memory = mmap.mmap(fd, _TOTAL)
        self._bytes = memoryview(self._memory)
        self._words = self._bytes[:_CANCEL].cast("I")
        self._cancel = self._bytes[_CANCEL : _CANCEL + _CANCEL_FLAGS]
        results.use_slots(self._bytes[_SLOT : _SLOT + 4 * _SLOTS].cast("I"))
        base = _address_of(self._memory)
        self._to_tail = base + 4 * _TO_TAIL
        self._from_tail = base + 4 * _FROM_TAIL
        self._from_head = base + 4 * _FROM_HEAD
        self._bell = bell
        self._results = results
        self._read = 0
        self._write = 0
        self._lock = threading.Lock()

    def wait(self, seconds: float) -> bool:
        """Waits for a message.

        Args:
            seconds: how long; 0: for ever.

        Returns:
            Whether there is one.
        """
        words = self._words
        read = self._read
        if words[_TO_TAIL] != read:
            return True
        words[_SLEEPS] = 1
        limit = None
        if seconds > 0:
            timespec = _Timespec(int(seconds), int(seconds % 1 * 1e9))
            limit = ctypes.addressof(timespec)
        _syscall(_FUTEX, self._to_tail, _FUTEX_WAIT, read, limit)
        words[_SLEEPS] = 0
        return words[_TO_TAIL] != read

    def take(self) -> Optional[Tuple[int, memoryview]]:
        """The next message: type and bytes, which are valid until `taken`."""
        while self._words[_TO_TAIL] != self._read:
            at = _TO_WORKER + (self._read & _MASK)
            size, code = _HEADER.unpack_from(self._bytes, at)
            self._next = (self._read + 8 + ((size + 7) & ~7)) & 0xFFFFFFFF
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
        """
        if len(payload) > _LARGEST:
            slot, offset = self._results.put(payload)
            payload = _POINTER.pack(offset, len(payload), slot)
            code |= ELSEWHERE
        size = len(payload)
        needed = 8 + ((size + 7) & ~7)
        words = self._words
        with self._lock:
            write = self._write
            to_end = _RING_BYTES - (write & _MASK)
            skipped = to_end if to_end < needed else 0
            if _RING_BYTES - (write - words[_FROM_HEAD] & 0xFFFFFFFF) < needed + skipped:
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
        if wake:
            self.notify()

    def notify(self) -> None:
        """Wakes the server if it doesn't read."""
        if not _IS_ORDERED:
            _syscall(_FUTEX, self._from_tail, _FUTEX_WAKE, 1, None)
        reader = self._words[_READER]
        if reader == _READER_SLEEPS:
            _syscall(_FUTEX, self._from_tail, _FUTEX_WAKE, 1, None)
        elif reader == _READER_NOBODY:
            os.write(self._bell, _BELL)

    def _wait_for_room(self, needed: int) -> None:
        words = self._words
        limit = _Timespec(0, 50_000_000)
        while True:
            words[_WANTS_ROOM] = 1
            head = words[_FROM_HEAD]
            if _RING_BYTES - (self._write - head & 0xFFFFFFFF) >= needed:
                return
            self.notify()
            _syscall(_FUTEX, self._from_head, _FUTEX_WAIT, head, ctypes.addressof(limit))


# Pieces of the result memory are of these sizes: powers of two and three steps between.
_SMALLEST = 32 << 10
_PAGE = mmap.PAGESIZE


def _piece_size(size: int) -> int:
    if size <= _SMALLEST:
        return _SMALLEST
    octave = 1 << ((size - 1).bit_length() - 1)
    step = max(octave // 4, _PAGE)
    return octave + (size - octave + step - 1) // step * step


class Results:
    """The memory that large results are sent from.

    The first half of the memory is managed here, the second one by the arena, in which numpy makes
    large arrays once a model has shown that it has large results.

    A piece has a slot: a word that is 1 from the moment its message is written until the server
    has sent it on. Pieces are reused by size; a piece that the model itself sees (`allocate`) only
    when no view of it is left.

    Args:
        fd: the memory, sparse.
        size: its address space in bytes.
    """

    def __init__(self, fd: int, size: int) -> None:
        self._memory = mmap.mmap(fd, size)
        self._fd = os.dup(fd)
        os.set_inheritable(self._fd, False)
        self.base = _address_of(self._memory)
        self.size = size
        self._arena: Optional[Arena] = None
        self._wants_arena = False
        self._has_tried = False
        self._bytes = memoryview(self._memory)
        self._used = 0
        self._next_slot = 0
        self._offsets: List[int] = []
        self._sizes: List[int] = []
        self._views: Dict[int, Any] = {}  # slot -> weak reference to its allocated array
        self._by_offset: Dict[int, int] = {}
        self._lent: Dict[int, Deque[int]] = {}  # by size, oldest first
        self._free: Dict[int, List[int]] = {}
        self._lock = threading.Lock()
        self._untrimmed = False

    def use_slots(self, words: memoryview) -> None:
        """Where the slots' words are."""
        self._words = words

    def _is_free(self, slot: int) -> bool:
        if self._words[slot]:
            return False
        view = self._views.get(slot)
        return view is None or view() is None

    def _collect(self, size: int) -> None:
        lent = self._lent.get(size)
        if not lent:
            return
        free = self._free.setdefault(size, [])
        for _ in range(len(lent)):
            slot = lent.popleft()
            if self._is_free(slot):
                self._views.pop(slot, None)
                free.append(slot)
            else:
                lent.append(slot)

    def _take(self, size: int) -> int:
        size = _piece_size(size)
        with self._lock:
            self._untrimmed = True
            free = self._free.setdefault(size, [])
            if not free:
                self._collect(size)
            slot = free.pop() if free else self._new_slot(size)
            # From here on it isn't free, whoever looks.
            self._words[slot] = 1
            self._lent.setdefault(size, deque()).append(slot)
            return slot

    def _new_slot(self, size: int) -> int:
        if self._next_slot >= _SLOTS // 2 or self._used + size > self.size // 2:
            raise MemoryError("too many results wait to be sent")
        slot = self._next_slot
        self._next_slot += 1
        self._offsets.append(self._used)
        self._sizes.append(size)
        self._used += (size + _PAGE - 1) // _PAGE * _PAGE
        return slot

    def put(self, data: Any) -> Tuple[int, int]:
        """Copies bytes into a piece that is sent now: slot and offset."""
        view = memoryview(data)
        if view.format != "B" or view.ndim != 1:
            view = view.cast("B")
        slot = self._take(view.nbytes)
        offset = self._offsets[slot]
        self._bytes[offset : offset + view.nbytes] = view
        return slot, offset

    def allocate(self, size: int) -> Any:
        """A writable array over a piece."""
        slot = self._take(size)
        offset = self._offsets[slot]
        array = (ctypes.c_ubyte * size).from_buffer(self._memory, offset)
        with self._lock:
            self._views[slot] = weakref.ref(array)
            self._by_offset[offset] = slot
            self._words[slot] = 0
        return array

    def find(self, address: int, size: int) -> Optional[Tuple[int, int]]:
        """Slot and offset of bytes that lie in an allocated piece; marks it as being sent."""
        offset = address - self.base
        if not 0 <= offset < self._used:
            return None
        with self._lock:
            for start, slot in self._by_offset.items():
                if start <= offset and offset + size <= start + self._sizes[slot]:
                    if self._words[slot]:
                        return None  # it is being sent already: this time it is copied
                    self._words[slot] = 1
                    return slot, offset
        return None

    def copy(self, data: Any) -> Tuple[int, int]:
        """As `put`, for a result that might have been born in the arena."""
        self._wants_arena = True
        return self.put(data)

    @property
    def arena(self) -> Optional[Arena]:
        """Where a model with large results makes its arrays; None: nowhere."""
        if self._wants_arena and not self._has_tried:
            self._has_tried = True
            words = ctypes.addressof(ctypes.c_char.from_buffer(self._words))
            half = self.size // 2
            with contextlib.suppress(AttributeError, ImportError, OSError):  # results are copied
                self._arena = Arena(self._fd, self.base, half, self.size, words, _SLOTS)
        return self._arena

    def send_born(self, address: int, size: int) -> Optional[int]:
        """The slot of an array that was born in the arena, which is sent from there."""
        return None if self._arena is None else self._arena.send(address, size)

    def settle(self, slot: int, address: int, size: int) -> Tuple[int, int]:
        """Slot and offset of what is sent for bytes that `send_born` was called for.

        To be called when no reference is left but those of the model, which may write to the bytes
        as long as it has any: then a copy is sent.
        """
        arena = self._arena
        assert arena is not None
        offset = address - self.base
        if not arena.is_held(slot):
            return slot, offset
        slot_of_copy, copied = self.put(self._bytes[offset : offset + size])
        arena.unsend(slot)
        return slot_of_copy, copied

    def trim(self) -> None:
        """Gives the memory of free pieces back to the system."""
        if self._arena is not None:
            self._arena.trim()
        with self._lock:
            if not self._untrimmed:
                return
            self._untrimmed = any(self._lent.values())
            for size in list(self._lent):
                self._collect(size)
            for size, slots in self._free.items():
                for slot in slots:
                    length = (size + _PAGE - 1) // _PAGE * _PAGE
                    self._memory.madvise(mmap.MADV_REMOVE, self._offsets[slot], length)

    @property
    def needs_trim(self) -> bool:
        """Whether something was used since the last time."""
        return self._untrimmed or (self._arena is not None and self._arena.needs_trim)
