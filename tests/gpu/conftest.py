"""Tests with a real GPU: skipped, with the reason, where there is none."""

from __future__ import annotations

import pytest

from pytriton.exceptions import PyTritonError
from pytriton.shared_memory import CudaRegion


def _reason() -> str:
    """Why there is no device to test with; empty: there is one, and it is no fake."""
    try:
        with CudaRegion(1) as region:
            handle = region.raw_handle
    except PyTritonError as error:
        return str(error)
    return "the driver is the tests' fake" if handle.startswith(b"fakecuda") else ""


@pytest.fixture(scope="session", autouse=True)
def _device() -> None:
    reason = _reason()
    if reason:
        pytest.skip(f"no GPU: {reason}")
