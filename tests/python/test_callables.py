from __future__ import annotations

import functools

import numpy as np
import pytest

from pytriton._callables import ARRAYS, REQUESTS, STREAM, make_instance
from pytriton.decorators import batch, fill_optionals, sample


def plain(requests):
    return requests


async def coroutine(requests):
    return requests


def generator(requests):
    yield requests


async def async_generator(requests):
    yield requests


@batch
def arrays(a):
    return {"x": a}


@batch
def stream_of_arrays(a):
    yield {"x": a}


class Model:
    @batch
    def method(self, a):
        return {"x": a}

    @batch
    def __call__(self, a):
        return {"x": a}


class Streamer:
    def __call__(self, requests):
        yield requests


FILLED = fill_optionals(a=np.zeros(1))(arrays)


@pytest.mark.parametrize(
    ("function", "form", "decoupled_form"),
    [
        (plain, REQUESTS, REQUESTS),
        (lambda requests: requests, REQUESTS, REQUESTS),
        (functools.partial(plain), REQUESTS, REQUESTS),
        (coroutine, REQUESTS, STREAM),
        (functools.partial(coroutine), REQUESTS, STREAM),
        (generator, REQUESTS, STREAM),
        (async_generator, REQUESTS, STREAM),
        (Streamer(), REQUESTS, STREAM),
        (Streamer().__call__, REQUESTS, STREAM),
        (arrays, ARRAYS, ARRAYS),
        (Model().method, ARRAYS, ARRAYS),
        (Model(), ARRAYS, ARRAYS),
        (stream_of_arrays, REQUESTS, STREAM),
        (FILLED, REQUESTS, REQUESTS),
        (sample(lambda a: {"x": a}), REQUESTS, REQUESTS),
    ],
)
def test_form_is_decided_by_the_outermost_callable(function, form, decoupled_form):
    assert make_instance(function, decoupled=False, batching=True).form == form
    assert make_instance(function, decoupled=True, batching=True).form == decoupled_form


def test_without_batching_sample_takes_arrays_and_batch_takes_requests():
    assert make_instance(sample(lambda a: a), decoupled=False, batching=False).form == ARRAYS
    assert make_instance(arrays, decoupled=False, batching=False).form == REQUESTS


def test_target_under_batch_takes_arrays_and_is_bound():
    model = Model()
    for function in (arrays, model.method, model):
        target = make_instance(function, decoupled=False, batching=True).target
        assert target(a=1) == {"x": 1}


@pytest.mark.parametrize("count", [0, 2])
def test_a_generator_that_is_not_decoupled_must_yield_once(count):
    def function(requests):
        for _ in range(count):
            yield requests

    target = make_instance(function, decoupled=False, batching=True).target
    with pytest.raises(ValueError, match="must give exactly one response"):
        target([])


def test_a_generator_that_is_not_decoupled_gives_its_item():
    assert make_instance(generator, decoupled=False, batching=True).target([1]) == [1]
