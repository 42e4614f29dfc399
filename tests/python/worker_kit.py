"""The server's side of a worker's memory, and the worker's channel over it, of either kind."""

from __future__ import annotations

import mmap
import os
import struct
import threading
from pathlib import Path

import numpy as np

from pytriton import _core
from pytriton.backends import _messages as messages
from pytriton.backends import _native
from pytriton.backends._channel import HostError
from pytriton.backends._hot_link import HotLink, open_port
from pytriton.backends._link import Link
from pytriton.backends._loans import Loans
from pytriton.backends._results import Results
from pytriton.backends._ring import ELSEWHERE, POINTER, Ring

KINDS = ["twin", "hot"]  # in Python, in C++
FP32 = 11
POOL_BYTES = 8 << 20
RESULT_BYTES = 1 << 30
RING_BYTES = 256 << 10
TO_WORKER, FROM_WORKER, TOTAL = 128 << 10, (128 << 10) + RING_BYTES, (128 << 10) + 2 * RING_BYTES
TO_TAIL, FROM_TAIL, FROM_HEAD, READER = 0, 32, 48, 49
HEADER = struct.Struct("<II")
DONE = struct.Struct("<IQB")


SMALL = np.arange(6, dtype=np.float32).reshape(1, 6)
LARGE = np.arange(1 << 16, dtype=np.float32)  # 256 KB


def hot_module():
    # In a checkout the sources lie elsewhere than the libraries.
    module = _native.load(str(Path(_core.__file__).parent))
    assert module is not None
    return module


def memory_file(name: str, size: int) -> int:
    fd = os.memfd_create(name)
    os.ftruncate(fd, size)
    return fd


class Side:
    """What the server sees of a worker.

    Args:
        kind: of the worker's channel.
    """

    def __init__(self, kind: str) -> None:
        ring_fd = memory_file("ring", TOTAL)
        self.pool_fd = memory_file("pool", POOL_BYTES)
        results_fd = memory_file("results", RESULT_BYTES)
        # Pipes in place of eventfds, which Python has since 3.10.
        pipes = [os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) for _ in range(2)]
        self._heard = [heard for heard, _ in pipes]
        self.bells = [bell for _, bell in pipes]
        self.memory = memoryview(mmap.mmap(ring_fd, TOTAL))
        self.words = self.memory[:4096].cast("I")
        self.pool = mmap.mmap(self.pool_fd, POOL_BYTES)
        self.seen = mmap.mmap(results_fd, RESULT_BYTES, prot=mmap.PROT_READ)
        self.results = Results(results_fd, RESULT_BYTES)
        self._write = 0
        self._read = 0
        main = threading.get_ident()
        if kind == "hot":
            port = open_port(hot_module(), ring_fd, self.bells, self.pool_fd, self.results)
            self.loans = port
            self.link = HotLink(port, self.results, main)
        else:
            self.loans = Loans(self.pool_fd, POOL_BYTES)
            ring = Ring(ring_fd, *self.bells, self.results)
            self.link = Link(ring, self.results, self.loans, main)
        self.link.set_names(["X", "Z"], ["Y", "T"])
        for fd in (ring_fd, results_fd, self.pool_fd):
            os.close(fd)

    def put(self, code: int, payload: bytes) -> None:
        """Sends one message to the worker."""
        needed = 8 + (len(payload) + 7) // 8 * 8
        to_end = RING_BYTES - self._write % RING_BYTES
        if to_end < needed:
            HEADER.pack_into(self.memory, TO_WORKER + self._write % RING_BYTES, to_end - 8, 0)
            self._write += to_end
        at = TO_WORKER + self._write % RING_BYTES
        HEADER.pack_into(self.memory, at, len(payload), code)
        self.memory[at + 8 : at + 8 + len(payload)] = payload
        self._write += needed
        self.words[TO_TAIL] = self._write & 0xFFFFFFFF

    def take(self) -> list[tuple[int, bytes]]:
        """All messages that the worker has sent, in one piece wherever they lay."""
        found = []
        while self.words[FROM_TAIL] != self._read & 0xFFFFFFFF:
            at = FROM_WORKER + self._read % RING_BYTES
            size, code = HEADER.unpack_from(self.memory, at)
            data = bytes(self.memory[at + 8 : at + 8 + size])
            self._read += 8 + (size + 7) // 8 * 8
            self.words[FROM_HEAD] = self._read & 0xFFFFFFFF
            if code & ELSEWHERE:
                offset, size, slot = POINTER.unpack(data)
                data = self.seen[offset : offset + size]
                self.sent(slot)
            if code:
                found.append((code & ~ELSEWHERE, data))
        return found

    def sent(self, slot: int) -> None:
        """The server has sent on what lies there."""
        self.results._words[slot] = 0

    def lend(self, number: int, offset: int, array: np.ndarray) -> bytes:
        """An input X in the pool."""
        self.pool[offset : offset + array.nbytes] = array.tobytes()
        return tensor(0, array, (2, number, offset))

    def rings(self) -> list[int]:
        """How often each bell was rung."""
        counts = []
        for heard in self._heard:
            try:
                counts.append(len(os.read(heard, 4096)) // 8)
            except BlockingIOError:
                counts.append(0)
        return counts


def tensor(index: int, array: np.ndarray, place=(0, 0, 0)) -> bytes:
    """A tensor as csrc/backend/worker_flights.cc writes it."""
    code = {"f": FP32, "i": 9}[array.dtype.kind]
    where, number, offset = place
    head = messages._TENSOR.pack(index, code, array.ndim, where, 0, number, offset, array.nbytes)
    dims = struct.pack(f"<{array.ndim}q", *array.shape)
    return head + dims + (array.tobytes() if where == 0 else b"")


def request(key: int, tensors: list[bytes], **fields) -> bytes:
    """A request; `text` is a correlation id, `wanted` are places, `parameters` bytes and count."""
    name = fields.get("id", "").encode()
    text = fields.get("text", "").encode()
    wanted = fields.get("wanted")
    parameters, count = fields.get("parameters", (b"", 0))
    head = messages._REQUEST.pack(
        *(key, fields.get("correlation", 0), fields.get("timeout", 0), fields.get("flags", 0)),
        *(len(name), len(text), 0xFFFF if wanted is None else len(wanted), len(tensors), count),
    )
    places = b"" if wanted is None else struct.pack(f"<{len(wanted)}H", *wanted)
    return head + name + text + places + parameters + b"".join(tensors)


def batch(sequence: int, requests: list[bytes]) -> bytes:
    return struct.pack("<II", sequence, len(requests)) + b"".join(requests)


def without_times(found: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Messages with no time in what tells of a batch's end, and without what a thread sends."""
    plain = []
    for code, data in found:
        if code == messages.RELEASE:
            continue
        if code == messages.BATCH_DONE:
            sequence, _, has_failed = DONE.unpack_from(data)
            data = DONE.pack(sequence, 0, has_failed) + data[DONE.size :]
        plain.append((code, data))
    return plain


def run(side: Side, host, content: bytes) -> list[tuple[int, bytes]]:
    """One batch as `_worker.py` runs it; what the server gets."""
    side.put(messages.BATCH, content)
    code, requests = side.link.receive(1)
    assert code == messages.BATCH
    failure = None
    arena = side.results.arena
    before = None if arena is None else arena.begin()
    try:
        host.execute(requests)
    except HostError as error:
        failure = str(error).splitlines()[0]
    except Exception as error:
        failure = type(error).__name__
    if arena is not None:
        arena.end(before)
    requests.clear()
    del requests
    side.link.end_batch(failure)
    return without_times(side.take())


# A model whose method `answer` is written by the test.
CODE = """
KEPT = []

class Answer(pb_utils.InferenceResponse):
    pass

def y(array, name="Y"):
    return pb_utils.Tensor(name, array)

def respond(*tensors, **more):
    return pb_utils.InferenceResponse(list(tensors), **more)

class TritonPythonModel:
    def execute(self, requests):
        x = [r.inputs()[0].as_numpy() for r in requests]
        return self.answer(requests, x)

    def answer(self, requests, x):
"""
BATCHES = {
    "one": [request(7, [tensor(0, SMALL)])],
    "three": [request(key, [tensor(0, SMALL + key)]) for key in (4, 9, 1)],
    "eight": [request(key, [tensor(0, SMALL + key)]) for key in range(8)],
}
