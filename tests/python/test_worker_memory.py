"""Where a worker's large results lie: born in shared memory, copied only when they must be."""

from __future__ import annotations

import mmap
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from pytriton import _core
from pytriton.backends import _arena
from pytriton.backends import _messages as messages
from pytriton.backends._loans import Loans
from pytriton.backends._results import SLOTS, Results
from pytriton.backends.python.response import InferenceResponse
from pytriton.backends.python.sender import InferenceResponseSender
from pytriton.backends.python.tensor import Tensor

SIZE = 1 << 30
FLOATS = 1 << 16  # 256 KB
FP32 = 11


class Memory:
    """A worker's memory without a worker."""

    def __init__(self) -> None:
        fd = os.memfd_create("results")
        os.ftruncate(fd, SIZE)
        self.results = Results(fd, SIZE)
        self.words = memoryview(mmap.mmap(-1, 4 * SLOTS)).cast("I")
        self.results.use_slots(self.words)
        loans = os.memfd_create("loans")
        os.ftruncate(loans, SIZE)
        self.encoder = messages.Encoder(Loans(loans, SIZE), self.results)
        self.encoder.set_names(["Y"])
        self.seen = mmap.mmap(fd, SIZE, prot=mmap.PROT_READ)  # as the server sees it

    def send(self, array: np.ndarray) -> tuple[int, int]:
        """Sends one response of one array; slot and offset that the server is told."""
        return self.send_all([(7, [("Y", FP32, array.shape, array)], None, "")])

    def send_all(self, answers: list) -> tuple[int, int]:
        """The same for answers as a host makes them."""
        return self.place_in(self.encoder.responses(answers, True).payload())

    def place_in(self, message: bytes) -> tuple[int, int]:
        at = 4 + messages._RESPONSE.size
        _, _, _, place, _, slot, offset, size = messages._TENSOR.unpack_from(message, at)
        assert place == messages._RESULT
        assert self.words[slot] == 1
        assert size == 4 * FLOATS
        return slot, offset

    def value(self, offset: int) -> float:
        return float(struct.unpack_from("<f", self.seen, offset)[0])

    def born(self, value: float) -> np.ndarray:
        """An array that a model would make while it executes."""
        arena = self.results.arena
        assert arena is not None
        before = arena.begin()
        try:
            return np.full(FLOATS, value, np.float32)
        finally:
            arena.end(before)

    def stream(self, response: InferenceResponse) -> tuple[int, int]:
        """Sends a response as a model's sender does, while the caller keeps it."""
        told = []

        class Recorder:
            def respond(_, key, outputs, error, parameters, final, sealed) -> None:
                told.append(
                    self.encoder.responses(((key, outputs, error, parameters),), final, sealed)
                )

        InferenceResponseSender(Recorder(), None, 7, is_decoupled=True).send(response, 1)
        return self.place_in(told[0].payload())

    def answers(self, value: float) -> list:
        """Answers that alone refer to their array."""
        array = self.born(value)
        return [(7, [("Y", FP32, array.shape, array)], None, "")]


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Memory:
    # In a checkout the sources lie elsewhere than the libraries.
    monkeypatch.setattr(_arena, "_DIRECTORY", str(Path(_core.__file__).parent))
    memory = Memory()
    assert memory.results.arena is None  # small models pay nothing for it
    slot, _ = memory.send(np.zeros(FLOATS, np.float32))
    assert slot < SLOTS // 2
    return memory


def address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


def test_a_result_that_nobody_refers_to_is_sent_from_where_it_was_born(memory: Memory):
    answers = memory.answers(5)
    born_at = address(answers[0][1][0][3]) - memory.results.base
    slot, offset = memory.send_all(answers)
    assert offset == born_at
    assert slot >= SLOTS // 2
    assert memory.value(offset) == 5


def test_a_piece_is_not_reused_before_it_was_sent(memory: Memory):
    slot, offset = memory.send_all(memory.answers(5))
    assert memory.send_all(memory.answers(6))[1] != offset
    assert memory.value(offset) == 5
    memory.words[slot] = 0
    offsets = {memory.send_all(memory.answers(value))[1] for value in (7, 8)}
    assert offset in offsets


@pytest.mark.parametrize("held", ["array", "view", "answer"])
def test_what_the_model_keeps_is_copied(memory: Memory, held: str):
    array = memory.born(5)
    answers = [(7, [("Y", FP32, array.shape, array)], None, "")]
    kept = {"array": array, "view": array[3:], "answer": answers[0]}[held]
    born_at = address(array) - memory.results.base
    del array
    slot, offset = memory.send_all(answers)
    assert offset != born_at
    assert slot < SLOTS // 2
    target = kept[1][0][3] if held == "answer" else kept
    target[:] = 6  # the model goes on with it
    assert memory.value(offset) == 5


@pytest.mark.parametrize("make", [lambda array: array, lambda array: array.reshape(2, -1)])
def test_a_streamed_result_is_sent_from_where_it_was_born(memory: Memory, make):
    response = InferenceResponse([Tensor("Y", make(memory.born(5)))])
    born_at = address(response.output_tensors()[0]._data) - memory.results.base
    slot, offset = memory.stream(response)
    assert offset == born_at
    # Whoever asks for it afterwards gets an array of his own, the same one each time.
    mine = response.output_tensors()[0].as_numpy()
    assert (mine == 5).all()
    mine[:] = 6
    assert memory.value(offset) == 5
    assert response.output_tensors()[0].as_numpy() is mine
    memory.words[slot] = 0
    assert memory.value(memory.stream(response)[1]) == 6


def test_a_streamed_result_can_be_sent_again(memory: Memory):
    response = InferenceResponse([Tensor("Y", memory.born(5))])
    offsets = {memory.stream(response)[1] for _ in range(3)}
    assert len(offsets) == 3
    assert {memory.value(offset) for offset in offsets} == {5}


@pytest.mark.parametrize("held", ["array", "view", "whole", "tensor's array"])
def test_what_a_model_keeps_of_a_stream_is_copied(memory: Memory, held: str):
    array = memory.born(5)
    kept = {"array": array, "view": array[3:], "whole": array}.get(held)
    given = array[:] if held == "whole" else array
    born_at = address(given) - memory.results.base
    response = InferenceResponse([Tensor("Y", given)])
    if held == "tensor's array":
        kept = response.output_tensors()[0].as_numpy()
    del array, given
    _, offset = memory.stream(response)
    assert offset != born_at
    kept[:] = 6
    assert memory.value(offset) == 5


def test_the_same_array_twice_is_sent_twice(memory: Memory):
    array = memory.born(5)
    output = ("Y", FP32, array.shape, array)
    answers = [(7, [output], None, ""), (8, [output], None, "")]
    del array, output
    memory.send_all(answers)
    assert sum(memory.words) == 3  # with that of the fixture


def test_arrays_can_grow_shrink_and_be_freed_anywhere(memory: Memory):
    array = memory.born(5)
    array.resize(4 * FLOATS, refcheck=False)
    assert (array[:FLOATS] == 5).all()
    array.resize(10, refcheck=False)
    assert (array == 5).all()
    small = memory.born(1)[:4].copy()
    del array
    assert (small == 1).all()
    assert np.zeros(FLOATS).any() == np.False_


def test_idle_memory_goes_back(memory: Memory):
    slot, offset = memory.send_all(memory.answers(5))
    fd = memory.results._fd
    memory.words[slot] = 0
    memory.words[0] = 0
    assert memory.results.needs_trim
    for _ in range(2):  # the second time it knows that nothing is in use any more
        memory.results.trim()
    assert os.fstat(fd).st_blocks == 0
    assert not memory.results.needs_trim
    assert memory.value(offset) == 0


def test_a_forked_child_writes_to_its_own(memory: Memory):
    array = memory.born(5)
    child = os.fork()
    if child == 0:
        array[:] = 9
        memory.born(9)
        os._exit(0 if (array == 9).all() else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert (array == 5).all()
