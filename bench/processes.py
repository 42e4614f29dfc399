"""What a tree of processes costs, read from /proc: CPU seconds, memory, descriptors."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

_PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")


def _stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty if the process is gone."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()  # the name before it may hold spaces


def tree(root: int) -> list[int]:
    """The process `root`, all its descendants, and all of its session."""
    parents: dict[int, int] = {}
    found = {root}
    for entry in os.listdir(_PROC):
        if entry.isdigit():
            fields = _stat_fields(int(entry))
            if fields:
                parents[int(entry)] = int(fields[1])
                if int(fields[3]) == root:
                    found.add(int(entry))
    grown = True
    while grown:
        more = {pid for pid, parent in parents.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return sorted(pid for pid in found if pid in parents)


def cpu_seconds(root: int) -> float:
    """User and system time of the tree so far, with that of ended and waited-for children."""
    total = 0
    for pid in tree(root):
        fields = _stat_fields(pid)
        total += sum(int(ticks) for ticks in fields[11:15])
    return total / _TICKS


def _mapped_bytes(root: int, figure: str) -> int:
    """One figure of smaps_rollup, summed over the tree."""
    total = 0
    for pid in tree(root):
        try:
            lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith(figure)) * 1024
    return total


def pss_bytes(root: int) -> int:
    """Proportional set size: private memory, and of shared memory the process's share."""
    return _mapped_bytes(root, "Pss:")


def private_bytes(root: int) -> int:
    """Memory that only the tree has written: others' starts and ends don't change it, as they do
    PSS.
    """
    return _mapped_bytes(root, "Private_Dirty")


def descriptors(root: int) -> int:
    """Open file descriptors of the tree."""
    total = 0
    for pid in tree(root):
        try:
            total += len(os.listdir(_PROC / str(pid) / "fd"))
        except OSError:
            continue
    return total


def runs(pid: int, program: str) -> bool:
    """Whether the process's command line names that program."""
    try:
        return program.encode() in (_PROC / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False


def kill(pid: int) -> bool:
    """SIGKILL; false if the process is gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def signal_tree(root: int, number: int) -> None:
    """Sends a signal to every process of the tree; those that have ended are left out."""
    for pid in tree(root):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def end(process: subprocess.Popen, seconds: float) -> None:
    """Stops it in an orderly way, by force if that takes longer than `seconds`."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
