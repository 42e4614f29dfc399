"""Clients of models: sync, asyncio, streaming, futures; over HTTP and gRPC.

They speak KServe v2 with Triton's extensions, and need nothing but numpy.
"""

from __future__ import annotations

from pytriton.client.client import (
    AsyncioDecoupledModelClient,
    AsyncioModelClient,
    DecoupledModelClient,
    FuturesModelClient,
    ModelClient,
)

__all__ = [
    "AsyncioDecoupledModelClient",
    "AsyncioModelClient",
    "DecoupledModelClient",
    "FuturesModelClient",
    "ModelClient",
]
