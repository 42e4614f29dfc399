"""AsyncioModelClient: one model, called from asyncio."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Coroutine, Mapping
from typing import Any

from pytriton.client._base import (
    BaseModelClient,
    Options,
    Parameters,
    make_speaker,
)
from pytriton.client._call import Call, Deadline
from pytriton.client._model_client import Outputs
from pytriton.client._steps import run_steps_async
from pytriton.client.asyncio_utils import AsyncioServerClient, asyncio_wait_for_model_ready
from pytriton.client.exceptions import (
    PyTritonClientInferenceServerError,
    PyTritonClientTimeoutError,
)
from pytriton.model_config.triton_model_config import TritonModelConfig

__all__ = ["AsyncioModelClient"]


class AsyncioModelClient(BaseModelClient):
    """Calls one model of a server over HTTP or gRPC.

    Belongs to the event loop that uses it; when that has ended, to the next one that does. Any
    number of its tasks may call at once.

    Example:
        async with AsyncioModelClient("localhost", "add_sub") as client:
            result = await client.infer_sample(np.float32([1, 2]), np.float32([3, 4]))
    """

    _OTHER_KIND = "Model config is decoupled. Use DecouploedAsyncioModelClient instead."
    _REFUSED = "Error occurred on Triton Inference Server side:\n "
    _TIMED_OUT = "Timeout exceeded while running inference for {}."

    def __init__(
        self,
        url: str,
        model_name: str,
        model_version: str | None = None,
        *,
        lazy_init: bool = True,
        init_timeout_s: float | None = None,
        inference_timeout_s: float | None = None,
        model_config: TritonModelConfig | None = None,
        ensure_model_is_ready: bool = True,
        access_token: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        compression: str | None = None,
    ) -> None:
        """Makes no connection.

        Args:
            url: `[http|grpc|https|grpcs://]host[:port]`; http and the scheme's port by default.
            model_name: Of the model.
            model_version: Its version; None: the latest.
            lazy_init: False: `async with` waits for the model and reads its configuration.
            init_timeout_s: Bounds waiting for the model, in seconds; None: 300.
            inference_timeout_s: Bounds each inference, in seconds; None: 60.
            model_config: What is known already; None: the server is asked.
            ensure_model_is_ready: False: the first inference does not wait for the model.
            access_token: Of restricted endpoints; sent with every call.
            ssl_context: For https and grpcs; None: verify by the system's authorities.
            compression: Of requests and responses: None or "gzip".

        Raises:
            PyTritonClientInvalidUrlError: The URL can't be used.
            ValueError: The token is empty.
        """
        options = Options(
            init_timeout_s, inference_timeout_s, access_token, ssl_context, compression
        )
        super().__init__(url, model_name, model_version, options, model_config)
        self._lazy_init = lazy_init
        self._is_ready = not ensure_model_is_ready
        self._preparing: tuple[asyncio.AbstractEventLoop, asyncio.Lock] | None = None
        self._client = self.create_client_from_url(url, self._inference_timeout_s)

    def create_client_from_url(
        self, url: str, network_timeout_s: float | None = None
    ) -> AsyncioServerClient:
        """Makes what carries the calls. To be overridden where that must be something else.

        Args:
            url: The server's.
            network_timeout_s: Bounds calls that bring no bound of their own, in seconds.
        """
        return AsyncioServerClient(
            self._triton_url,
            make_speaker(self._triton_url, self._options.access_token),
            network_timeout_s or self._inference_timeout_s,
            self._options.ssl_context,
        )

    async def __aenter__(self) -> Any:
        if not self._lazy_init:
            try:
                await self._prepare()
            except BaseException:
                await self.close()
                raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Ends all connections, also those with calls under way. Idempotent."""
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    @property
    def model_config(self) -> Coroutine[Any, Any, TritonModelConfig]:
        """The model's configuration, to be awaited; read once, after the model is ready.

        Raises:
            PyTritonClientTimeoutError: The model was not ready in time.
            PyTritonClientInferenceServerError: The server refuses.
            PyTritonClientClosedError: The client was closed before.
        """
        return self._model_config_when_known()

    async def _model_config_when_known(self) -> TritonModelConfig:
        if self._model_config is None:
            await self._prepare()
        assert self._model_config is not None
        return self._model_config

    async def wait_for_model(self, timeout_s: float) -> None:
        """Waits until the model is ready.

        Args:
            timeout_s: How long, in seconds; 0: ask once.

        Raises:
            PyTritonClientTimeoutError: It was not in time.
            PyTritonClientClosedError: The client was closed before.
        """
        try:
            await asyncio_wait_for_model_ready(
                self._open(), self._model_name, self._model_version, timeout_s
            )
        except PyTritonClientTimeoutError as error:
            raise PyTritonClientTimeoutError(
                f"Timeout while waiting for model {self._model_name} to be ready for {timeout_s}s"
            ) from error
        self._is_ready = True

    async def infer_sample(
        self,
        *inputs: Any,
        parameters: Parameters = None,
        headers: Parameters = None,
        outputs: Mapping[str, Any] | None = None,
        **named_inputs: Any,
    ) -> Outputs:
        """Calls the model with one sample.

        Args:
            inputs: Arrays in the order of the model's inputs, without the batch dimension.
            parameters: Request parameters.
            headers: Header fields.
            outputs: Tensors in shared-memory regions by output name; those outputs are put there.
            named_inputs: Arrays by input name, instead of `inputs`.

        Returns:
            Arrays by output name, without the batch dimension. BYTES are object arrays of bytes;
            an output in a region is None.

        Raises:
            PyTritonClientValueError: Arguments that no model can take.
            PyTritonClientTimeoutError: No answer in time, or no connection.
            PyTritonClientInferenceServerError: The server answered with an error.
            PyTritonClientClosedError: The client was closed before.
        """
        self._check_arguments(inputs, named_inputs, parameters, headers)
        config = self._checked_config() or await self._config_for_inference()
        named = self._named(config, inputs, named_inputs)
        call = self._infer_call(config, named, parameters, headers, outputs, config.batching)
        return await self._infer(call)

    async def infer_batch(
        self,
        *inputs: Any,
        parameters: Parameters = None,
        headers: Parameters = None,
        outputs: Mapping[str, Any] | None = None,
        **named_inputs: Any,
    ) -> Outputs:
        """Calls the model with a batch.

        Args:
            inputs: Arrays `[batch, ...]` in the order of the model's inputs.
            parameters: Request parameters.
            headers: Header fields.
            outputs: Tensors in shared-memory regions by output name; those outputs are put there.
            named_inputs: Arrays by input name, instead of `inputs`.

        Returns:
            Arrays `[batch, ...]` by output name; an output in a region is None.

        Raises:
            PyTritonClientModelDoesntSupportBatchingError: The model takes no batches.
            PyTritonClientError: As infer_sample.
        """
        self._check_arguments(inputs, named_inputs, parameters, headers)
        config = self._checked_config() or await self._config_for_inference()
        self._check_batching(config)
        named = self._named(config, inputs, named_inputs)
        return await self._infer(self._infer_call(config, named, parameters, headers, outputs))

    async def _prepare(self) -> None:
        """Once, whoever needs it first: waits for the model and reads its configuration."""
        loop = asyncio.get_running_loop()
        if self._preparing is None or self._preparing[0] is not loop:
            self._preparing = (loop, asyncio.Lock())
        async with self._preparing[1]:
            client = self._open()
            deadline = Deadline(self._init_timeout_s)
            if not self._is_ready or self._model_config is None:
                await self.wait_for_model(self._init_timeout_s)
            if self._model_config is None:
                try:
                    steps = self._read_config(deadline)
                    self._model_config = await run_steps_async(steps, client.call)
                except OSError as error:
                    raise PyTritonClientTimeoutError(
                        "Timeout while reading the configuration of model "
                        f"{self._model_name}. Message: {error}"
                    ) from error

    async def _config_for_inference(self) -> TritonModelConfig:
        if not self._is_ready or self._model_config is None:
            await self._prepare()
        config = self._checked_config()
        assert config is not None
        return config

    async def _infer(self, call: Call) -> Outputs:
        transport = self._open().transport
        try:
            found: Outputs = await transport.call(call, Deadline(self._inference_timeout_s))
            return found
        except (OSError, PyTritonClientInferenceServerError) as error:
            self._fail(error)
