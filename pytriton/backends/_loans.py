"""Inputs that were lent to a worker: parts of the server's receive memory, mapped privately.

The mapping is writable, but a write makes a private copy of the page: nobody else sees it. The
kernel tells which pages were written; those are dropped before the memory is given back, and an
input that was not written can be sent on as a result without a copy.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import struct
import threading
import weakref
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

_PAGE = mmap.PAGESIZE
_MAP_NORESERVE = 0x4000
_FILE_PAGE = 61  # bits of /proc/self/pagemap
_SWAPPED = 62  # and above it: present
# The same by one call (Linux 6.7, linux/fs.h: PAGEMAP_SCAN), which stops at the first page found.
_SCAN = (3 << 30) | (96 << 16) | (ord("f") << 8) | 16
_SCAN_ARGUMENT = struct.Struct("<12Q")
_IS_FILE, _IS_PRESENT, _IS_SWAPPED = 1 << 2, 1 << 3, 1 << 4


class Loans:
    """The loans that are out.

    Args:
        fd: the server's memory.
        size: its address space in bytes.
    """

    def __init__(self, fd: int, size: int) -> None:
        self._memory = mmap.mmap(
            fd,
            size,
            flags=mmap.MAP_PRIVATE | _MAP_NORESERVE,
            prot=mmap.PROT_READ | mmap.PROT_WRITE,
        )
        self._base = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        self._size = size
        self._pagemap = os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC)
        self._found = (ctypes.c_uint64 * 3)()  # where the kernel says which page it found
        self._found_at = ctypes.addressof(self._found)
        self._can_scan = True
        self._out: Dict[int, Tuple[Any, int, int]] = {}  # number -> reference, offset, size
        self._ended: List[int] = []
        self._written: List[Tuple[int, int, int]] = []  # number, first and last page offset
        self._lock = threading.Lock()

    def view(self, offset: int, size: int) -> memoryview:
        """Bytes that are read at once, without a loan's bookkeeping.

        Raises:
            ValueError: they aren't there.
        """
        if offset + size > self._size:
            raise ValueError("expected a message inside the server's memory")
        return memoryview(self._memory)[offset : offset + size]

    def take(self, number: int, offset: int, size: int) -> Any:
        """An array over a loan; the loan ends with its last view."""
        array = (ctypes.c_ubyte * size).from_buffer(self._memory, offset)
        ended = self._ended
        reference = weakref.ref(array, lambda _, number=number: ended.append(number))  # type: ignore[misc]
        with self._lock:
            self._out[number] = (reference, offset, size)
        return array

    def find(self, address: int, size: int) -> Optional[Tuple[int, int]]:
        """Number of the loan that these bytes are an unwritten part of, and where in it."""
        at = address - self._base
        if not 0 <= at < self._size:
            return None
        with self._lock:
            for number, (_, offset, length) in self._out.items():
                if offset <= at and at + size <= offset + length:
                    return None if self._is_written(at, size) else (number, at - offset)
        return None

    def take_ended(self) -> List[int]:
        """Numbers of the loans that can be given back."""
        if not self._ended and not self._written:
            return []
        returned: List[int] = []
        with self._lock:
            pending = self._written
            self._written = []
            while self._ended:
                number = self._ended.pop()
                _, offset, size = self._out.pop(number)
                if self._is_written(offset, size):
                    first = offset // _PAGE * _PAGE
                    last = (offset + size + _PAGE - 1) // _PAGE * _PAGE
                    pending.append((number, first, last))
                else:
                    returned.append(number)
            for number, first, last in pending:
                # Two inputs may share a page: it goes with the later one.
                if any(o < last and first < o + s for _, o, s in self._out.values()):
                    self._written.append((number, first, last))
                    continue
                self._memory.madvise(mmap.MADV_DONTNEED, first, last - first)
                returned.append(number)
        return returned

    def _is_written(self, offset: int, size: int) -> bool:
        first = (self._base + offset) // _PAGE
        last = (self._base + offset + size - 1) // _PAGE
        if self._can_scan:
            try:
                return self._scan(first * _PAGE, (last + 1) * _PAGE)
            except OSError:  # an older kernel
                self._can_scan = False
        return self._read_pagemap(first, last - first + 1)

    def _scan(self, start: int, end: int) -> bool:
        argument = _SCAN_ARGUMENT.pack(
            *(_SCAN_ARGUMENT.size, 0, start, end, 0),
            *(self._found_at, 1, 1),  # room for one range of pages, of at most one page
            *(_IS_FILE, _IS_FILE, _IS_PRESENT | _IS_SWAPPED, _IS_FILE),  # there, and not the file's
        )
        found: int = fcntl.ioctl(self._pagemap, _SCAN, bytearray(argument))
        return found > 0

    def _read_pagemap(self, first: int, count: int) -> bool:
        entries = np.frombuffer(os.pread(self._pagemap, count * 8, first * 8), np.uint64)
        private = (entries >> np.uint64(_SWAPPED) != 0) & (
            (entries >> np.uint64(_FILE_PAGE)) & np.uint64(1) == 0
        )
        return bool(private.any())
