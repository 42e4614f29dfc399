"""DecoupledModelClient: one model that answers with a stream, called synchronously."""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator, Mapping
from typing import Any, Callable

from pytriton.client._base import Parameters
from pytriton.client._grpc import GrpcSpeaker, stream_outputs
from pytriton.client._model_client import ModelClient, Outputs
from pytriton.client._tensors import with_batch, without_batch
from pytriton.client.exceptions import (
    PyTritonClientInferenceServerError,
    PyTritonClientValueError,
)
from pytriton.model_config.triton_model_config import TritonModelConfig

__all__ = ["DecoupledModelClient"]


class DecoupledModelClient(ModelClient):
    """Calls one decoupled model over gRPC and iterates over its responses.

    One inference at a time: the next may begin when the iterator has ended or was closed.

    Example:
        with DecoupledModelClient("grpc://localhost", "tokens") as client:
            for result in client.infer_sample(prompt):
                print(result["text"])
    """

    _IS_DECOUPLED = True
    _OTHER_KIND = "Model config is coupled. Use ModelClient instead."

    def __init__(self, url: str, model_name: str, model_version: str | None = None, **kw: Any):
        """Makes no connection unless told to.

        Args:
            url: `grpc[s]://host[:port]`.
            model_name: Of the model.
            model_version: Its version; None: the latest.
            kw: As of ModelClient. inference_timeout_s bounds the wait for each response.

        Raises:
            PyTritonClientValueError: The URL is not one of gRPC.
            PyTritonClientError: As ModelClient.
        """
        self._lock = threading.Lock()
        super().__init__(url, model_name, model_version, **{**kw, "lazy_init": True})
        if not self._triton_url.is_grpc:
            self.close()
            raise PyTritonClientValueError(
                "DecoupledModelClient is only supported for grpc protocol"
            )
        if not kw.get("lazy_init", True):
            try:
                self._prepare()
            except BaseException:
                self.close()
                raise

    def infer_sample(  # type: ignore[override]
        self,
        *inputs: Any,
        parameters: Parameters = None,
        headers: Parameters = None,
        outputs: Mapping[str, Any] | None = None,
        **named_inputs: Any,
    ) -> Iterator[Outputs]:
        """Sends one sample now; gives an iterator over the responses.

        Args:
            inputs: Arrays in the order of the model's inputs, without the batch dimension.
            parameters: Must be None.
            headers: Must be None.
            outputs: Tensors in shared-memory regions by output name; each response puts them
                there.
            named_inputs: Arrays by input name, instead of `inputs`.

        Returns:
            A generator of arrays by output name, without the batch dimension. Closing it cancels
            the request.

        Raises:
            PyTritonClientInferenceServerError: An inference is in progress, the model is not
                decoupled, or (also from the iterator) the server answered with an error.
            PyTritonClientTimeoutError: Also from the iterator: no response in time.
            PyTritonClientError: As of ModelClient.
        """
        self._check_arguments(inputs, named_inputs, parameters, headers)
        config = self._config_for_inference()
        named = self._named(config, inputs, named_inputs)
        if not config.batching:
            return self._stream(config, named, (parameters, headers, outputs), False)
        return self._stream(config, with_batch(named), (parameters, headers, outputs), True)

    def infer_batch(  # type: ignore[override]
        self,
        *inputs: Any,
        parameters: Parameters = None,
        headers: Parameters = None,
        outputs: Mapping[str, Any] | None = None,
        **named_inputs: Any,
    ) -> Iterator[Outputs]:
        """Sends a batch now; gives an iterator over the responses.

        Args:
            inputs: Arrays `[batch, ...]` in the order of the model's inputs.
            parameters: Must be None.
            headers: Must be None.
            outputs: Tensors in shared-memory regions by output name; each response puts them
                there.
            named_inputs: Arrays by input name, instead of `inputs`.

        Returns:
            As infer_sample, with the batch dimension.

        Raises:
            PyTritonClientModelDoesntSupportBatchingError: The model takes no batches.
            PyTritonClientError: As infer_sample.
        """
        self._check_arguments(inputs, named_inputs, parameters, headers)
        config = self._config_for_inference()
        self._check_batching(config)
        named = self._named(config, inputs, named_inputs)
        return self._stream(config, named, (parameters, headers, outputs), False)

    def _stream(
        self,
        config: TritonModelConfig,
        named: Mapping[str, Any],
        more: tuple[Parameters, Parameters, Mapping[str, Any] | None],
        is_sample: bool,
    ) -> Iterator[Outputs]:
        parameters, headers, outputs = more
        for what, given in (("parameters", parameters), ("headers", headers)):
            if given is not None:
                raise PyTritonClientValueError(f"DecoupledModelClient does not support {what}")
        client = self._open()
        speaker = self._speaker
        assert isinstance(speaker, GrpcSpeaker)
        request = self._request(config, named, parameters, headers, outputs)
        if not self._lock.acquire(blocking=False):
            raise PyTritonClientInferenceServerError("Inference is already in progress")
        try:
            messages = client.transport.stream(speaker.stream(request), self._inference_timeout_s)
        except BaseException as error:
            self._lock.release()
            if isinstance(error, OSError):
                self._fail(error)
            raise
        read = functools.partial(stream_outputs, regions=request.output_regions)
        return _Responses(self, messages, read, is_sample)


class _Responses(Iterator[Outputs]):
    """The iterator over responses; holds the client's lock until it has ended or was closed."""

    def __init__(
        self,
        client: DecoupledModelClient,
        messages: Iterator[Any],
        read: Callable[[Any], Outputs | None],
        is_sample: bool,
    ) -> None:
        self._client = client
        self._messages = messages
        self._read = read
        self._lock = client._lock
        self._is_sample = is_sample
        self._is_over = False

    def __next__(self) -> Outputs:
        while not self._is_over:
            try:
                outputs = self._read(next(self._messages))
            except StopIteration:
                break
            except (OSError, PyTritonClientInferenceServerError) as error:
                self.close()
                self._client._fail(error)
            except BaseException:
                self.close()
                raise
            if not outputs:
                continue
            if self._is_sample:
                return without_batch(outputs, self._client.model_name)
            return outputs
        self.close()
        raise StopIteration

    def close(self) -> None:
        """Ends the inference: the server sees that nobody waits. Idempotent."""
        if not self._is_over:
            self._is_over = True
            self._messages.close()  # type: ignore[attr-defined]
            self._lock.release()

    def __del__(self) -> None:
        with contextlib.suppress(Exception):
            self.close()
