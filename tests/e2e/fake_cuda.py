"""The fake of NVIDIA's driver (tests/fake_cuda) for servers and clients of the tests."""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
from pathlib import Path

SOURCES = Path(__file__).parent.parent / "fake_cuda"
COUNTERS = (
    *("host_to_device", "device_to_host", "device_to_device", "host_to_host", "opened_ever"),
    *("allocations", "opened", "host_blocks", "streams", "events", "contexts"),
)


class FakeCuda:
    """A built fake: `environment` is for servers; this process has it loaded."""

    def __init__(self, folder: Path) -> None:
        self.library = folder / "libcuda.so.1"
        self.counts_folder = folder / "counts"
        self.counts_folder.mkdir()
        self.errors = folder / "errors"
        command = ["c++", "-std=c++20", "-O1", "-shared", "-fPIC", "-fvisibility=hidden"]
        sources = sorted(str(path) for path in SOURCES.glob("*.cc"))
        command += ["-Wl,-soname,libcuda.so.1", "-o", str(self.library), *sources]
        subprocess.run(command, check=True)
        self.environment = {
            "LD_LIBRARY_PATH": f"{folder}:{os.environ.get('LD_LIBRARY_PATH', '')}".rstrip(":"),
            "FAKE_CUDA_DEVICES": "2",
            "FAKE_CUDA_COUNTS": str(self.counts_folder),
            "FAKE_CUDA_ERRORS": str(self.errors),
        }

    def load(self) -> None:
        """Makes this process find the fake: a library is known by its soname once it is loaded."""
        os.environ["FAKE_CUDA_DEVICES"] = "2"
        ctypes.CDLL(str(self.library))

    def fail(self, *lines: str) -> None:
        """Lets calls of the servers fail: "<function> <CUresult>"; nothing: no more."""
        self.errors.write_text("".join(line + "\n" for line in lines))

    def counts(self, pid: int) -> dict[str, int]:
        """What a process has copied, and what it holds, by the names of COUNTERS."""
        path = self.counts_folder / str(pid)
        data = path.read_bytes() if path.exists() else bytes(8 * len(COUNTERS))
        return dict(zip(COUNTERS, struct.unpack(f"<{len(COUNTERS)}Q", data)))
