"""Memory that a client and a server on one machine share, so that no tensor travels a socket.

A client makes a region, registers it with the server, and then names places in it instead of
sending or receiving bytes:

    with SystemRegion(1 << 20) as region, ModelClient("localhost", "Model") as client:
        region.register(client)
        x = region.write(np.ones((1, 1000), np.float32))
        y = region.reserve("FP32", [1, 1000], offset=4096)
        client.infer_batch(x, outputs={"y": y})
        print(region.read(y))

Works with the clients of `pytriton.client` and with those of `tritonclient` (see `place_input` and
`place_output`). The server must allow it (`--allow-client-shm`).
"""

from __future__ import annotations

import dataclasses
import math
import mmap
import os
import secrets
from collections.abc import Sequence
from multiprocessing import resource_tracker
from typing import Any

import numpy as np
import numpy.typing as npt

from pytriton.exceptions import PyTritonRuntimeError

__all__ = ["RegionTensor", "SystemRegion", "place_input", "place_output"]

_FOLDER = "/dev/shm"
_LENGTH = 4  # bytes of the length before each element of a BYTES tensor
_DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    **{f"UINT{bits}": np.dtype(f"u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": np.dtype(f"i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"f{bits // 8}") for bits in (16, 32, 64)},
}


@dataclasses.dataclass(frozen=True)
class RegionTensor:
    """A place for one tensor in a region; an input or an output of an inference.

    Attributes:
        region: The region.
        datatype: Name of the element type, such as "FP32" or "BYTES".
        shape: Shape, with the batch dimension where the model has one.
        offset: First byte in the region.
        byte_size: How many bytes.
    """

    region: SystemRegion
    datatype: str
    shape: tuple[int, ...]
    offset: int
    byte_size: int

    def region_place(self) -> tuple[str, int, int]:
        """Name of the region, byte offset and byte size."""
        return self.region.name, self.offset, self.byte_size


class SystemRegion:
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
        if byte_size <= 0:
            raise ValueError(f"expected a region of more than 0 bytes, got {byte_size}")
        self.byte_size = byte_size
        self.key = f"/pytriton_{secrets.token_hex(12)}"
        self.name = name or self.key[1:]
        self._clients: list[Any] = []
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

    def __enter__(self) -> SystemRegion:
        """The region itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Closes the region."""
        self.close()

    def close(self) -> None:
        """Unregisters the region where it was registered, and gives the memory back. Idempotent.

        A server that can't be reached (any more) is no error. Arrays from `view` stay valid.
        """
        if self._memory is None:
            return
        self._memory = None  # unmapped when the last array over it goes
        clients, self._clients = self._clients, []
        self._unlink()
        for client in clients:
            try:
                _unregister(client, self)
            except Exception:  # each client library has errors of its own
                continue

    def register(self, client: Any) -> None:
        """Tells a server about the region; `close` takes it back.

        Args:
            client: A client of `pytriton.client`, or a synchronous one of `tritonclient`.

        Raises:
            PyTritonRuntimeError: The region is closed.
            TypeError: The client knows nothing of shared memory.
            Exception: What the client raises when the server refuses.
        """
        self._open_memory()
        if hasattr(client, "register_region"):
            client.register_region(self)
        elif hasattr(client, "register_system_shared_memory"):
            client.register_system_shared_memory(self.name, self.key, self.byte_size)
        else:
            raise TypeError(f"expected a client that registers memory, got {type(client).__name__}")
        self._clients.append(client)

    def unregister(self, client: Any) -> None:
        """Takes the region back from a server; a use that runs may end.

        Args:
            client: What `register` was given.

        Raises:
            Exception: What the client raises when the server refuses.
        """
        if client in self._clients:
            self._clients.remove(client)
        _unregister(client, self)

    def reserve(self, datatype: str, shape: Sequence[int], offset: int = 0) -> RegionTensor:
        """A place for a tensor, such as an output. Nothing is written.

        Args:
            datatype: Name of a type with a fixed size, such as "FP32".
            shape: Shape, with the batch dimension where the model has one.
            offset: First byte in the region.

        Raises:
            ValueError: The type is unknown or has no fixed size, or the place is not inside.
        """
        return self._place(datatype, shape, offset, _dtype_of(datatype).itemsize * math.prod(shape))

    def reserve_bytes(self, shape: Sequence[int], byte_size: int, offset: int = 0) -> RegionTensor:
        """A place for a BYTES tensor: each element takes 4 bytes and its own.

        Args:
            shape: Shape, with the batch dimension where the model has one.
            byte_size: How many bytes there may be.
            offset: First byte in the region.

        Raises:
            ValueError: The place is not inside the region.
        """
        return self._place("BYTES", shape, offset, byte_size)

    def write(self, array: npt.ArrayLike, offset: int = 0) -> RegionTensor:
        """Puts a tensor into the region; numpy's strings and objects become BYTES.

        Args:
            array: Any shape; a dtype that the protocol knows.
            offset: First byte in the region.

        Returns:
            Its place: an input of an inference.

        Raises:
            ValueError: It does not fit, or its dtype is unknown.
            PyTritonRuntimeError: The region is closed.
        """
        given = np.asarray(array)
        if given.dtype.kind in "OSU":
            encoded = _encode(given)
            place = self._place("BYTES", given.shape, offset, len(encoded))
            self._open_memory()[offset : offset + len(encoded)] = encoded
            return place
        place = self._place(_datatype_of(given.dtype), given.shape, offset, given.nbytes)
        self._array(place, given.dtype)[...] = given
        return place

    def read(self, tensor: RegionTensor) -> np.ndarray[Any, Any]:
        """A copy of a tensor of the region.

        Args:
            tensor: From `write` or `reserve`.

        Returns:
            Array of the tensor's shape; BYTES: dtype object, elements are `bytes`.

        Raises:
            ValueError: The bytes are no BYTES tensor of that shape.
            PyTritonRuntimeError: The region is closed.
        """
        if tensor.datatype != "BYTES":
            array: np.ndarray[Any, Any] = self.view(tensor).copy()
            return array
        end = tensor.offset + tensor.byte_size
        return _decode(self._open_memory()[tensor.offset : end], tensor.shape)

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
        return self._array(tensor, _dtype_of(tensor.datatype))

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

    def _place(
        self, datatype: str, shape: Sequence[int], offset: int, byte_size: int
    ) -> RegionTensor:
        if offset < 0 or byte_size < 0 or offset + byte_size > self.byte_size:
            raise ValueError(
                f"expected a tensor inside the {self.byte_size} bytes of region {self.name}, "
                f"got {byte_size} bytes at {offset}"
            )
        return RegionTensor(self, datatype, tuple(int(dim) for dim in shape), offset, byte_size)

    def _unlink(self) -> None:
        try:
            os.unlink(_FOLDER + self.key)
        except FileNotFoundError:
            pass
        else:
            resource_tracker.unregister(self.key, "shared_memory")


def place_input(infer_input: Any, tensor: RegionTensor) -> Any:
    """Makes a `tritonclient` InferInput take its data from a region.

    Args:
        infer_input: An InferInput of tritonclient.http or tritonclient.grpc.
        tensor: Where the data is.

    Returns:
        The same input.
    """
    name, offset, byte_size = tensor.region_place()
    infer_input.set_shared_memory(name, byte_size, offset)
    return infer_input


def place_output(requested_output: Any, tensor: RegionTensor) -> Any:
    """Makes a `tritonclient` InferRequestedOutput put its data into a region.

    Args:
        requested_output: An InferRequestedOutput of tritonclient.http or tritonclient.grpc.
        tensor: Where the data shall go.

    Returns:
        The same output.
    """
    name, offset, byte_size = tensor.region_place()
    requested_output.set_shared_memory(name, byte_size, offset)
    return requested_output


def _unregister(client: Any, region: SystemRegion) -> None:
    if hasattr(client, "unregister_region"):
        client.unregister_region(region)
    else:
        client.unregister_system_shared_memory(region.name)


def _dtype_of(datatype: str) -> np.dtype[Any]:
    if datatype not in _DTYPES:
        raise ValueError(f"expected one of {', '.join(_DTYPES)}, got {datatype}")
    return _DTYPES[datatype]


def _datatype_of(dtype: np.dtype[Any]) -> str:
    for datatype, known in _DTYPES.items():
        if known == dtype:
            return datatype
    raise ValueError(f"expected a dtype that the protocol knows, got {dtype}")


def _encode(array: np.ndarray[Any, Any]) -> bytes:
    parts: list[bytes] = []
    for element in array.ravel().tolist():
        data = element if isinstance(element, bytes) else str(element).encode()
        parts += [len(data).to_bytes(_LENGTH, "little"), data]
    return b"".join(parts)


def _decode(data: bytes, shape: Sequence[int]) -> np.ndarray[Any, Any]:
    count = math.prod(shape)
    elements = np.empty(count, dtype=np.object_)
    at = 0
    for i in range(count):
        begin = at + _LENGTH
        at = begin + int.from_bytes(data[at:begin], "little")
        if begin > len(data) or at > len(data):
            raise ValueError(f"expected {count} elements in {len(data)} bytes, got {i}")
        elements[i] = data[begin:at]
    result: np.ndarray[Any, Any] = elements.reshape(tuple(shape))
    return result
