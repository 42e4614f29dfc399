"""What all kinds of regions have in common; public by `pytriton.shared_memory`."""

from __future__ import annotations

import abc
import dataclasses
import math
import secrets
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = ["Region", "RegionTensor", "datatype_of", "dtype_of", "place_input", "place_output"]

_LENGTH = 4  # bytes of the length before each element of a BYTES tensor
_DTYPES: dict[str, np.dtype[Any]] = {
    "BOOL": np.dtype(np.bool_),
    **{f"UINT{bits}": np.dtype(f"u{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"INT{bits}": np.dtype(f"i{bits // 8}") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"f{bits // 8}") for bits in (16, 32, 64)},
}
_Self = TypeVar("_Self", bound="Region")


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

    region: Region
    datatype: str
    shape: tuple[int, ...]
    offset: int
    byte_size: int

    def region_place(self) -> tuple[str, int, int]:
        """Name of the region, byte offset and byte size."""
        return self.region.name, self.offset, self.byte_size


class Region(abc.ABC):
    """Memory of this client that servers are told of.

    Use as a context manager, or call `close`.

    Attributes:
        kind: "system" or "cuda".
        name: What servers know it by.
        byte_size: How many bytes it has.

    Thread rule: as the bytes it holds: no two threads should write the same ones at once.
    """

    kind = ""

    def __init__(self, byte_size: int, name: str | None) -> None:
        """Takes the name.

        Raises:
            ValueError: `byte_size` is not positive.
        """
        if byte_size <= 0:
            raise ValueError(f"expected a region of more than 0 bytes, got {byte_size}")
        self.byte_size = byte_size
        self.name = name or f"pytriton_{secrets.token_hex(12)}"
        self._clients: list[Any] = []

    def __enter__(self: _Self) -> _Self:
        """The region itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Closes the region."""
        self.close()

    @abc.abstractmethod
    def close(self) -> None:
        """Unregisters the region where it was registered, and gives the memory back. Idempotent."""

    def register(self, client: Any) -> None:
        """Tells a server about the region; `close` takes it back.

        Args:
            client: A client of `pytriton.client`, or a synchronous one of `tritonclient`.

        Raises:
            PyTritonRuntimeError: The region is closed.
            TypeError: The client knows nothing of shared memory.
            Exception: What the client raises when the server refuses.
        """
        self._check_open()
        if hasattr(client, "register_region"):
            client.register_region(self)
        elif hasattr(client, f"register_{self.kind}_shared_memory"):
            getattr(client, f"register_{self.kind}_shared_memory")(*self._registration())
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
        if hasattr(client, "unregister_region"):
            client.unregister_region(self)
        else:
            getattr(client, f"unregister_{self.kind}_shared_memory")(self.name)

    def reserve(self, datatype: str, shape: Sequence[int], offset: int = 0) -> RegionTensor:
        """A place for a tensor, such as an output. Nothing is written.

        Args:
            datatype: Name of a type with a fixed size, such as "FP32".
            shape: Shape, with the batch dimension where the model has one.
            offset: First byte in the region.

        Raises:
            ValueError: The type is unknown or has no fixed size, or the place is not inside.
        """
        width = 2 if datatype == "BF16" else dtype_of(datatype).itemsize
        return self._place(datatype, shape, offset, width * math.prod(shape))

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
            array: Any shape; a dtype that the protocol knows. Objects with `__dlpack__` too.
            offset: First byte in the region.

        Returns:
            Its place: an input of an inference.

        Raises:
            ValueError: It does not fit, or its dtype is unknown.
            PyTritonRuntimeError: The region is closed.
        """
        given = _as_array(array)
        if given.dtype.kind in "OSU":
            encoded = _encode(given)
            place = self._place("BYTES", given.shape, offset, len(encoded))
            self._put_bytes(offset, encoded)
            return place
        place = self._place(datatype_of(given.dtype), given.shape, offset, given.nbytes)
        self._put_array(place, given)
        return place

    def read(self, tensor: RegionTensor) -> np.ndarray[Any, Any]:
        """A copy of a tensor of the region.

        Args:
            tensor: From `write` or `reserve`.

        Returns:
            Array of the tensor's shape; BYTES: dtype object, elements are `bytes`.

        Raises:
            ValueError: The bytes are no BYTES tensor of that shape, or the type is BF16.
            PyTritonRuntimeError: The region is closed.
        """
        data = self._get_bytes(tensor.offset, tensor.byte_size)
        if tensor.datatype == "BYTES":
            return _decode(data, tensor.shape)
        dtype = dtype_of(tensor.datatype)
        array: np.ndarray[Any, Any] = np.frombuffer(bytearray(data), dtype).reshape(tensor.shape)
        return array

    @abc.abstractmethod
    def _check_open(self) -> None:
        """Raises PyTritonRuntimeError when the region is closed."""

    @abc.abstractmethod
    def _registration(self) -> tuple[Any, ...]:
        """What tritonclient's registration takes."""

    @abc.abstractmethod
    def _put_bytes(self, offset: int, data: bytes) -> None: ...

    @abc.abstractmethod
    def _put_array(self, place: RegionTensor, array: np.ndarray[Any, Any]) -> None: ...

    @abc.abstractmethod
    def _get_bytes(self, offset: int, byte_size: int) -> bytes: ...

    def _leave_servers(self) -> None:
        clients, self._clients = self._clients, []
        for client in clients:
            try:
                self.unregister(client)
            except Exception:  # each client library has errors of its own
                continue

    def _place(
        self, datatype: str, shape: Sequence[int], offset: int, byte_size: int
    ) -> RegionTensor:
        if offset < 0 or byte_size < 0 or offset + byte_size > self.byte_size:
            raise ValueError(
                f"expected a tensor inside the {self.byte_size} bytes of region {self.name}, "
                f"got {byte_size} bytes at {offset}"
            )
        return RegionTensor(self, datatype, tuple(int(dim) for dim in shape), offset, byte_size)


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


def dtype_of(datatype: str) -> np.dtype[Any]:
    """The numpy type of an element type. Raises ValueError for others and BYTES."""
    if datatype not in _DTYPES:
        raise ValueError(f"expected one of {', '.join(_DTYPES)}, got {datatype}")
    return _DTYPES[datatype]


def datatype_of(dtype: np.dtype[Any]) -> str:
    """The element type of a numpy type. Raises ValueError for others."""
    for datatype, known in _DTYPES.items():
        if known == dtype:
            return datatype
    raise ValueError(f"expected a dtype that the protocol knows, got {dtype}")


def _as_array(array: npt.ArrayLike) -> np.ndarray[Any, Any]:
    if not isinstance(array, np.ndarray) and hasattr(array, "__dlpack__"):
        shared: np.ndarray[Any, Any] = np.from_dlpack(array)  # type: ignore[arg-type]
        return shared
    return np.asarray(array)


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
