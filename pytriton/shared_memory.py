"""Memory that a client and a server on one machine share, so that no tensor travels a socket.

A client makes a region, registers it with the server, and then names places in it instead of
sending or receiving bytes:

    with SystemRegion(1 << 20) as region, ModelClient("localhost", "Model") as client:
        region.register(client)
        x = region.write(np.ones((1, 1000), np.float32))
        y = region.reserve("FP32", [1, 1000], offset=4096)
        client.infer_batch(x, outputs={"y": y})
        print(region.read(y))

`SystemRegion` is memory of the host, `CudaRegion` memory of a GPU. Both work with the clients of
`pytriton.client` and with those of `tritonclient` (see `place_input` and `place_output`). The
server must allow it (`--allow-client-shm`).
"""

from __future__ import annotations

import mmap
import os
import secrets
from multiprocessing import resource_tracker
from typing import Any

import numpy as np

from pytriton._cuda_region import CudaRegion
from pytriton._region import Region, RegionTensor, dtype_of, place_input, place_output
from pytriton.exceptions import PyTritonRuntimeError

__all__ = ["CudaRegion", "Region", "RegionTensor", "SystemRegion", "place_input", "place_output"]

_FOLDER = "/dev/shm"


class SystemRegion(Region):
    """A block of POSIX shared memory of this client.

    Use as a context manager, or call `close`. The memory goes when the region is closed and every
    server that has it registered lets go of it; its name goes also when this process is killed
    (Python's resource tracker outlives it).

    Attributes:
        kind: "system".
        name: What servers know it by.
        key: Its name in /dev/shm, with a leading slash.
        offset: Where it begins in the object: 0.
        byte_size: How many bytes it has.

    Thread rule: as the bytes it holds: no two threads should write the same ones at once.
    """

    kind = "system"
    offset = 0

    def __init__(self, byte_size: int, name: str | None = None) -> None:
        """Makes the memory, zeroed; nothing is registered yet.

        Args:
            byte_size: How many bytes, more than 0.
            name: What servers shall know it by; None: a name that nobody else has.

        Raises:
            ValueError: `byte_size` is not positive.
            OSError: The system has no room.
        """
        super().__init__(byte_size, name)
        self.key = f"/pytriton_{secrets.token_hex(12)}"
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(_FOLDER + self.key, flags, 0o600)
        try:
            # Who is killed does not clean up: the tracker does.
            resource_tracker.register(self.key, "shared_memory")
            os.posix_fallocate(descriptor, 0, byte_size)
            self._memory: mmap.mmap | None = mmap.mmap(descriptor, byte_size)
        except BaseException:
            self._unlink()
            raise
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Unregisters the region where it was registered, and gives the memory back. Idempotent.

        A server that can't be reached (any more) is no error. Arrays from `view` stay valid.
        """
        if self._memory is None:
            return
        self._memory = None  # unmapped when the last array over it goes
        self._unlink()
        self._leave_servers()

    def view(self, tensor: RegionTensor) -> np.ndarray[Any, Any]:
        """A tensor of the region in place: what is written to it, the server sees.

        Args:
            tensor: From `write` or `reserve`; not BYTES.

        Returns:
            Array of the tensor's shape and dtype, without a copy.

        Raises:
            ValueError: The tensor is BYTES.
            PyTritonRuntimeError: The region is closed.
        """
        return self._array(tensor, dtype_of(tensor.datatype))

    def _check_open(self) -> None:
        self._open_memory()

    def _registration(self) -> tuple[Any, ...]:
        return self.name, self.key, self.byte_size

    def _put_bytes(self, offset: int, data: bytes) -> None:
        self._open_memory()[offset : offset + len(data)] = data

    def _put_array(self, place: RegionTensor, array: np.ndarray[Any, Any]) -> None:
        self._array(place, array.dtype)[...] = array

    def _get_bytes(self, offset: int, byte_size: int) -> bytes:
        return self._open_memory()[offset : offset + byte_size]

    def _open_memory(self) -> mmap.mmap:
        if self._memory is None:
            raise PyTritonRuntimeError(f"expected an open region, got {self.name}, which is closed")
        return self._memory

    def _array(self, tensor: RegionTensor, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
        memory = self._open_memory()
        array: np.ndarray[Any, Any] = np.ndarray(
            tensor.shape, dtype, buffer=memory, offset=tensor.offset
        )
        return array

    def _unlink(self) -> None:
        try:
            os.unlink(_FOLDER + self.key)
        except FileNotFoundError:
            pass
        else:
            resource_tracker.unregister(self.key, "shared_memory")
