"""What a report of a fault should tell about the machine."""

from __future__ import annotations

import importlib.metadata
import os
import pathlib
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator

_SECRETS = ("token", "secret", "key", "password", "credential")
_FILES = ("/etc/os-release", "/proc/meminfo", "/proc/loadavg", "/proc/net/tcp")


def describe() -> Iterator[str]:
    """Lines about system, processor, memory, devices, packages and environment."""
    yield f"Python {sys.version} at {sys.executable}"
    yield f"Platform {platform.platform()}, libc {' '.join(platform.libc_ver())}"
    yield f"Processors {os.cpu_count()}, usable {len(os.sched_getaffinity(0))}"
    usage = shutil.disk_usage("/dev/shm" if os.path.isdir("/dev/shm") else "/tmp")
    yield f"Shared memory {usage.total} bytes, free {usage.free}"
    for name in _FILES:
        yield f"--- {name}"
        yield _head(pathlib.Path(name))
    yield "--- nvidia-smi"
    yield _output(["nvidia-smi"])
    yield "--- packages"
    yield from sorted(
        f"{dist.metadata['Name']}=={dist.version}" for dist in importlib.metadata.distributions()
    )
    yield "--- environment"
    for name, value in sorted(os.environ.items()):
        if not any(word in name.lower() for word in _SECRETS):
            yield f"{name}={value}"


def _head(path: pathlib.Path) -> str:
    try:
        return "\n".join(path.read_text(errors="replace").splitlines()[:20])
    except OSError as error:
        return str(error)


def _output(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return done.stdout + done.stderr
