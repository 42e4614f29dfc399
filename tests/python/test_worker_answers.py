"""Answers of a worker's batches, written in Python and in C++: the same, byte for byte."""

from __future__ import annotations

import gc
import resource
import struct
from pathlib import Path

import numpy as np
import pytest

from python.fake_channel import host_of
from python.worker_kit import (
    BATCHES,
    CODE,
    KINDS,
    LARGE,
    SMALL,
    Side,
    batch,
    request,
    run,
    tensor,
    without_times,
)
from pytriton import _core
from pytriton.backends import _arena
from pytriton.backends import _messages as messages


@pytest.fixture(autouse=True)
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    # In a checkout the sources lie elsewhere than the libraries.
    monkeypatch.setattr(_arena, "_DIRECTORY", str(Path(_core.__file__).parent))


@pytest.fixture(params=KINDS)
def side(request: pytest.FixtureRequest) -> Side:
    return Side(request.param)


# What models do with the arrays `x` of their requests.
ANSWERS = {
    "what came": "return [respond(y(a)) for a in x]",
    "two outputs": "return [respond(y(a), y(a + 1, 'T')) for a in x]",
    "other order": "return [respond(y(a, 'T'), y(a + 1)) for a in x]",
    "unknown output": "return [respond(y(a), y(a, 'W')) for a in x]",
    "only unknown": "return [respond(y(a, 'W')) for a in x]",
    "nothing": "return [respond() for a in x]",
    "shapes that differ": "return [respond(y(a[: 1 + i])) for i, a in enumerate(x)]",
    "types that differ": "return [respond(y(a.astype(f'f{4 + 4 * (i % 2)}')))"
    " for i, a in enumerate(x)]",
    "transposed": "return [respond(y(np.ones((2, 3)).T)) for a in x]",
    "no dimensions": "return [respond(y(np.array(5, np.int16))) for a in x]",
    "no elements": "return [respond(y(np.zeros((0, 3), bool))) for a in x]",
    "half floats": "return [respond(y(a.astype(np.float16))) for a in x]",
    "text": "return [respond(y(np.array([b'a', b'longer'], object))) for a in x]",
    "read-only": "a = np.ones(3); a.flags.writeable = False; return [respond(y(a)) for _ in x]",
    "error": "return [respond(error=pb_utils.TritonError('no')) for a in x]",
    "parameters": "return [respond(y(a), parameters={'a': 1}) for a in x]",
    "a class of its own": "return [Answer([y(a)]) for a in x]",
    "None": "return None",
    "too few": "return []",
    "no response": "return [5 for a in x]",
    "no list": "return tuple(respond(y(a)) for a in x)",
    "raises": "raise ValueError('no')",
    "requests that are gone": "requests.clear(); return [respond(y(a)) for a in x]",
    "a sender": "requests[0].get_response_sender().send(respond(y(x[0])), 1);"
    "return [None] + [respond(y(a)) for a in x[1:]]",
    "rescheduled": "requests[0].set_release_flags(2);"
    "return [None] + [respond(y(a)) for a in x[1:]]",
    "outputs added later": "r = [respond(y(a)) for a in x]; [o.output_tensors().append(y(a, 'T'))"
    " for o, a in zip(r, x)]; return r",
    "junk added later": "r = [respond(y(a)) for a in x]; r[-1].output_tensors().append(3);return r",
    "a hollow tensor": "t = y(x[0]); r = [respond(t) for a in x]; del t._data; return r",
    "an odd name": "t = y(x[0]); t._name = 7; return [respond(t) for a in x]",
    "an odd shape": "t = y(x[0]); t._shape = list(t._shape); return [respond(t) for a in x]",
    "an odd dimension": "t = y(x[0]); t._shape = (1 << 70,); return [respond(t) for a in x]",
    "an odd type": "t = y(x[0]); t._code = 'f'; return [respond(t) for a in x]",
    "an odd response": "r = [respond(y(a)) for a in x]; del r[-1]._error; return r",
    "an array that shrank": "a = np.ones(9, np.float32); r = [respond(y(a)) for _ in x];"
    "a.resize(2, refcheck=False); return r",
    "turned later": "t = y(np.ones((2, 3), np.float32)); t._data = np.ones((3, 2), np.float32).T;"
    "return [respond(t) for _ in x]",
    "large": "return [respond(y(np.full(1 << 15, i, np.float32))) for i in range(len(x))]",
    "large and small": "return [respond(y(np.ones(1 << 15)), y(a, 'T')) for a in x]",
    "more than a message": "return [respond(y(np.full(4000, i, np.float32)))"
    " for i in range(6 * len(x))][: len(x)]",
}


def told(kind: str, tmp_path, code: str, content: bytes) -> list:
    side = Side(kind)
    body = "".join(f"        {line}\n" for line in code.split("\n"))
    host, _ = host_of(tmp_path, CODE + body, channel=side.link)
    # Twice: the second time it is known that results are large.
    return [run(side, host, content), run(side, host, content), sum(side.results._words)]


@pytest.mark.parametrize("size", BATCHES)
@pytest.mark.parametrize("name", ANSWERS)
def test_answers_are_written_as_in_python(tmp_path, name: str, size: str):
    content = batch(3, BATCHES[size])
    twin, hot = (told(kind, tmp_path, ANSWERS[name], content) for kind in KINDS)
    assert hot == twin
    assert twin[0][-1][0] == messages.BATCH_DONE


def lent(side: Side) -> bytes:
    """A batch of two large inputs that share a page."""
    one = side.lend(21, 4224, LARGE)
    two = side.lend(22, 4224 + LARGE.nbytes, LARGE[:5000])
    return batch(3, [request(1, [one]), request(2, [two])])


# What models do with large inputs, and whether each goes back to the client without a copy.
LOANS = {
    "passed on": ("return [respond(y(a)) for a in x]", [True, True]),
    "parts": ("return [respond(y(a[64:-64])) for a in x]", [True, True]),
    "read and kept": ("KEPT.extend(x); return [respond(y(a)) for a in x]", [True, True]),
    "written": ("x[0][-1] = 5; return [respond(y(a)) for a in x]", [False, False]),
    "written at the begin": ("x[0][0] = 5; return [respond(y(a)) for a in x]", [False, True]),
    "a part beside what was written": (
        "x[0][0] = 5; return [respond(y(a[10000:])) for a in x[:1]] + [respond(y(x[1]))]",
        [True, True],
    ),
    "written and kept": (
        "x[0][0] = 5; KEPT.append(x[0]); return [respond(y(a)) for a in x]",
        [False, True],
    ),
    "not passed on": ("return [respond(y(a[:4] + 1)) for a in x]", []),
    "twice": ("return [respond(y(x[0])), respond(y(x[0]))]", [True, True]),
}


def places(message: bytes, count: int) -> list[tuple[int, int, int, int]]:
    """Place, number, offset and size of the only output of each response."""
    at = 4
    found = []
    for _ in range(count):
        at += messages._RESPONSE.size
        _, _, rank, place, _, number, offset, size = messages._TENSOR.unpack_from(message, at)
        at += messages._TENSOR.size + 8 * rank + (size if place == 0 else 0)
        found.append((place, number, offset, size))
    return found


@pytest.mark.parametrize("name", LOANS)
def test_inputs_are_passed_on_if_nobody_wrote_to_them(side: Side, tmp_path, name: str):
    code, are_inputs = LOANS[name]
    host, _ = host_of(tmp_path, CODE + f"        {code}\n", channel=side.link)
    sent = dict(run(side, host, lent(side)))
    found = places(sent[messages.RESPONSES], len(are_inputs))
    assert [place == 2 for place, *_ in found] == are_inputs
    for place, slot, offset, size in found:
        if place == 1:  # what the model wrote is sent
            assert np.frombuffer(side.seen[offset : offset + size], np.float32).size * 4 == size
            if name.startswith("written"):
                values = np.frombuffer(side.seen[offset : offset + size], np.float32)
                assert (5 in (values[0], values[-1])) == (slot == found[0][1])
    order = list(sent)
    assert order[0] == messages.RESPONSES
    assert order[-1] == messages.BATCH_DONE


def test_loans_come_back_with_the_end_of_their_batch(side: Side, tmp_path):
    code = "        return [respond(y(a)) for a in x]\n"
    host, _ = host_of(tmp_path, CODE + code, channel=side.link)
    for _ in range(3):
        sent = run(side, host, lent(side))
        assert [one[0] for one in sent] == [
            messages.RESPONSES,
            messages.RETURN_INPUTS,
            messages.BATCH_DONE,
        ]
        count, *numbers = struct.unpack("<3I", sent[1][1])
        assert (count, set(numbers)) == (2, {21, 22})


def test_a_write_is_forgotten_when_its_loan_comes_back(side: Side, tmp_path):
    code = "        x[0][:] = 7\n        return [respond(y(a[:4])) for a in x]\n"
    host, _ = host_of(tmp_path, CODE + code, channel=side.link)
    run(side, host, lent(side))
    side.put(messages.BATCH, lent(side))
    _, requests = side.link.receive(1)
    assert bytes(requests[0].inputs[0][3]) == LARGE.tobytes()


def test_what_a_model_keeps_of_its_inputs_stays_lent(side: Side, tmp_path):
    code = "        KEPT.append(x[0][5:9])\n        return [respond(y(a[:4])) for a in x]\n"
    host, _ = host_of(tmp_path, CODE + code, channel=side.link)
    assert dict(run(side, host, lent(side)))[messages.RETURN_INPUTS] == struct.pack("<II", 1, 22)
    host._module.KEPT.clear()
    gc.collect()
    side.link.return_inputs()
    assert side.take() == [(messages.RETURN_INPUTS, struct.pack("<II", 1, 21))]


KEEPS = {
    "nothing": ("", True),
    "the array": ("KEPT.append(a)", False),
    "a view": ("KEPT.append(a[3:])", False),
    "the tensor": ("KEPT.append(t)", False),
    "the response": ("KEPT.append(r)", False),
    "the list": ("KEPT.append(l)", False),
}


@pytest.mark.parametrize("name", KEEPS)
def test_a_result_is_sent_from_where_it_was_born_if_nobody_has_it(side: Side, tmp_path, name):
    keep, is_in_place = KEEPS[name]
    code = f"""
        a = np.full(1 << 16, 3, np.float32)
        t = y(a)
        r = respond(t)
        l = [r]
        {keep}
        return l
"""
    host, _ = host_of(tmp_path, CODE + code, channel=side.link)
    content = batch(3, [request(7, [tensor(0, SMALL)])])
    run(side, host, content)  # from now on there is an arena
    sent = dict(run(side, host, content))
    ((place, slot, offset, _),) = places(sent[messages.RESPONSES], 1)
    assert place == 1
    assert (slot >= len(side.results._words) // 2) == is_in_place
    assert struct.unpack_from("<f", side.seen, offset) == (3,)


def test_a_batch_fails_if_there_is_no_room_for_a_written_input(side: Side, tmp_path, monkeypatch):
    code = "        x[0][0] = 5\n        return [respond(y(a)) for a in x]\n"
    host, _ = host_of(tmp_path, CODE + code, channel=side.link)

    def refuse(data: object) -> None:
        raise MemoryError("too many results wait to be sent")

    monkeypatch.setattr(side.results, "copy", refuse)
    side.put(messages.BATCH, lent(side))
    _, requests = side.link.receive(1)
    with pytest.raises(MemoryError, match="too many"):  # noqa: PT012
        host.execute(requests)
        requests.clear()
        side.link.end_batch(None)
    requests.clear()
    side.link.end_batch("no room")
    sent = without_times(side.take())
    assert messages.RESPONSES not in dict(sent)
    assert sent[-1][1].endswith(b"no room")


def test_batches_leave_no_memory_behind(side: Side, tmp_path):
    """Each batch that leaked a kilobyte would show as 20 MB."""
    names = ("two outputs", "unknown output", "error", "no response", "a hollow tensor", "large")
    hosts = []
    for name in names:
        body = "".join(f"        {line}\n" for line in ANSWERS[name].split("\n"))
        hosts.append(host_of(tmp_path, CODE + body, channel=side.link)[0])

    def go(rounds: int) -> None:
        for number in range(rounds):
            sent = run(side, hosts[number % len(hosts)], batch(number, BATCHES["three"]))
            side.rings()
            for code, data in sent:
                if code == messages.RESPONSES and len(data) > 100:
                    for slot in range(64):
                        side.sent(slot)
                    for slot in range(8192, 8256):
                        side.sent(slot)

    go(2000)
    gc.collect()
    before = resident()
    go(20_000)
    gc.collect()
    assert resident() - before < 8 << 20


def resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * resource.getpagesize()
