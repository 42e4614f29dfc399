"""Decorated callables can be tested without a server, as PyTriton's users do."""

from __future__ import annotations

import numpy as np
import pytest

from pytriton.decorators import TritonContext, batch, fill_optionals, first_value
from pytriton.model_config import Tensor
from pytriton.model_config.triton_model_config import TritonModelConfig
from pytriton.models.model import _inject_triton_context
from pytriton.proxy.types import Request

CONFIG = TritonModelConfig(
    "M",
    inputs=[
        Tensor(name="a", dtype=np.float32, shape=(1,)),
        Tensor(name="b", dtype=np.float32, shape=(1,), optional=True),
    ],
    outputs=[Tensor(name="y", dtype=np.float32, shape=(1,))],
)
DEFAULT = np.array([7], np.float32)
ROWS = [np.ones((1, 1), np.float32), np.zeros((2, 1), np.float32)]


@fill_optionals(b=DEFAULT)
@batch
def function(a, b):
    return [a + b]


@batch
@first_value("b")
def nested(a, b):
    return [a * b]


class Object:
    @fill_optionals(b=DEFAULT)
    @batch
    def method(self, a, b):
        return [a + b]

    @fill_optionals(b=DEFAULT)
    @batch
    def __call__(self, a, b):
        return [a + b]


@pytest.mark.parametrize("make", [lambda: function, lambda: Object().method, lambda: Object()])
def test_a_context_makes_decorated_callables_work_without_a_server(make):
    made = make()
    target = made.__call__ if isinstance(made, Object) else made
    context = TritonContext()
    context.model_configs[target] = CONFIG
    assert _inject_triton_context(context, target) is target
    requests = [Request({"a": rows}) for rows in ROWS]
    assert [answer["y"].tolist() for answer in target(requests)] == [[[8]], [[7], [7]]]


def test_nested_decorators_find_it_as_well():
    context = TritonContext()
    context.model_configs[nested] = CONFIG
    _inject_triton_context(context, nested)
    rows = np.full((2, 1), 3, np.float32)
    (answer,) = nested([Request({"a": rows, "b": rows})])
    assert answer["y"].tolist() == [[9], [9]]
