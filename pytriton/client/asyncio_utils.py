"""Helpers around a server for asyncio: states of models, waiting for readiness."""

from __future__ import annotations

import math
import ssl
from typing import Any

from pytriton.client._aio_transport import AioTransport
from pytriton.client._call import Call, Deadline, Speaker
from pytriton.client._steps import (
    read_config,
    run_steps_async,
    wait_for_loaded,
    wait_for_model,
    wait_for_server,
)
from pytriton.client._url import TritonUrl
from pytriton.client.utils import ModelState, state_in
from pytriton.model_config.triton_model_config import TritonModelConfig

__all__ = [
    "AsyncioServerClient",
    "asyncio_get_model_config",
    "asyncio_get_model_state",
    "asyncio_wait_for_model_ready",
    "asyncio_wait_for_model_status_loaded",
    "asyncio_wait_for_server_ready",
]

_DEFAULT_WAIT_FOR_MODEL_TIMEOUT_S = 60.0
_DEFAULT_ASYNC_SLEEP_FACTOR_S = 0.1


class AsyncioServerClient:
    """Talks to one server. Belongs to one event loop.

    Attributes:
        url: The server's.
        speaker: Speaks its protocol.
        transport: Carries the calls.
    """

    def __init__(
        self,
        url: TritonUrl,
        speaker: Speaker,
        network_timeout_s: float,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        """Makes no connection.

        Args:
            url: The server's.
            speaker: Speaks its protocol.
            network_timeout_s: Bounds each call that brings no bound of its own, in seconds.
            ssl_context: For https and grpcs.
        """
        self.url = url
        self.speaker = speaker
        self.transport = AioTransport(url, ssl_context)
        self._network_timeout_s = network_timeout_s

    async def call(self, call: Call, deadline: Deadline | None = None) -> Any:
        """Sends a call and reads its answer. Raises as AioTransport.call."""
        return await self.transport.call(call, deadline or Deadline(self._network_timeout_s))

    async def close(self) -> None:
        """Ends all connections. Idempotent."""
        await self.transport.close()


async def asyncio_get_model_state(
    client: AsyncioServerClient, model_name: str, model_version: str | None = None
) -> ModelState:
    """What a model does, from the repository index.

    Args:
        client: Of the server.
        model_name: Of the model.
        model_version: Its version; None: the highest.

    Raises:
        PyTritonClientInferenceServerError: The server refuses.
    """
    return state_in(await client.call(client.speaker.repository_index()), model_name, model_version)


async def asyncio_get_model_config(
    client: AsyncioServerClient,
    model_name: str,
    model_version: str | None = None,
    timeout_s: float = _DEFAULT_WAIT_FOR_MODEL_TIMEOUT_S,
) -> TritonModelConfig:
    """Waits for a model and reads its configuration.

    Args:
        client: Of the server.
        model_name: Of the model.
        model_version: Its version; None: the latest.
        timeout_s: Bounds both, in seconds.

    Raises:
        PyTritonClientTimeoutError: The model was not ready in time.
        PyTritonClientInferenceServerError: The server refuses.
    """
    deadline = Deadline(timeout_s)
    await asyncio_wait_for_model_ready(client, model_name, model_version, timeout_s)
    steps = read_config(client.speaker, model_name, model_version, deadline)
    return await run_steps_async(steps, client.call)


async def asyncio_wait_for_server_ready(
    client: AsyncioServerClient,
    sleep_time_s: float | None = None,
    timeout_s: float = _DEFAULT_WAIT_FOR_MODEL_TIMEOUT_S,
) -> None:
    """Waits until the server is live and ready.

    Args:
        client: Of the server.
        sleep_time_s: Longest pause between tries, in seconds; None: it grows to a second.
        timeout_s: How long, in seconds.

    Raises:
        PyTritonClientTimeoutError: It was not in time.
        PyTritonClientInferenceServerError: It refuses to tell.
    """
    steps = wait_for_server(client.speaker, Deadline(timeout_s), _longest(sleep_time_s))
    await run_steps_async(steps, client.call)


async def asyncio_wait_for_model_status_loaded(
    client: AsyncioServerClient,
    model_name: str,
    sleep_time_s: float | None = None,
    model_version: str | None = None,
    timeout_s: float = _DEFAULT_WAIT_FOR_MODEL_TIMEOUT_S,
) -> None:
    """Waits until a model is ready, whatever the server says of itself.

    Args:
        client: Of the server.
        model_name: Of the model.
        sleep_time_s: Longest pause between tries, in seconds; None: it grows to a second.
        model_version: Its version; None: the latest.
        timeout_s: How long, in seconds.

    Raises:
        PyTritonClientTimeoutError: It was not in time.
        PyTritonClientInferenceServerError: The server refuses to tell.
    """
    steps = wait_for_loaded(
        client.speaker, model_name, model_version, Deadline(timeout_s), _longest(sleep_time_s)
    )
    await run_steps_async(steps, client.call)


async def asyncio_wait_for_model_ready(
    client: AsyncioServerClient,
    model_name: str,
    model_version: str | None = None,
    timeout_s: float = _DEFAULT_WAIT_FOR_MODEL_TIMEOUT_S,
) -> None:
    """Waits until the server and then the model are ready.

    Args:
        client: Of the server.
        model_name: Of the model.
        model_version: Its version; None: the latest.
        timeout_s: How long, in seconds; 0: ask once.

    Raises:
        PyTritonClientTimeoutError: They were not in time.
        PyTritonClientInferenceServerError: The server refuses to tell.
    """
    steps = wait_for_model(client.speaker, model_name, model_version, timeout_s)
    await run_steps_async(steps, client.call)


def _longest(pause_s: float | None) -> float:
    return math.inf if pause_s is None else pause_s
