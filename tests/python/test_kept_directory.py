"""Directories of processes that were killed are removed by the next; those of others are not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from pytriton._kept_directory import KeptDirectory

PREFIX = "pytriton-test-"
MAKER = """
import sys
from pathlib import Path
from pytriton._kept_directory import KeptDirectory
directory = KeptDirectory("pytriton-test-", ("content",), sys.argv[1])
(Path(directory.path) / "content").write_text("x")
print(directory.path, flush=True)
sys.stdin.read()
"""


def start_maker(parent: Path) -> tuple[subprocess.Popen, Path]:
    """A process that holds a directory, and the directory."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAKER, str(parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    return process, Path(process.stdout.readline().strip())


def end(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def age(path: Path) -> None:
    os.utime(path, (0, 0))


def test_a_killed_process_leaves_nothing_for_long(tmp_path):
    process, left = start_maker(tmp_path)
    end(process)
    assert (left / "content").exists()
    age(left)
    directory = KeptDirectory(PREFIX, ("content",), str(tmp_path))
    assert not left.exists()
    directory.remove()
    assert not list(tmp_path.iterdir())


def test_a_directory_that_a_process_holds_is_kept(tmp_path):
    process, held = start_maker(tmp_path)
    age(held)
    try:
        KeptDirectory(PREFIX, ("content",), str(tmp_path)).remove()
        assert (held / "content").exists()
    finally:
        end(process)


def test_what_is_not_ours_is_kept(tmp_path):
    other_files = tmp_path / (PREFIX + "other")
    other_files.mkdir()
    (other_files / "precious").write_text("x")
    young = tmp_path / (PREFIX + "young")
    young.mkdir()
    target = tmp_path / "target"
    target.mkdir()
    (target / "content").write_text("x")
    link = tmp_path / (PREFIX + "link")
    link.symlink_to(target)
    age(other_files)
    os.utime(link, (0, 0), follow_symlinks=False)
    KeptDirectory(PREFIX, ("content",), str(tmp_path)).remove()
    assert (other_files / "precious").exists()
    assert young.exists()
    assert (target / "content").exists()
    assert link.is_symlink()
