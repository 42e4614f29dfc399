"""ModelClient: one model, called synchronously."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from typing import Any

import numpy as np

from pytriton.client._base import (
    BaseModelClient,
    Options,
    Parameters,
    make_speaker,
)
from pytriton.client._call import Call, Deadline
from pytriton.client._server_client import ServerClient
from pytriton.client._steps import run_steps
from pytriton.client.exceptions import (
    PyTritonClientInferenceServerError,
    PyTritonClientTimeoutError,
)
from pytriton.client.utils import wait_for_model_ready, wait_for_server_ready
from pytriton.model_config.triton_model_config import TritonModelConfig

__all__ = ["ModelClient"]

Outputs = dict[str, np.ndarray[Any, Any]]


class ModelClient(BaseModelClient):
    """Calls one model of a server over HTTP or gRPC.

    Any number of threads may call one client at once, and create, use, close and drop it: each call
    takes a connection of a pool. One deadline bounds everything a call does.

    Example:
        with ModelClient("localhost", "add_sub") as client:
            result = client.infer_sample(np.float32([1, 2]), np.float32([3, 4]))
    """

    _OTHER_KIND = "Model config is decoupled. Use DecoupledModelClient instead."
    _REFUSED = "Error occurred during inference request. Message: "
    _TIMED_OUT = "Timeout occurred during inference request."

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
        """Makes no connection unless told to.

        Args:
            url: `[http|grpc|https|grpcs://]host[:port]`; http and the scheme's port by default.
            model_name: Of the model.
            model_version: Its version; None: the latest.
            lazy_init: False: wait for the model here, and read its configuration.
            init_timeout_s: Bounds waiting for the model, in seconds; None: 300.
            inference_timeout_s: Bounds each inference, in seconds; None: 60.
            model_config: What is known already; None: the server is asked.
            ensure_model_is_ready: False: the first inference does not wait for the model.
            access_token: Of restricted endpoints; sent with every call.
            ssl_context: For https and grpcs; None: verify by the system's authorities.
            compression: Of requests and responses: None or "gzip".

        Raises:
            PyTritonClientInvalidUrlError: The URL can't be used.
            PyTritonClientTimeoutError: Not lazy, and the model was not ready in time.
            PyTritonClientInferenceServerError: Not lazy, and the server refuses.
            ValueError: The token is empty.
        """
        options = Options(
            init_timeout_s, inference_timeout_s, access_token, ssl_context, compression
        )
        super().__init__(url, model_name, model_version, options, model_config)
        self._is_ready = not ensure_model_is_ready
        self._client = self.create_client_from_url(url, self._inference_timeout_s)
        if not lazy_init:
            try:
                self._prepare()
            except BaseException:
                self.close()
                raise

    def create_client_from_url(
        self, url: str, network_timeout_s: float | None = None
    ) -> ServerClient:
        """Makes what carries the calls. To be overridden where that must be something else.

        Args:
            url: The server's.
            network_timeout_s: Bounds calls that bring no bound of their own, in seconds.
        """
        return ServerClient(
            self._triton_url,
            make_speaker(self._triton_url, self._options.access_token),
            network_timeout_s or self._inference_timeout_s,
            self._options.ssl_context,
        )

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections. Idempotent; calls under way end as they would have."""
        client, self._client = self._client, None
        if client is not None:
            client.close()

    @property
    def model_config(self) -> TritonModelConfig:
        """The model's configuration; read once, after the model is ready.

        Raises:
            PyTritonClientTimeoutError: The model was not ready in time.
            PyTritonClientInferenceServerError: The server refuses.
            PyTritonClientClosedError: The client was closed before.
        """
        if self._model_config is None:
            self._prepare()
        assert self._model_config is not None
        return self._model_config

    @property
    def is_batching_supported(self) -> bool:
        """The model takes batches. Raises as model_config."""
        return self.model_config.max_batch_size > 0

    def wait_for_server(self, timeout_s: float) -> None:
        """Waits until the server is live and ready.

        Args:
            timeout_s: How long, in seconds; 0: ask once.

        Raises:
            PyTritonClientTimeoutError: It was not in time.
            PyTritonClientClosedError: The client was closed before.
        """
        wait_for_server_ready(self._open(), timeout_s)

    def wait_for_model(self, timeout_s: float) -> None:
        """Waits until the model is ready.

        Args:
            timeout_s: How long, in seconds; 0: ask once.

        Raises:
            PyTritonClientTimeoutError: It was not in time.
            PyTritonClientClosedError: The client was closed before.
        """
        wait_for_model_ready(self._open(), self._model_name, self._model_version, timeout_s)
        self._is_ready = True

    def load_model(self, config: str | None = None, files: dict[str, bytes] | None = None) -> None:
        """Loads the model on the server; returns when it is ready.

        Args:
            config: Its configuration as JSON text; None: the repository's.
            files: Contents by path (`file:1/model.py`).

        Raises:
            PyTritonClientInferenceServerError: The server refuses, or loading failed.
            PyTritonClientTimeoutError: It took longer than init_timeout_s.
            PyTritonClientClosedError: The client was closed before.
        """
        client = self._open()
        deadline = Deadline(self._init_timeout_s)
        try:
            client.load_model(self._model_name, config, files, deadline)
        except OSError as error:
            raise PyTritonClientTimeoutError(
                f"Loading model {self._model_name} timed out. Message: {error}"
            ) from error

    def unload_model(self) -> None:
        """Unloads the model on the server. Raises as load_model."""
        client = self._open()
        try:
            client.unload_model(self._model_name, Deadline(self._init_timeout_s))
        except OSError as error:
            raise PyTritonClientTimeoutError(
                f"Unloading model {self._model_name} timed out. Message: {error}"
            ) from error

    def register_region(self, region: Any) -> None:
        """Tells the server of a shared-memory region, so that its tensors can be in- and outputs.

        Args:
            region: A pytriton.shared_memory region.

        Raises:
            PyTritonClientInferenceServerError: The server refuses.
            PyTritonClientClosedError: The client was closed before.
        """
        self._open().register_region(region)

    def unregister_region(self, region: Any) -> None:
        """Makes the server forget a region. Raises as register_region."""
        self._open().unregister_region(region)

    def infer_sample(
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
        config = self._config_for_inference()
        named = self._named(config, inputs, named_inputs)
        call = self._infer_call(config, named, parameters, headers, outputs, config.batching)
        return self._infer(call)

    def infer_batch(
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
        config = self._config_for_inference()
        self._check_batching(config)
        named = self._named(config, inputs, named_inputs)
        return self._infer(self._infer_call(config, named, parameters, headers, outputs))

    def _prepare(self) -> None:
        """Waits for the model if that is wanted, and reads its configuration if it is unknown."""
        client = self._open()
        deadline = Deadline(self._init_timeout_s)
        if not self._is_ready or self._model_config is None:
            self.wait_for_model(self._init_timeout_s)
        if self._model_config is None:
            try:
                self._model_config = run_steps(self._read_config(deadline), client.call)
            except OSError as error:
                raise PyTritonClientTimeoutError(
                    f"Reading the configuration of model {self._model_name} timed out. "
                    f"Message: {error}"
                ) from error

    def _config_for_inference(self) -> TritonModelConfig:
        self._open()
        if not self._is_ready or self._model_config is None:
            self._prepare()
        config = self._checked_config()
        assert config is not None
        return config

    def _infer(self, call: Call) -> Outputs:
        transport = self._open().transport
        try:
            found: Outputs = transport.call(call, Deadline(self._inference_timeout_s))
            return found
        except (OSError, PyTritonClientInferenceServerError) as error:
            self._fail(error)
