"""Servers in this process for the tests of this folder."""

from __future__ import annotations

import contextlib

import pytest

from python.running import ANY_PORTS, Running
from pytriton.model_config import ModelConfig
from pytriton.triton import Triton, TritonConfig


@pytest.fixture
def serve():
    """Starts a server with one model "M"; stops it after the test."""
    with contextlib.ExitStack() as stack:

        def start(function, inputs, outputs, strict=False, options=None, **config) -> Running:
            triton = Triton(config=TritonConfig(**ANY_PORTS), options=options)
            triton.bind("M", function, inputs, outputs, config=ModelConfig(**config), strict=strict)
            stack.enter_context(triton)
            running = Running(triton)
            stack.callback(running.close)
            return running

        yield start


@pytest.fixture(params=["http", "grpc"])
def protocol(request):
    return request.param
