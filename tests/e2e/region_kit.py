"""What tests of client memory share: a stock client, regions that go with the test, its inputs."""

from __future__ import annotations

import types
from collections.abc import Iterator

import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

from e2e.harness import Server

FLOAT = 4


def region_kit(server: Server, protocol: str, make_region) -> Iterator[types.SimpleNamespace]:
    """The body of a fixture. `make_region(client, *args)` makes and registers one region."""
    module = {"http": tritonclient.http, "grpc": tritonclient.grpc}[protocol]
    client = module.InferenceServerClient(f"127.0.0.1:{getattr(server, protocol)}")
    regions = []

    def region(*args, **options):
        regions.append(make_region(client, *args, **options))
        return regions[-1]

    def place(region, count: int, datatype: str = "FP32", size: int = 0, offset: int = 0):
        given = module.InferInput("IN", [1, count], datatype)
        given.set_shared_memory(region.name, size or count * FLOAT, offset)
        return given

    def wish(region, size: int, offset: int = 0):
        wanted = module.InferRequestedOutput("OUT")
        wanted.set_shared_memory(region.name, size, offset)
        return wanted

    yield types.SimpleNamespace(
        client=client, module=module, region=region, place=place, wish=wish, server=server
    )
    for made in regions:
        made.close()
    client.close()


def error_of(call) -> str:
    """What the server says against it."""
    with pytest.raises(InferenceServerException) as caught:
        call()
    return caught.value.message()
