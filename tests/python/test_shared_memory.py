"""Regions of this process as clients use them. No guard is installed here: bytes are copied."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http

from python.running import ANY_PORTS, Running
from pytriton.decorators import batch
from pytriton.exceptions import PyTritonRuntimeError
from pytriton.model_config import ModelConfig, Tensor
from pytriton.shared_memory import SystemRegion, place_input, place_output
from pytriton.triton import Triton, TritonConfig, TritonSecurityConfig


@pytest.fixture(scope="module")
def running():
    @batch
    def double(IN):
        return {"OUT": IN * 2}

    @batch
    def same(IN):
        return {"OUT": IN}

    security = TritonSecurityConfig(restricted_endpoints=[])
    triton = Triton(config=TritonConfig(**ANY_PORTS), security_config=security)
    for name, function, dtype in (("M", double, np.float32), ("texts", same, bytes)):
        given, got = (Tensor(name=n, dtype=dtype, shape=(-1,)) for n in ("IN", "OUT"))
        triton.bind(name, function, [given], [got], config=ModelConfig(max_batch_size=8))
    with triton:
        running = Running(triton)
        yield running
        running.close()


def infer(running, protocol, source, target, model="M"):
    module = {"http": tritonclient.http, "grpc": tritonclient.grpc}[protocol]
    given = module.InferInput("IN", list(source.shape), source.datatype)
    wanted = module.InferRequestedOutput("OUT")
    getattr(running, protocol).infer(
        model, [place_input(given, source)], outputs=[place_output(wanted, target)]
    )


def exists(region: SystemRegion) -> bool:
    return os.path.exists(f"/dev/shm{region.key}")


def test_a_region_carries_inputs_and_outputs(running, protocol):
    data = np.arange(12, dtype=np.float32).reshape(2, 6)
    with SystemRegion(4096) as region:
        region.register(getattr(running, protocol))
        source = region.write(data, offset=100)
        target = region.reserve("FP32", data.shape, offset=1000)
        infer(running, protocol, source, target)
        np.testing.assert_array_equal(region.read(target), data * 2)
        np.testing.assert_array_equal(region.view(source), data)
    assert not exists(region)
    assert running.http.get_system_shared_memory_status() == []


def test_a_region_carries_strings(running, protocol):
    with SystemRegion(4096) as region:
        region.register(getattr(running, protocol))
        source = region.write(np.array([[b"one", b"", "dré".encode()]], dtype=object))
        target = region.reserve_bytes([1, 3], 100, offset=1000)
        infer(running, protocol, source, target, "texts")
        assert region.read(target).tolist() == [[b"one", b"", "dré".encode()]]


def test_only_what_fits_is_written():
    with SystemRegion(16) as region:
        with pytest.raises(ValueError, match="inside the 16 bytes"):
            region.write(np.zeros(5, np.float32))
        with pytest.raises(ValueError, match="inside the 16 bytes"):
            region.reserve("FP32", [1], offset=13)
        with pytest.raises(ValueError, match="got COMPLEX"):
            region.reserve("COMPLEX", [1])
        with pytest.raises(ValueError, match="complex64"):
            region.write(np.zeros(1, np.complex64))
    with pytest.raises(ValueError, match="more than 0 bytes"):
        SystemRegion(0)


def test_a_region_cleans_up_after_an_exception(running):
    region = SystemRegion(64)

    def use() -> None:
        with region:
            region.register(running.http)
            raise RuntimeError("on purpose")

    view = region.view(region.write(np.ones(4, np.float32)))
    with pytest.raises(RuntimeError, match="on purpose"):
        use()
    assert not exists(region)
    assert running.http.get_system_shared_memory_status() == []
    np.testing.assert_array_equal(view, np.ones(4, np.float32))
    with pytest.raises(PyTritonRuntimeError, match="closed"):
        region.write(np.ones(1, np.float32))


def test_a_killed_client_leaves_no_name():
    program = (
        "import os, signal\n"
        "from pytriton.shared_memory import SystemRegion\n"
        "region = SystemRegion(64)\n"
        "print(region.key, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], text=True, capture_output=True, check=False
    )
    path = f"/dev/shm{done.stdout.strip()}"
    end = time.monotonic() + 30
    while os.path.exists(path):
        assert time.monotonic() < end, f"{path} is still there"
        time.sleep(0.01)
