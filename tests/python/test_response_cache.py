"""Equal requests are answered from the cache, and only they."""

from __future__ import annotations

import http.client

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from pytriton.decorators import batch
from pytriton.exceptions import PyTritonValidationError
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

INPUTS = [Tensor(name="a", dtype=np.float32, shape=(-1,))]
OUTPUTS = [Tensor(name=name, dtype=np.float32, shape=(-1,)) for name in ("twice", "half")]
CACHE = {"cache-config": ["local,size=1048576"]}


@pytest.fixture
def calls():
    return []


@pytest.fixture
def double(calls):
    @batch
    def double(a):
        calls.append(a.tolist())
        if (a < 0).any() and len(calls) == 1:
            raise ValueError("below zero")
        return {"twice": a * 2, "half": a / 2}

    return double


def row(*values):
    return {"a": np.array([values], np.float32)}


def metric(running, name):
    connection = http.client.HTTPConnection("127.0.0.1", running.triton.metrics_port, timeout=30)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    return [float(line.split()[-1]) for line in lines if line.split("{")[0].split()[0] == name]


def test_an_equal_request_does_not_reach_the_callable(serve, double, calls, protocol):
    running = serve(double, INPUTS, OUTPUTS, options=CACHE, response_cache=True)
    answers = [running.infer(protocol, row(1, 2)) for _ in range(3)]
    assert [answer["twice"].tolist() for answer in answers] == [[[2, 4]]] * 3
    assert len(calls) == 1
    assert metric(running, "nv_cache_num_hits_per_model") == [2]
    assert metric(running, "nv_cache_num_misses_per_model") == [1]
    assert metric(running, "nv_cache_num_entries") == [1]
    assert metric(running, "nv_inference_count") == [1]
    assert metric(running, "nv_inference_request_success") == [3]


def test_other_outputs_parameters_and_shapes_are_other_requests(serve, double, calls, protocol):
    running = serve(double, INPUTS, OUTPUTS, options=CACHE, response_cache=True)
    assert set(running.infer(protocol, row(1, 2))) == {"twice", "half"}
    assert set(running.infer(protocol, row(1, 2), outputs=["half"])) == {"half"}
    tall = running.infer(protocol, {"a": np.array([[1], [2]], np.float32)})
    assert tall["twice"].tolist() == [[2], [4]]
    running.infer(protocol, row(1, 2), parameters={"p": 1})
    running.infer(protocol, row(1, 2), parameters={"p": "1"})
    assert len(calls) == 5


def test_errors_are_not_kept(serve, double, calls):
    running = serve(double, INPUTS, OUTPUTS, options=CACHE, response_cache=True)
    with pytest.raises(InferenceServerException, match="below zero"):
        running.infer("http", row(-1))
    assert running.infer("http", row(-1))["twice"].tolist() == [[-2]]


def test_answers_cross_protocols(serve, double, calls):
    running = serve(double, INPUTS, OUTPUTS, options=CACHE, response_cache=True)
    answers = [running.infer(protocol, row(3)) for protocol in ("http", "grpc")]
    assert answers[0]["half"].tolist() == answers[1]["half"].tolist() == [[1.5]]
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("options", "response_cache"), [(CACHE, False), ({}, True)], ids=["model off", "server off"]
)
def test_both_sides_must_ask_for_it(serve, double, calls, options, response_cache):
    running = serve(double, INPUTS, OUTPUTS, options=options, response_cache=response_cache)
    for _ in range(2):
        running.infer("http", row(1))
    assert len(calls) == 2


def test_decoupled_models_are_refused():
    def stream(requests):
        yield [{} for _ in requests]

    triton = Triton(config=TritonConfig(cache_config=["local,size=4096"], http_port=0))
    config = ModelConfig(response_cache=True, decoupled=True)
    triton.bind("M", stream, INPUTS, OUTPUTS, config=config)
    with pytest.raises(PyTritonValidationError, match="decoupled"):
        triton.run()


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (["size=5"], "No cache specified"),
        (["local"], "No cache specified"),
        (["local,size="], "option format is"),
        (["nosuch,size=1"], "unable to find 'libtritoncache_nosuch.so'"),
        (["local,size=1", "redis,host=x"], "only a single cache"),
        (["local,size=abc"], "Failed to initialize LocalCache"),
        (["local,foo=1"], "valid 'size' field"),
    ],
)
def test_bad_settings_end_the_start(values, text):
    with pytest.raises(PyTritonValidationError, match=text):
        Triton(config=TritonConfig(cache_config=values)).run()
