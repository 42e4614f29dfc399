"""Helpers around a server for asyncio: states of models, waiting for readiness."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any, Callable

from pytriton.client._aio_transport import AioTransport
from pytriton.client._call import Call, Deadline, Speaker
from pytriton.client._url import TritonUrl
from pytriton.client.exceptions import PyTritonClientInferenceServerError
from pytriton.client.utils import (
    ModelState,
    is_final,
    model_config_of_metadata,
    model_timeout,
    pauses,
    probe,
    server_timeout,
    state_in,
    untrusted,
    version_text,
)
from pytriton.model_config.parser import ModelConfigParser
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
    version = version_text(model_version)
    config = await client.call(client.speaker.model_config(model_name, version), deadline)
    if config is None:
        found = await client.call(client.speaker.model_metadata(model_name, version), deadline)
        return model_config_of_metadata(found, model_name)
    return ModelConfigParser.from_dict(config)


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
    deadline = Deadline(timeout_s)
    speaker = client.speaker
    if not (
        await _wait(client, speaker.server_ready, deadline, sleep_time_s)
        and await _wait(client, speaker.server_live, deadline, sleep_time_s)
    ):
        raise server_timeout()


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
    version = version_text(model_version)

    def ask() -> Call:
        return client.speaker.model_ready(model_name, version)

    if not await _wait(client, ask, Deadline(timeout_s), sleep_time_s):
        raise model_timeout(model_name, model_version)


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
    deadline = Deadline(timeout_s)
    await asyncio_wait_for_server_ready(client, None, timeout_s)
    left = deadline.left() if timeout_s > 0 else 0.0
    await asyncio_wait_for_model_status_loaded(client, model_name, None, model_version, left)


async def _wait(
    client: AsyncioServerClient,
    make: Callable[[], Call],
    deadline: Deadline,
    longest_pause_s: float | None,
) -> bool:
    """Asks until the answer is yes; False: it was not in time."""
    for pause in pauses(deadline):
        try:
            if await client.call(make(), probe(deadline)):
                return True
        except ssl.SSLCertVerificationError as error:
            raise untrusted(error) from error
        except OSError:
            pass
        except PyTritonClientInferenceServerError as error:
            if is_final(error):
                raise
        await asyncio.sleep(pause if longest_pause_s is None else min(pause, longest_pause_s))
    return False
