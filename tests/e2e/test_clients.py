"""The clients with servers in other processes, and with servers that are not ours."""

from __future__ import annotations

import asyncio
import ssl

import numpy as np
import pytest

from e2e.harness import free_ports
from e2e.kserve_servers import TLS, grpc_server, http_server
from pytriton.client import (
    AsyncioModelClient,
    DecoupledModelClient,
    FuturesModelClient,
    ModelClient,
)
from pytriton.client.exceptions import (
    PyTritonClientInferenceServerError,
    PyTritonClientTimeoutError,
)

NOTHING = np.zeros(1, np.float32)  # seconds to sleep


@pytest.fixture(params=["http", "grpc"])
def protocol(request) -> str:
    return request.param


@pytest.fixture(params=[False, True], ids=["plain", "tls"])
def plain_server(request, protocol):
    kind = http_server if protocol == "http" else grpc_server
    with kind(request.param) as url:
        yield url


def url_of(server, protocol: str) -> str:
    return f"{protocol}://127.0.0.1:{getattr(server, protocol)}"


def test_tokens_are_sent_with_every_call(start, protocol):
    """Once not with readiness and configuration, so that these could not be restricted."""
    rule = "health,metadata,model-config,inference:triton-access-token=secret"
    server = start_restricted(start, rule)
    url = url_of(server, protocol)
    with ModelClient(url, "sleepy", access_token="secret") as client:
        assert client.infer_sample(NOTHING)["OUT"].tolist() == [0]
    with FuturesModelClient(url, "sleepy", access_token="secret") as client:
        assert client.infer_sample(NOTHING).result(30)["OUT"].tolist() == [0]
    with ModelClient(url, "sleepy") as client:  # at once, not after the time-out
        with pytest.raises(PyTritonClientInferenceServerError, match="restricted"):
            client.infer_sample(NOTHING)

    async def main():
        async with AsyncioModelClient(url, "sleepy", access_token="secret") as client:
            assert (await client.infer_sample(NOTHING))["OUT"].tolist() == [0]
        async with AsyncioModelClient(url, "sleepy") as client:
            with pytest.raises(PyTritonClientInferenceServerError, match="restricted"):
                await client.infer_sample(NOTHING)

    asyncio.run(main())


def start_restricted(start, rule: str):
    from e2e import harness

    kept = harness.Server.get
    headers = {"triton-access-token": "secret"}
    harness.Server.get = lambda self, path, port=None: self.call("GET", path, None, headers, port)
    try:
        return start("small.py", "--http-restricted-api", rule, "--grpc-restricted-protocol", rule)
    finally:
        harness.Server.get = kept


def test_connections_outlive_their_server(start, protocol):
    ports = free_ports(3)
    server = start("small.py", ports=ports)
    with ModelClient(url_of(server, protocol), "sleepy", init_timeout_s=30) as client:
        assert client.infer_sample(NOTHING)["OUT"].tolist() == [0]
        server.stop()
        with pytest.raises(PyTritonClientTimeoutError):
            client.infer_sample(NOTHING)
        start("small.py", ports=ports)
        assert client.infer_sample(NOTHING)["OUT"].tolist() == [0]


def test_a_deadline_passes_while_the_model_works(start, protocol):
    server = start("small.py")
    url = url_of(server, protocol)
    with ModelClient(url, "sleepy", inference_timeout_s=0.2) as client:
        with pytest.raises(PyTritonClientTimeoutError, match="Timeout occurred during inference"):
            client.infer_sample(NOTHING + 2)
    with ModelClient(url, "sleepy") as client:
        assert client.infer_sample(NOTHING)["OUT"].tolist() == [0]


def test_streams_from_another_process(zoo):
    with DecoupledModelClient(url_of(zoo, "grpc"), "count_down") as client:
        results = [*client.infer_sample(np.int32([3]))]
    assert len(results) >= 3


def test_servers_that_know_kserve_only(plain_server):
    tls = ssl.create_default_context(cafile=TLS / "cert.pem")
    with ModelClient(plain_server, "m", ssl_context=tls, init_timeout_s=30) as client:
        for _ in range(2):
            result = client.infer_sample(np.float32([1, 2]))
            assert result["y"].tolist() == [2, 4]
            assert result["text"].tolist() == ["é".encode()]
        with pytest.raises(PyTritonClientInferenceServerError, match="expected FP32"):
            client.infer_sample(np.int32([1]))
        assert not client.is_batching_supported

    async def main():
        async with AsyncioModelClient(plain_server, "m", ssl_context=tls) as client:
            results = await asyncio.gather(
                *[client.infer_sample(np.float32([number])) for number in range(20)]
            )
            assert [result["y"].tolist() for result in results] == [[2 * n] for n in range(20)]

    asyncio.run(main())


def test_servers_that_nobody_vouches_for_are_refused(protocol):
    kind = http_server if protocol == "http" else grpc_server
    with kind(True) as url:
        with ModelClient(url, "m") as client:  # at once, not after five minutes
            with pytest.raises(PyTritonClientTimeoutError, match=r"trusted.*certificate"):
                client.infer_sample(np.float32([1]))
