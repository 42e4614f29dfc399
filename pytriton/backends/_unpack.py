"""Unpacks an environment's archive: `<interpreter> _unpack.py <pid of the server>`.

The archive and the directory come in the variables PYTRITON_ARCHIVE and PYTRITON_TARGET. An archive
can write nowhere but below the directory. What is wrong with it goes to stdout.
"""

from __future__ import annotations

import os
import sys
import tarfile


def _check(member: tarfile.TarInfo, root: str) -> str:
    """Where the member goes; exits when that is no place below `root`."""
    if os.path.isabs(member.name):
        sys.exit(f"Path is absolute: '{member.name}'")
    if ".." in member.name.split("/"):
        sys.exit(f"Path contains '..': '{member.name}'")
    if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
        sys.exit(f"expected files, directories and links, got '{member.name}'")
    path = os.path.join(root, member.name)
    # An earlier member may have been a link that leads elsewhere.
    parent = os.path.realpath(os.path.dirname(path))
    if parent != root and not parent.startswith(root + os.sep):
        sys.exit(f"expected a path below the archive's own directories, got '{member.name}'")
    if member.islnk():
        target = os.path.realpath(os.path.join(root, member.linkname))
        if not target.startswith(root + os.sep):
            sys.exit(f"expected a hard link to a file of the archive, got '{member.linkname}'")
    return path


def unpack(archive: str, directory: str) -> None:
    """Unpacks all of it."""
    root = os.path.realpath(directory)
    with tarfile.open(archive) as content:
        for member in content:
            path = _check(member, root)
            if os.path.islink(path):
                os.unlink(path)  # files are not written through links
            member.uid = member.gid = os.getuid()
            member.mode = (member.mode or 0o700) & 0o755 | 0o600
            if sys.version_info >= (3, 12):
                content.extract(member, root, filter="fully_trusted")
            else:
                content.extract(member, root)


def main() -> None:
    """Unpacks what the variables name."""
    sys.stderr = sys.stdout
    try:
        unpack(os.environ["PYTRITON_ARCHIVE"], os.environ["PYTRITON_TARGET"])
    except (OSError, tarfile.TarError, EOFError) as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
