from __future__ import annotations

import numpy as np
import pytest

from pytriton.proxy.types import Request, Response


@pytest.mark.parametrize("cls", [Request, Response])
def test_is_a_mapping_of_names_to_arrays(cls):
    a, b = np.zeros(1), np.ones(1)
    made = cls({"a": a})
    made["b"] = b
    assert list(made) == ["a", "b"] == list(made.keys())
    assert made["b"] is b
    assert "a" in made
    assert len(made) == 2
    assert dict(made) == {"a": a, "b": b} == dict(**made)
    del made["a"]
    assert list(made.values()) == [b]
    assert not hasattr(made, "get")


def test_a_request_without_a_server_is_never_cancelled():
    request = Request({"a": np.zeros(1)})
    assert request.cancelled is False
    assert request.id == ""
    assert (request.parameters, request.span, request.requested_output_names) == (None, None, None)
