"""Inputs that are lent to a worker: who wrote to them, and when they can be given back."""

from __future__ import annotations

import fcntl
import mmap
import os

import numpy as np
import pytest

from pytriton.backends._loans import Loans

SIZE = 4 << 20


@pytest.fixture(params=["scanned", "read"])
def loans(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Loans:
    """Loans of a region full of ones, on a kernel that can scan pages and on one that can't."""
    if request.param == "read":

        def unknown(*_: object) -> int:
            raise OSError(25, "Inappropriate ioctl for device")

        monkeypatch.setattr(fcntl, "ioctl", unknown)
    fd = os.memfd_create("loans")
    os.write(fd, b"\1" * SIZE)
    loans = Loans(fd, SIZE)
    os.close(fd)
    return loans


def test_an_input_that_was_read_is_sent_on_as_it_is(loans: Loans):
    lent = np.frombuffer(loans.take(7, 4096, 1 << 20), np.uint8)
    assert lent.sum() == 1 << 20
    address = lent.__array_interface__["data"][0]
    assert loans.find(address + 64, 1000) == (7, 64)


@pytest.mark.parametrize("at", [0, 500_000, (1 << 20) - 1])
def test_an_input_that_was_written_is_not(loans: Loans, at: int):
    lent = np.frombuffer(loans.take(7, 4096, 1 << 20), np.uint8)
    lent[at] = 2
    address = lent.__array_interface__["data"][0]
    assert loans.find(address, 1 << 20) is None


def test_a_write_is_forgotten_when_the_input_is_given_back(loans: Loans):
    lent = np.frombuffer(loans.take(7, 4096, 1 << 20), np.uint8)
    lent[12345] = 2
    del lent
    assert loans.take_ended() == [7]
    again = np.frombuffer(loans.take(8, 4096, 1 << 20), np.uint8)
    assert again[12345] == 1
    assert loans.find(again.__array_interface__["data"][0], mmap.PAGESIZE) == (8, 0)


def test_an_input_is_out_while_anything_refers_to_it(loans: Loans):
    lent = np.frombuffer(loans.take(7, 0, 1 << 20), np.uint8)
    part = lent[5:9]
    del lent
    assert loans.take_ended() == []
    del part
    assert loans.take_ended() == [7]
