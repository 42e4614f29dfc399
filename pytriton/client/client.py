"""The clients at the import path that programs know."""

from __future__ import annotations

from pytriton.client._asyncio_client import AsyncioModelClient
from pytriton.client._asyncio_decoupled_client import AsyncioDecoupledModelClient
from pytriton.client._base import (
    DEFAULT_INFERENCE_TIMEOUT_S,
    DEFAULT_INIT_TIMEOUT_S,
    BaseModelClient,
)
from pytriton.client._decoupled_client import DecoupledModelClient
from pytriton.client._futures_client import FuturesModelClient
from pytriton.client._model_client import ModelClient

__all__ = [
    "DEFAULT_INFERENCE_TIMEOUT_S",
    "AsyncioDecoupledModelClient",
    "AsyncioModelClient",
    "BaseModelClient",
    "DecoupledModelClient",
    "FuturesModelClient",
    "ModelClient",
]

_DEFAULT_SYNC_INIT_TIMEOUT_S = _DEFAULT_FUTURES_INIT_TIMEOUT_S = DEFAULT_INIT_TIMEOUT_S
