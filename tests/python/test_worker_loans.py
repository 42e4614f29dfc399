"""Inputs that are lent to a worker: who wrote to them, and when they can be given back."""

from __future__ import annotations

import fcntl
import mmap
from typing import Any

import numpy as np
import pytest

from python.worker_kit import KINDS, Side


@pytest.fixture(params=[(kind, kernel) for kind in KINDS for kernel in ("scanned", "read")])
def loans(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Loans of a region full of ones, on a kernel that can scan pages and on one that can't."""
    kind, kernel = request.param
    side = Side(kind)
    side.pool[:] = b"\1" * len(side.pool)
    if kernel == "read" and kind == "hot":
        side.loans.can_scan = False
    elif kernel == "read":

        def unknown(*_: object) -> int:
            raise OSError(25, "Inappropriate ioctl for device")

        monkeypatch.setattr(fcntl, "ioctl", unknown)
    return side.loans


def test_an_input_that_was_read_is_sent_on_as_it_is(loans: Any):
    lent = np.frombuffer(loans.take(7, 4096, 1 << 20), np.uint8)
    assert lent.sum() == 1 << 20
    address = lent.__array_interface__["data"][0]
    assert loans.find(address + 64, 1000) == (7, 64)


@pytest.mark.parametrize("at", [0, 500_000, (1 << 20) - 1])
def test_an_input_that_was_written_is_not(loans: Any, at: int):
    lent = np.frombuffer(loans.take(7, 4096, 1 << 20), np.uint8)
    lent[at] = 2
    address = lent.__array_interface__["data"][0]
    assert loans.find(address, 1 << 20) is None


def test_a_write_is_forgotten_when_the_input_is_given_back(loans: Any):
    lent = np.frombuffer(loans.take(7, 4096, 1 << 20), np.uint8)
    lent[12345] = 2
    del lent
    assert loans.take_ended() == [7]
    again = np.frombuffer(loans.take(8, 4096, 1 << 20), np.uint8)
    assert again[12345] == 1
    assert loans.find(again.__array_interface__["data"][0], mmap.PAGESIZE) == (8, 0)


def test_an_input_is_out_while_anything_refers_to_it(loans: Any):
    lent = np.frombuffer(loans.take(7, 0, 1 << 20), np.uint8)
    part = lent[5:9]
    del lent
    assert loans.take_ended() == []
    del part
    assert loans.take_ended() == [7]


def test_a_page_that_two_inputs_share_is_cleaned_when_both_are_back(loans: Any):
    one = np.frombuffer(loans.take(7, 0, 5000), np.uint8)
    two = np.frombuffer(loans.take(8, 5000, 5000), np.uint8)
    one[4999] = 2
    del one
    assert loans.take_ended() == []
    assert two[0] == 1
    del two
    assert sorted(loans.take_ended()) == [7, 8]
    assert np.frombuffer(loans.take(9, 0, 5000), np.uint8)[4999] == 1


def test_only_bytes_of_one_input_are_sent_on(loans: Any):
    one = np.frombuffer(loans.take(7, 0, 5000), np.uint8)
    address = one.__array_interface__["data"][0]
    assert loans.find(address, 5001) is None
    assert loans.find(address - 1, 10) is None
    assert loans.find(address + 5000, 1) is None
    assert loans.find(address, 5000) == (7, 0)
