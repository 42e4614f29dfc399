"""AsyncioDecoupledModelClient: one model that answers with streams, called from asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

from pytriton.client._asyncio_client import AsyncioModelClient
from pytriton.client._base import Parameters
from pytriton.client._grpc import GrpcSpeaker, stream_outputs
from pytriton.client._model_client import Outputs
from pytriton.client._tensors import with_batch, without_batch
from pytriton.client.exceptions import (
    PyTritonClientInferenceServerError,
    PyTritonClientTimeoutError,
    PyTritonClientValueError,
)
from pytriton.model_config.triton_model_config import TritonModelConfig

__all__ = ["AsyncioDecoupledModelClient"]


class AsyncioDecoupledModelClient(AsyncioModelClient):
    """Calls one decoupled model over gRPC and iterates over its responses.

    Any number of streams may run at once.

    Example:
        async with AsyncioDecoupledModelClient("grpc://localhost", "tokens") as client:
            async for result in client.infer_sample(prompt):
                print(result["text"])
    """

    _IS_DECOUPLED = True
    _OTHER_KIND = "Model config is coupled. Use AsyncioModelClient instead."

    async def infer_sample(  # type: ignore[override]
        self,
        *inputs: Any,
        parameters: Parameters = None,
        headers: Parameters = None,
        outputs: Mapping[str, Any] | None = None,
        **named_inputs: Any,
    ) -> AsyncIterator[Outputs]:
        """Sends one sample; gives the responses as they come.

        Args:
            inputs: Arrays in the order of the model's inputs, without the batch dimension.
            parameters: Request parameters.
            headers: Header fields.
            outputs: Tensors in shared-memory regions by output name; each response puts them
                there.
            named_inputs: Arrays by input name, instead of `inputs`.

        Returns:
            Arrays by output name, without the batch dimension. Closing the iterator (aclose)
            cancels the request.

        Raises:
            PyTritonClientValueError: The URL is not of gRPC, or no model can take the arguments.
            PyTritonClientTimeoutError: No response within inference_timeout_s.
            PyTritonClientInferenceServerError: The server answered with an error, or the model is
                not decoupled.
        """
        config = await self._config_for_stream(inputs, named_inputs, parameters, headers)
        named = self._named(config, inputs, named_inputs)
        if config.batching:
            named = with_batch(named)
        async for found in self._stream(config, named, (parameters, headers, outputs)):
            yield without_batch(found, self._model_name) if config.batching else found

    async def infer_batch(  # type: ignore[override]
        self,
        *inputs: Any,
        parameters: Parameters = None,
        headers: Parameters = None,
        outputs: Mapping[str, Any] | None = None,
        **named_inputs: Any,
    ) -> AsyncIterator[Outputs]:
        """Sends a batch; gives the responses as they come.

        Args:
            inputs: Arrays `[batch, ...]` in the order of the model's inputs.
            parameters: Request parameters.
            headers: Header fields.
            outputs: Tensors in shared-memory regions by output name; each response puts them
                there.
            named_inputs: Arrays by input name, instead of `inputs`.

        Returns:
            As infer_sample, with the batch dimension.

        Raises:
            PyTritonClientModelDoesntSupportBatchingError: The model takes no batches.
            PyTritonClientError: As infer_sample.
        """
        config = await self._config_for_stream(inputs, named_inputs, parameters, headers)
        self._check_batching(config)
        named = self._named(config, inputs, named_inputs)
        async for found in self._stream(config, named, (parameters, headers, outputs)):
            yield found

    async def _config_for_stream(
        self,
        inputs: tuple[Any, ...],
        named_inputs: Mapping[str, Any],
        parameters: Parameters,
        headers: Parameters,
    ) -> TritonModelConfig:
        if not self._triton_url.is_grpc:
            raise PyTritonClientValueError(
                "AsyncioDecoupledModelClient is only supported for grpc protocol"
            )
        self._check_arguments(inputs, named_inputs, parameters, headers)
        return await self._config_for_inference()

    async def _stream(
        self,
        config: TritonModelConfig,
        named: Mapping[str, Any],
        more: tuple[Parameters, Parameters, Mapping[str, Any] | None],
    ) -> AsyncIterator[Outputs]:
        client, speaker = self._open(), self._speaker
        assert isinstance(speaker, GrpcSpeaker)
        request = self._request(config, named, *more)
        call = speaker.stream(request)
        messages: Any = client.transport.stream(call, self._inference_timeout_s)
        try:
            async for message in messages:
                found = stream_outputs(message, request.output_regions)
                if found:
                    yield found
        except TimeoutError as error:
            raise PyTritonClientTimeoutError(
                f"Timeout while waiting for model {self._model_name} to return next response "
                f"{self._inference_timeout_s}s"
            ) from error
        except (OSError, PyTritonClientInferenceServerError) as error:
            self._fail(error)
        finally:
            await messages.aclose()
