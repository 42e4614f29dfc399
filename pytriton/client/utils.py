"""Helpers around a server: URLs, states of models, waiting for readiness."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Any

from pytriton.client._call import Deadline
from pytriton.client._grpc import GrpcSpeaker
from pytriton.client._http import HttpSpeaker
from pytriton.client._server_client import ServerClient
from pytriton.client._steps import (
    LATEST_MODEL_VERSION,
    model_config_of_metadata,
    read_config,
    run_steps,
    wait_for_model,
    wait_for_server,
)
from pytriton.client._url import TritonUrl
from pytriton.model_config.triton_model_config import TritonModelConfig

__all__ = [
    "LATEST_MODEL_VERSION",
    "ModelState",
    "TritonUrl",
    "create_client_from_url",
    "get_model_config",
    "get_model_state",
    "model_config_of_metadata",
    "parse_grpc_response",
    "parse_http_response",
    "wait_for_model_ready",
    "wait_for_server_ready",
]

_DEFAULT_NETWORK_TIMEOUT_S = 60.0
_DEFAULT_WAIT_FOR_SERVER_READY_TIMEOUT_S = 60.0
_DEFAULT_WAIT_FOR_MODEL_TIMEOUT_S = 300.0

States = dict[tuple[str, str], "ModelState"]


class ModelState(enum.Enum):
    """What a model does."""

    LOADING = "LOADING"
    UNLOADING = "UNLOADING"
    UNAVAILABLE = "UNAVAILABLE"
    READY = "READY"


def parse_http_response(models: Iterable[Mapping[str, Any]]) -> States:
    """States by (name, version) from a repository index; entries without a version are left out.

    Args:
        models: Entries of the index.
    """
    return {
        (model["name"], model["version"]): ModelState(model.get("state") or "LOADING")
        for model in models
        if model.get("version")
    }


def parse_grpc_response(models: Iterable[Any]) -> States:
    """As parse_http_response, for messages with attributes.

    Args:
        models: Entries of the index.
    """
    keys = ("name", "version", "state")
    return parse_http_response([{key: getattr(model, key, "") for key in keys} for model in models])


def create_client_from_url(
    url: str, network_timeout_s: float | None = None, headers: Mapping[str, str] | None = None
) -> ServerClient:
    """A client of a server's verbs.

    Args:
        url: As TritonUrl.from_url takes it.
        network_timeout_s: Bounds each call, in seconds.
        headers: Sent with every call.

    Raises:
        PyTritonClientInvalidUrlError: The URL can't be used.
    """
    parsed = TritonUrl.from_url(url)
    speaker = GrpcSpeaker(headers or {}) if parsed.is_grpc else HttpSpeaker(headers or {})
    seconds = _DEFAULT_NETWORK_TIMEOUT_S if network_timeout_s is None else network_timeout_s
    return ServerClient(parsed, speaker, seconds)


def get_model_state(
    client: ServerClient,
    model_name: str,
    model_version: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> ModelState:
    """What a model does, from the repository index.

    Args:
        client: Of the server.
        model_name: Of the model.
        model_version: Its version; None: the highest.
        headers: Taken for compatibility: the client has its headers.

    Raises:
        PyTritonClientInferenceServerError: The server refuses.
    """
    return state_in(client.get_model_repository_index(), model_name, model_version)


def state_in(
    index: Iterable[Mapping[str, Any]], model_name: str, model_version: str | None
) -> ModelState:
    """The state of a model in a repository index; UNAVAILABLE when it is not there."""
    states = parse_http_response(index)
    if model_version in (None, "", LATEST_MODEL_VERSION):
        versions = [version for name, version in states if name == model_name]
        if not versions:
            return ModelState.UNAVAILABLE
        model_version = max(versions, key=lambda text: (len(text), text))
    return states.get((model_name, str(model_version)), ModelState.UNAVAILABLE)


def get_model_config(
    client: ServerClient,
    model_name: str,
    model_version: str | None = None,
    timeout_s: float | None = None,
    headers: Mapping[str, str] | None = None,
) -> TritonModelConfig:
    """Waits for a model and reads its configuration.

    Args:
        client: Of the server.
        model_name: Of the model.
        model_version: Its version; None: the latest.
        timeout_s: Bounds both, in seconds.
        headers: Taken for compatibility: the client has its headers.

    Raises:
        PyTritonClientTimeoutError: The model was not ready in time.
        PyTritonClientInferenceServerError: The server refuses.
    """
    seconds = _DEFAULT_WAIT_FOR_MODEL_TIMEOUT_S if timeout_s is None else timeout_s
    deadline = Deadline(seconds)
    wait_for_model_ready(client, model_name, model_version, seconds)
    steps = read_config(client.speaker, model_name, model_version, deadline)
    return run_steps(steps, client.call)


def wait_for_server_ready(
    client: ServerClient,
    timeout_s: float | None = None,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Waits until the server is live and ready.

    Args:
        client: Of the server.
        timeout_s: How long, in seconds; 0: ask once.
        headers: Taken for compatibility: the client has its headers.

    Raises:
        PyTritonClientTimeoutError: It was not in time.
        PyTritonClientInferenceServerError: It refuses to tell.
    """
    seconds = _DEFAULT_WAIT_FOR_SERVER_READY_TIMEOUT_S if timeout_s is None else timeout_s
    run_steps(wait_for_server(client.speaker, Deadline(seconds)), client.call)


def wait_for_model_ready(
    client: ServerClient,
    model_name: str,
    model_version: str | None = None,
    timeout_s: float | None = None,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Waits until the server and then the model are ready.

    Args:
        client: Of the server.
        model_name: Of the model.
        model_version: Its version; None: the latest.
        timeout_s: How long, in seconds; 0: ask once.
        headers: Taken for compatibility: the client has its headers.

    Raises:
        PyTritonClientTimeoutError: They were not in time.
        PyTritonClientInferenceServerError: The server refuses to tell.
    """
    seconds = _DEFAULT_WAIT_FOR_MODEL_TIMEOUT_S if timeout_s is None else timeout_s
    steps = wait_for_model(client.speaker, model_name, model_version, seconds)
    run_steps(steps, client.call)
