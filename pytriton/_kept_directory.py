"""Directories that live as long as this process, and leave nothing when it is killed.

Each is locked by the process that made it; the kernel takes the lock away however the process ends.
Whoever makes another one of the same kind removes those that nobody holds any more.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import tempfile
import time

_YOUNG_S = 60.0  # one that is this young may be about to be locked

__all__ = ["KeptDirectory"]


class KeptDirectory:
    """A new directory that only this user gets into.

    Attributes:
        path: Where it is.

    Thread rule: thread-safe, but `remove` comes once.
    """

    def __init__(self, prefix: str, files: tuple[str, ...], parent: str | None = None) -> None:
        """Makes it, and removes what killed processes left of its kind.

        Args:
            prefix: Of its name; tells its kind, so no other program uses it.
            files: Names of all that ever lies in it.
            parent: Where it goes; None: the system's temporary directory.

        Raises:
            OSError: It can't be made.
        """
        self._files = files
        parent = tempfile.gettempdir() if parent is None else parent
        _remove_left(parent, prefix, files)
        self.path = tempfile.mkdtemp(prefix=prefix, dir=parent)
        self._descriptor = _lock(self.path)

    def remove(self) -> None:
        """Removes it with its files."""
        _remove(self.path, self._files)
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _lock(path: str) -> int | None:
    """A descriptor that holds the directory; None: somebody has it, or it can't be locked."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _remove(path: str, files: tuple[str, ...]) -> None:
    for name in files:
        with contextlib.suppress(OSError):
            os.unlink(os.path.join(path, name))
    with contextlib.suppress(OSError):
        os.rmdir(path)


def _remove_left(parent: str, prefix: str, files: tuple[str, ...]) -> None:
    try:
        names = [name for name in os.listdir(parent) if name.startswith(prefix)]
    except OSError:
        return
    for name in names:
        path = os.path.join(parent, name)
        try:
            info = os.lstat(path)
        except OSError:
            continue
        is_ours = stat.S_ISDIR(info.st_mode) and info.st_uid == os.geteuid()
        if not is_ours or time.time() - info.st_mtime < _YOUNG_S:
            continue
        descriptor = _lock(path)
        if descriptor is not None:
            _remove(path, files)
            os.close(descriptor)
