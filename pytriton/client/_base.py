"""What the clients of both kinds share: checks of arguments, requests, results."""

from __future__ import annotations

import functools
import itertools
import ssl
from collections.abc import Iterable, Mapping
from typing import Any, Callable, NoReturn, Optional, Union

import numpy as np

from pytriton.client._call import (
    Call,
    Deadline,
    InferRequest,
    InferTensor,
    Plan,
    Reply,
    Speaker,
)
from pytriton.client._grpc import GrpcSpeaker
from pytriton.client._http import HttpSpeaker
from pytriton.client._steps import Steps, read_config
from pytriton.client._tensors import contents_of, wire_type, with_batch, without_batch
from pytriton.client._url import TritonUrl
from pytriton.client.auth import create_auth_headers
from pytriton.client.exceptions import (
    PyTritonClientClosedError,
    PyTritonClientInferenceServerError,
    PyTritonClientModelDoesntSupportBatchingError,
    PyTritonClientTimeoutError,
    PyTritonClientValueError,
)
from pytriton.model_config.triton_model_config import TritonModelConfig

__all__ = [
    "DEFAULT_INFERENCE_TIMEOUT_S",
    "BaseModelClient",
    "Options",
    "Parameters",
    "input_tensor",
    "make_speaker",
]

DEFAULT_INFERENCE_TIMEOUT_S = 60.0
DEFAULT_INIT_TIMEOUT_S = 300.0

Array = np.ndarray[Any, Any]
Parameters = Optional[Mapping[str, Union[str, int, bool]]]


def make_speaker(url: TritonUrl, access_token: str | None) -> Speaker:
    """What speaks the URL's protocol and sends the token with every call.

    Raises:
        ValueError: The token is empty.
    """
    headers: Mapping[str, str] = {}
    if access_token is not None:
        headers = create_auth_headers(access_token, url.protocol)
    return GrpcSpeaker(headers) if url.is_grpc else HttpSpeaker(headers, url.without_scheme)


class Options:
    """What every client can be told besides the model.

    Attributes:
        init_timeout_s: Bounds waiting for the model, in seconds.
        inference_timeout_s: Bounds each inference, in seconds.
        access_token: Of restricted endpoints; None: none is sent.
        ssl_context: For https and grpcs; None: verify by the system's authorities.
        compression: Of requests and responses: None or "gzip".
    """

    def __init__(
        self,
        init_timeout_s: float | None = None,
        inference_timeout_s: float | None = None,
        access_token: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        compression: str | None = None,
    ) -> None:
        """Checks and completes them.

        Raises:
            PyTritonClientValueError: The compression is another one.
        """
        if compression not in (None, "gzip"):
            raise PyTritonClientValueError(f"expected compression None or gzip, got {compression}")
        self.init_timeout_s = DEFAULT_INIT_TIMEOUT_S if init_timeout_s is None else init_timeout_s
        self.inference_timeout_s = (
            DEFAULT_INFERENCE_TIMEOUT_S if inference_timeout_s is None else inference_timeout_s
        )
        self.access_token = access_token
        self.ssl_context = ssl_context
        self.compression = compression


class BaseModelClient:
    """One model of one server. Base of the clients; not to be used itself."""

    # What differs between the clients: the kind of model, and the texts of errors.
    _IS_DECOUPLED = False
    _OTHER_KIND = ""
    _REFUSED = ""
    _TIMED_OUT = ""

    def __init__(
        self,
        url: str,
        model_name: str,
        model_version: str | None,
        options: Options,
        model_config: TritonModelConfig | None,
    ) -> None:
        """Makes no connection.

        Args:
            url: As TritonUrl.from_url takes it.
            model_name: Of the model.
            model_version: Its version; None: the latest.
            options: See Options.
            model_config: What is known already; None: the server is asked.

        Raises:
            PyTritonClientInvalidUrlError: The URL can't be used.
            ValueError: The token is empty.
        """
        self._url = url
        self._triton_url = TritonUrl.from_url(url)
        self._model_name = model_name
        self._model_version = model_version
        self._options = options
        self._init_timeout_s = options.init_timeout_s
        self._inference_timeout_s = options.inference_timeout_s
        self._speaker = make_speaker(self._triton_url, options.access_token)
        self._model_config = model_config
        self._is_binary = True
        self._ids = itertools.count()
        self._plan: Plan | None = None
        self._is_ready = False
        self._client: Any = None  # None: closed

    @property
    def model_name(self) -> str:
        """Name of the model."""
        return self._model_name

    @property
    def model_version(self) -> str | None:
        """Version of the model; None: the latest."""
        return self._model_version

    @property
    def _version(self) -> str:
        return str(self._model_version) if self._model_version is not None else ""

    @classmethod
    def from_existing_client(cls, existing_client: BaseModelClient) -> Any:
        """A client of the same model that knows what the other one knows.

        Args:
            existing_client: The other client; it is not touched.

        Returns:
            A client of this class.
        """
        options = existing_client._options
        make: Any = cls
        return make(
            existing_client._url,
            existing_client._model_name,
            existing_client._model_version,
            init_timeout_s=options.init_timeout_s,
            inference_timeout_s=options.inference_timeout_s,
            model_config=existing_client._model_config,
            ensure_model_is_ready=existing_client._model_config is None,
            access_token=options.access_token,
            ssl_context=options.ssl_context,
            compression=options.compression,
        )

    def _open(self) -> Any:
        """What carries the calls.

        Raises:
            PyTritonClientClosedError: The client was closed before.
        """
        if self._client is None:
            raise PyTritonClientClosedError(f"{type(self).__name__} is closed")
        return self._client

    def _read_config(self, deadline: Deadline) -> Steps[TritonModelConfig]:
        """Reads the configuration; of servers that tell metadata only also how tensors are sent."""

        def on_extensions(extensions: Iterable[str]) -> None:
            self._is_binary = "binary_tensor_data" in extensions

        return read_config(
            self._speaker, self._model_name, self._model_version, deadline, on_extensions
        )

    def _checked_config(self) -> TritonModelConfig | None:
        """The configuration when nothing must be waited for.

        Raises:
            PyTritonClientInferenceServerError: The model is of the other kind.
        """
        config = self._model_config
        if config is None or not self._is_ready:
            return None
        if config.decoupled != self._IS_DECOUPLED:
            raise PyTritonClientInferenceServerError(self._OTHER_KIND)
        return config

    def _fail(self, error: Exception) -> NoReturn:
        """Raises what callers expect of an inference that failed."""
        if isinstance(error, PyTritonClientInferenceServerError):
            if error.status != "DEADLINE_EXCEEDED":
                raise PyTritonClientInferenceServerError(
                    f"{self._REFUSED}{error.message}", error.status
                ) from error
        elif self._client is None:
            raise PyTritonClientClosedError(f"{type(self).__name__} is closed") from error
        raise PyTritonClientTimeoutError(
            f"{self._TIMED_OUT.format(self._model_name)} "
            f"Timeout: {self._inference_timeout_s} s. Message: {error}"
        ) from error

    def _check_batching(self, config: TritonModelConfig) -> None:
        if not config.batching:
            raise PyTritonClientModelDoesntSupportBatchingError(
                f"Model {self._model_name} doesn't support batching - "
                "use infer_sample method instead"
            )

    def _check_arguments(
        self,
        inputs: tuple[Any, ...],
        named_inputs: Mapping[str, Any],
        parameters: Parameters,
        headers: Parameters,
    ) -> None:
        """Raises PyTritonClientValueError for arguments that no model can take."""
        if not inputs and not named_inputs:
            raise PyTritonClientValueError("Provide input data")
        if inputs and named_inputs:
            raise PyTritonClientValueError(
                "Use either positional either keyword method arguments convention"
            )
        if parameters is not None:
            _check_map(parameters, "Parameter")
        if headers is not None:
            _check_map(headers, "Header")

    def _infer_call(
        self,
        config: TritonModelConfig,
        named: dict[str, Any],
        parameters: Parameters,
        headers: Parameters,
        outputs: Mapping[str, Any] | None,
        is_sample: bool = False,
    ) -> Call:
        """An inference as a call. Arguments and errors as of _request.

        Of a sample the inputs get a batch dimension, and the outputs have none.
        """
        if not (parameters or headers or outputs or self._options.compression) and self._is_binary:
            plan = self._planned(config)
            call = self._speaker.infer_plainly(plan, next(self._ids), named, is_sample)
            if call is not None:
                return call
        if is_sample:
            named = with_batch(named)
        call = self._speaker.infer(self._request(config, named, parameters, headers, outputs))
        if not is_sample:
            return call
        return call._replace(read=functools.partial(_read_sample, call.read, self._model_name))

    def _planned(self, config: TritonModelConfig) -> Plan:
        """What is known of the model's plain inferences."""
        if self._plan is None:
            inputs = [spec.name for spec in config.inputs or ()]
            outputs = [spec.name for spec in config.outputs or ()]
            self._plan = Plan(self._model_name, self._version, inputs, outputs)
        return self._plan

    def _request(
        self,
        config: TritonModelConfig,
        named: Mapping[str, Any],
        parameters: Parameters,
        headers: Parameters,
        outputs: Mapping[str, Any] | None = None,
    ) -> InferRequest:
        """An inference request.

        Args:
            config: Of the model.
            named: Inputs by name: arrays, or tensors in regions.
            parameters: Request parameters.
            headers: Header fields.
            outputs: Where outputs go: tensors in regions by name.

        Raises:
            RuntimeError: An array holds what the wire can't carry.
        """
        return InferRequest(
            self._model_name,
            self._version,
            str(next(self._ids)),
            [input_tensor(name, value, self._is_binary) for name, value in named.items()],
            [output.name for output in config.outputs or ()],
            {name: place.region_place() for name, place in outputs.items()} if outputs else {},
            parameters or {},
            {name: str(value) for name, value in headers.items()} if headers else {},
            self._is_binary,
            self._options.compression,
        )

    def _named(
        self, config: TritonModelConfig, inputs: tuple[Any, ...], named: dict[str, Any]
    ) -> dict[str, Any]:
        """Inputs by name; positional ones are in the configuration's order."""
        return dict(zip(self._planned(config).input_names, inputs)) if inputs else named


def _read_sample(
    read: Callable[[Reply], dict[str, Any]], model: str, reply: Reply
) -> dict[str, Any]:
    return without_batch(read(reply), model)


def _check_map(values: Any, what: str) -> None:
    if not isinstance(values, dict):
        raise PyTritonClientValueError("Parameters and headers must be a dictionary")
    for key, value in values.items():
        if not isinstance(key, str):
            raise PyTritonClientValueError("Parameter/header key must be a string")
        if not isinstance(value, (str, int, bool)):
            raise PyTritonClientValueError(
                "Parameter/header value must be a string, integer or boolean"
            )
        if what == "Header" and any(letter in f"{key}{value}" for letter in "\r\n\0"):
            raise PyTritonClientValueError(f"expected a header of one line, got {key!r}")


def input_tensor(name: str, value: Any, is_binary: bool) -> InferTensor:
    """An input as it is sent.

    Args:
        name: Of the input.
        value: An array, or a tensor in a region.
        is_binary: Tensors as bytes; else as JSON.

    Raises:
        PyTritonClientValueError: It is neither.
        RuntimeError: The array holds what the wire can't carry.
    """
    if not isinstance(value, np.ndarray):
        place = getattr(value, "region_place", None)
        if place is not None:
            return InferTensor(name, value.datatype, tuple(value.shape), region=place())
        if not isinstance(value, np.generic):
            raise PyTritonClientValueError(
                f"Input {name} is not a numpy array. Got {type(value)} instead."
            )
        value = np.asarray(value)
    datatype = wire_type(value, name)
    contents = contents_of(value, datatype, name)
    return InferTensor(name, datatype, value.shape, contents, None if is_binary else value)
