from __future__ import annotations

import pytest

from pytriton import exceptions


@pytest.mark.parametrize("name", [n for n in exceptions.__all__ if n != "PyTritonError"])
def test_every_error_is_a_pytriton_error_with_its_message(name):
    error = getattr(exceptions, name)("what went wrong")
    assert isinstance(error, exceptions.PyTritonError)
    assert str(error) == error.message == "what went wrong"


def test_message_is_mandatory():
    with pytest.raises(TypeError):
        exceptions.PyTritonError()
