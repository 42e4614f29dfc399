"""Messages of batches whose requests or responses are alike."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from pytriton.backends import _messages as messages
from pytriton.backends._rows import ROWS
from pytriton.backends.python.tensor import from_wire

FP32, INT64, BYTES = 11, 9, 13


def record(key: int, arrays: list[np.ndarray]) -> bytes:
    """A request as csrc/backend/worker_flights.cc writes it in full."""
    head = messages._REQUEST.pack(key, 0, 0, 0, 0, 0, 0xFFFF, len(arrays), 0)
    return head + b"".join(tensor(index, array) for index, array in enumerate(arrays))


def tensor(index: int, array: np.ndarray) -> bytes:
    code = {"f": FP32, "i": INT64}[array.dtype.kind]
    rank, size = array.ndim, array.nbytes
    head = messages._TENSOR.pack(index, code, rank, 0, 0, 0, 0, size)
    return head + struct.pack(f"<{rank}q", *array.shape) + array.tobytes()


def row(key: int, arrays: list[np.ndarray]) -> bytes:
    return struct.pack("<Q", key) + b"".join(array.tobytes() for array in arrays)


@pytest.mark.parametrize("names", [["A"], ["A", "B"]])
def test_rows_are_read_as_if_each_request_were_written_in_full(names):
    decoder = messages.Decoder(None)
    decoder.set_names(names, ["Y"])
    shapes = [(1, 3), (1, 2)]
    kinds = [np.float32, np.int64]
    batch = [
        [
            np.arange(key, key + np.prod(shape), dtype=kind).reshape(shape)
            for _, shape, kind in zip(names, shapes, kinds)
        ]
        for key in range(5)
    ]
    begin = struct.pack("<II", 4, 5)
    full = begin + b"".join(record(key, arrays) for key, arrays in enumerate(batch))
    begin = struct.pack("<II", 4, 5 | ROWS) + record(0, batch[0])
    rows = begin + b"".join(row(key, arrays) for key, arrays in enumerate(batch) if key > 0)
    read, expected = (decoder.batch(memoryview(message)) for message in (rows, full))
    assert plain(*read) == plain(*expected)
    for request in read[1]:
        assert not memoryview(request.inputs[0][3]).readonly


def plain(sequence: int, requests: list) -> tuple:
    """A batch with the bytes of its tensors, wherever they lie."""
    inputs = [[(*raw[:3], bytes(raw[3])) for raw in request.inputs] for request in requests]
    return sequence, inputs, [request._replace(inputs=()) for request in requests]


@pytest.mark.parametrize("shape", [(1, 3), (3,), (2, 2, 1), (1, 300), ()])
@pytest.mark.parametrize("kind", [np.float32, np.int64])
def test_rows_of_one_tensor_are_its_arrays(shape, kind):
    decoder = messages.Decoder(None)
    decoder.set_names(["A"], ["Y"])
    size = int(np.prod(shape))
    batch = [np.arange(key, key + size, dtype=kind).reshape(shape) for key in range(4)]
    message = struct.pack("<II", 4, 4 | ROWS) + record(0, [batch[0]])
    message += b"".join(row(key, [array]) for key, array in enumerate(batch) if key > 0)
    _, requests = decoder.batch(memoryview(message))
    tensors = [from_wire(*request.inputs[0]) for request in requests]
    for key, tensor_read in enumerate(tensors):
        assert requests[key].key == key
        array = tensor_read.as_numpy()
        assert array is tensor_read.as_numpy()
        np.testing.assert_array_equal(array, batch[key], strict=True)
        array[...] = -1  # a model may write to it: those that follow are checked after that


def answers_of(arrays: list, code: int = FP32) -> list:
    return [(key, [("Y", code, array.shape, array)], None, "") for key, array in enumerate(arrays)]


def encode(answers: list) -> tuple[int, bytes]:
    """The number with its flag, and the message."""
    encoder = messages.Encoder(None, None)
    encoder.set_names(["Y"])
    message = encoder.responses(answers, True).payload()
    return struct.unpack_from("<I", message)[0], message


def test_alike_answers_become_rows():
    arrays = [np.full((1, 4), value, np.float32) for value in range(6)]
    count, message = encode(answers_of(arrays))
    assert count == 6 | ROWS
    first = messages._RESPONSE.pack(0, 1, 0, 1, 0, 0, 0) + tensor(0, arrays[0])
    rest = b"".join(row(key, [array]) for key, array in enumerate(arrays) if key > 0)
    assert message[4:] == first + rest


def unlike(change: str) -> list:
    answers = answers_of([np.zeros((1, 4), np.float32) for _ in range(3)])
    last = answers[2]
    array = np.zeros((2, 4), np.float32)
    if change == "shape":
        answers[2] = answers_of([array[:1].reshape(2, 2)])[0]
    elif change == "dtype":
        answers[2] = (last[0], [("Y", INT64, (1, 4), np.zeros((1, 4), np.int64))], None, "")
    elif change == "error":
        answers[2] = (last[0], (), (1, "no"), "")
    elif change == "parameters":
        answers[0] = (last[0], last[1], None, '{"a":1}')
    elif change == "later parameters":
        answers[2] = (last[0], last[1], None, '{"a":1}')
    elif change == "unknown output":
        answers = [
            (key, [*outputs, ("Z", *outputs[0][1:])], *rest) for key, outputs, *rest in answers
        ]
    elif change == "fewer outputs":
        answers[2] = (last[0], [], None, "")
    elif change == "text":
        data = b"\2\0\0\0ab"
        answers = [(key, [("Y", BYTES, (1,), data)], None, "") for key in range(3)]
    elif change == "lies about its size":
        answers[2] = (last[0], [("Y", FP32, (1, 4), array)], None, "")
    return answers


@pytest.mark.parametrize(
    "change",
    [
        *("shape", "dtype", "error", "parameters", "later parameters", "unknown output"),
        *("fewer outputs", "text", "lies about its size"),
    ],
)
def test_answers_that_differ_are_written_in_full(change):
    count, _ = encode(unlike(change))
    assert count == 3
