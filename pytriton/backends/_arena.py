"""Large results of numpy, born in the memory that the server sends them from.

numpy lets a program choose where array data lies (NEP 49). While a model executes, its large arrays
are made in the results' memory by the library `pytriton_arena` (csrc/backend/worker_arena.h), so
that a result needs no copy. A result is sent in place only if nobody in this process can write to
it any more; numpy says so by freeing it. Where the library or an old numpy can't do it, results are
copied as before.
"""

from __future__ import annotations

import ctypes
import os
from typing import Any, Optional

_DIRECTORY = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_LIBRARY = "libpytriton_arena.so"
# Places in numpy's table of C functions; constant since numpy 1.22.
_SET_HANDLER, _GET_HANDLER = 304, 305
_CAPSULE = b"mem_handler"
_OLDEST_NUMPY = (1, 22)


def _load_library() -> Any:
    library = ctypes.PyDLL(os.path.join(_DIRECTORY, _LIBRARY))
    arena, u64, u32 = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint32
    for name, result, arguments in (
        ("open", arena, (ctypes.c_void_p, u64, u64, ctypes.c_void_p, u32)),
        ("handler", ctypes.c_void_p, (arena, ctypes.c_void_p)),
        ("send", ctypes.c_int64, (arena, u64, u64)),
        ("is_held", ctypes.c_int, (arena, u32)),
        ("unsend", None, (arena, u32)),
        ("trim", None, (arena,)),
        ("needs_trim", ctypes.c_int, (arena,)),
        ("make_private", ctypes.c_int, (arena, ctypes.c_int)),
    ):
        function = getattr(library, "pt_arena_" + name)
        function.restype = result
        function.argtypes = arguments
    return library


class _NumpyHandlers:
    """numpy's functions that choose the allocator of this thread's context."""

    def __init__(self) -> None:
        import numpy

        if tuple(int(part) for part in numpy.__version__.split(".")[:2]) < _OLDEST_NUMPY:
            raise ImportError("this numpy can't choose its allocator")
        core = getattr(numpy, "_core", None) or numpy.core
        capsule = core._multiarray_umath._ARRAY_API
        get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
        get_pointer.restype = ctypes.c_void_p
        get_pointer.argtypes = (ctypes.py_object, ctypes.c_char_p)
        table = ctypes.cast(get_pointer(capsule, None), ctypes.POINTER(ctypes.c_void_p))
        setter = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.py_object)
        getter = ctypes.PYFUNCTYPE(ctypes.py_object)
        self.set = setter(table[_SET_HANDLER])
        self.get = getter(table[_GET_HANDLER])
        self.pointer_of: Any = lambda handler: get_pointer(handler, _CAPSULE)
        new_capsule = ctypes.pythonapi.PyCapsule_New
        new_capsule.restype = ctypes.py_object
        new_capsule.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
        self.make: Any = lambda pointer: new_capsule(pointer, _CAPSULE, None)


class Arena:
    """Where large arrays are made.

    Args:
        fd: the results' memory; kept open for forked children.
        base: its address.
        begin: first byte of it that is the arena's.
        end: one beyond the last.
        words: address of the slots' words.
        slots: their number; the arena has the second half.

    Raises:
        ImportError: this numpy can't do it.
        OSError: the library is missing.
    """

    def __init__(self, fd: int, base: int, begin: int, end: int, words: int, slots: int) -> None:
        library = _load_library()
        self._numpy = _NumpyHandlers()
        arena = library.pt_arena_open(base, begin, end, words, slots)
        if not arena:
            raise ImportError("no memory for the arena")
        before = self._numpy.get()
        pointer = library.pt_arena_handler(arena, self._numpy.pointer_of(before))
        self._handler = self._numpy.make(pointer)
        self._before = before  # the arena calls it
        self._library = library
        self._arena = arena
        self._begin = base + begin
        self._end = base + end
        self._base = base
        os.register_at_fork(after_in_child=lambda: library.pt_arena_make_private(arena, fd) or None)

    def begin(self) -> Any:
        """From now on, large arrays that this thread makes are made here; what `end` takes."""
        return self._numpy.set(self._handler)

    def end(self, before: Any) -> None:
        """Until now."""
        self._numpy.set(before)

    def send(self, address: int, size: int) -> Optional[int]:
        """Keeps a piece with these bytes from being reused until the server sent it: its slot."""
        if not self._begin <= address < self._end:
            return None
        slot = self._library.pt_arena_send(self._arena, address - self._base, size)
        return None if slot < 0 else int(slot)

    def is_held(self, slot: int) -> bool:
        """Whether an array of this process still has these bytes."""
        return bool(self._library.pt_arena_is_held(self._arena, slot))

    def unsend(self, slot: int) -> None:
        """Takes `send` back."""
        self._library.pt_arena_unsend(self._arena, slot)

    def trim(self) -> None:
        """Gives the memory of free pieces back to the system."""
        self._library.pt_arena_trim(self._arena)

    @property
    def needs_trim(self) -> bool:
        """Whether something was used since then."""
        return bool(self._library.pt_arena_needs_trim(self._arena))
