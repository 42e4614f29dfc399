"""The memory of a worker for large results, which the server sends them from."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import threading
import weakref
from collections import deque
from typing import Any, Deque, Dict, List, Optional, Tuple

from ._arena import Arena

SLOTS = 16384  # as in csrc/backend/worker_ring.h


def address_of(memory: mmap.mmap) -> int:
    """Where a mapping begins."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def address_of_bytes(buffer: Any) -> int:
    """Where the bytes of an array, or of whatever has some, begin."""
    import numpy as np

    array = buffer if isinstance(buffer, np.ndarray) else np.frombuffer(buffer, np.uint8)
    address: int = array.__array_interface__["data"][0]
    return address


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
        self.base = address_of(self._memory)
        self.size = size
        self.arena: Optional[Arena] = None  # where a model with large results makes its arrays
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
        if self._next_slot >= SLOTS // 2 or self._used + size > self.size // 2:
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
        """As `put`, for a result that might have been born in the arena, which there is now."""
        if not self._has_tried:
            self._has_tried = True
            words = ctypes.addressof(ctypes.c_char.from_buffer(self._words))
            half = self.size // 2
            with contextlib.suppress(AttributeError, ImportError, OSError):  # results are copied
                self.arena = Arena(self._fd, self.base, half, self.size, words, SLOTS)
        return self.put(data)

    def send_born(self, address: int, size: int) -> Optional[int]:
        """The slot of an array that was born in the arena, which is sent from there."""
        return None if self.arena is None else self.arena.send(address, size)

    def settle(self, slot: int, address: int, size: int, is_sealed: bool) -> Tuple[int, int]:
        """Slot and offset of what is sent for bytes that `send_born` was called for.

        To be called when no reference is left but those of the model, which may write to the bytes
        as long as it has any, if they aren't sealed: then a copy is sent.
        """
        arena = self.arena
        assert arena is not None
        offset = address - self.base
        if is_sealed or not arena.is_held(slot):
            return slot, offset
        slot_of_copy, copied = self.put(self._bytes[offset : offset + size])
        arena.unsend(slot)
        return slot_of_copy, copied

    def trim(self) -> None:
        """Gives the memory of free pieces back to the system."""
        if self.arena is not None:
            self.arena.trim()
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
        return self._untrimmed or (self.arena is not None and self.arena.needs_trim)
