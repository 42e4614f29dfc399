"""Device memory of a client; public by `pytriton.shared_memory`."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np

from pytriton._region import Region, RegionTensor
from pytriton.exceptions import PyTritonRuntimeError

if TYPE_CHECKING:
    from pytriton._core import CudaMemory, CudaTensor

__all__ = ["CudaRegion"]

_CUDA = (2, 13)  # DLPack's numbers of device memory


class CudaRegion(Region):
    """A block of GPU memory of this client.

    Use as a context manager, or call `close`. Needs NVIDIA's driver and no library besides. The
    server must be another process of this machine that may open the memory (CUDA IPC). The memory
    goes when the region is closed and no tensor from `view` is left, or with this process, however
    it ends; close it only when no server uses it any more.

    Attributes:
        kind: "cuda".
        name: What servers know it by.
        byte_size: How many bytes it has.
        device_id: Number of the GPU.
        raw_handle: 64 bytes by which another process opens it (a cudaIpcMemHandle_t).

    Thread rule: as the bytes it holds: no two threads should write the same ones at once.
    """

    kind = "cuda"

    def __init__(self, byte_size: int, device_id: int = 0, name: str | None = None) -> None:
        """Makes the memory; nothing is registered yet.

        Args:
            byte_size: How many bytes, more than 0.
            device_id: Number of the GPU.
            name: What servers shall know it by; None: a name that nobody else has.

        Raises:
            ValueError: `byte_size` is not positive.
            PyTritonRuntimeError: There is no driver or no memory.
            PyTritonValidationError: There is no such GPU.
        """
        from pytriton._core import CudaMemory

        super().__init__(byte_size, name)
        self._memory: CudaMemory | None = CudaMemory(byte_size, device_id)
        self.device_id = device_id
        self.raw_handle = self._memory.handle()

    def close(self) -> None:
        """Unregisters the region where it was registered, and gives the memory back. Idempotent.

        A server that can't be reached (any more) is no error. Tensors from `view` stay valid.
        """
        if self._memory is None:
            return
        self._leave_servers()  # first: the driver does not protect a server from memory that goes
        self._memory = None

    def write(self, array: Any, offset: int = 0) -> RegionTensor:
        """Puts a tensor into the region; numpy's strings and objects become BYTES.

        Args:
            array: A numpy array or what becomes one, or an array in device memory of any library,
                which then is copied without passing the host.
            offset: First byte in the region.

        Returns:
            Its place: an input of an inference.

        Raises:
            ValueError: It does not fit, is not contiguous, or its dtype is unknown.
            PyTritonRuntimeError: The region is closed, or the driver failed.
        """
        device = getattr(array, "__dlpack_device__", None)
        if device is not None and device()[0] in _CUDA:
            datatype, shape = self._open_memory().write_array(offset, array)
            return self.reserve(datatype, shape, offset)
        return super().write(array, offset)

    def view(self, tensor: RegionTensor) -> CudaTensor:
        """A tensor of the region in place: what is written to it, the server sees.

        Args:
            tensor: From `write` or `reserve`; not BYTES.

        Returns:
            An object with `__dlpack__` and `__cuda_array_interface__`: CuPy, PyTorch and others
            take it without a copy. It keeps the memory.

        Raises:
            ValueError: The tensor is BYTES.
            PyTritonRuntimeError: The region is closed.
        """
        return self._open_memory().tensor(tensor.offset, tensor.datatype, tensor.shape)

    def _open_memory(self) -> CudaMemory:
        if self._memory is None:
            raise PyTritonRuntimeError(f"expected an open region, got {self.name}, which is closed")
        return self._memory

    def _check_open(self) -> None:
        self._open_memory()

    def _registration(self) -> tuple[Any, ...]:
        return self.name, base64.b64encode(self.raw_handle), self.device_id, self.byte_size

    def _put_bytes(self, offset: int, data: bytes) -> None:
        self._open_memory().write(offset, data)

    def _put_array(self, place: RegionTensor, array: np.ndarray[Any, Any]) -> None:
        self._open_memory().write(
            place.offset, np.ascontiguousarray(array).reshape(-1).view(np.uint8)
        )

    def _get_bytes(self, offset: int, byte_size: int) -> bytes:
        return self._open_memory().read(offset, byte_size)
