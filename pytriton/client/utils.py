"""Helpers around a server: URLs, states of models, waiting for readiness."""

from __future__ import annotations

import enum
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytriton.client._call import Deadline
from pytriton.client._grpc import GrpcSpeaker
from pytriton.client._http import HttpSpeaker
from pytriton.client._server_client import ServerClient
from pytriton.client._url import TritonUrl
from pytriton.client.exceptions import (
    PyTritonClientInferenceServerError,
    PyTritonClientTimeoutError,
)
from pytriton.model_config.parser import ModelConfigParser
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
LATEST_MODEL_VERSION = "<latest>"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 1.0
# Answers that waiting does not change.
_FINAL = ("401", "403", "UNIMPLEMENTED", "PERMISSION_DENIED", "UNAUTHENTICATED")

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
    version = version_text(model_version)
    config = client.get_model_config(model_name, version, deadline)
    if config is None:
        metadata = client.get_model_metadata(model_name, version, deadline)
        return model_config_of_metadata(metadata, model_name)
    return ModelConfigParser.from_dict(config)


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
    _wait_for_server(client, Deadline(seconds))


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
    deadline = Deadline(seconds)
    _wait_for_server(client, deadline)
    version = version_text(model_version)
    for pause in pauses(deadline):
        if _answers(lambda: client.is_model_ready(model_name, version, probe(deadline))):
            return
        time.sleep(pause)
    raise model_timeout(model_name, model_version)


def version_text(version: str | None) -> str:
    """A version as the wire has it; empty: the latest."""
    return "" if version in (None, LATEST_MODEL_VERSION) else str(version)


def model_timeout(name: str, version: str | None) -> PyTritonClientTimeoutError:
    """What waiting for a model raises."""
    shown = version_text(version) or LATEST_MODEL_VERSION
    return PyTritonClientTimeoutError(f"Waiting for model {name}/{shown} to be ready timed out.")


def server_timeout() -> PyTritonClientTimeoutError:
    """What waiting for a server raises."""
    return PyTritonClientTimeoutError("Waiting for server to be ready timed out.")


def pauses(deadline: Deadline) -> Iterator[float]:
    """Seconds to sleep between tries, growing; ends at the deadline, but lets one try happen."""
    pause = _FIRST_PAUSE_S
    while True:
        yield min(pause, deadline.left())
        if not deadline.left():
            return
        pause = min(pause * 1.5, _LONGEST_PAUSE_S)


def probe(deadline: Deadline) -> Deadline:
    """Bounds one try; asking once with a time-out of 0 gets a moment."""
    return deadline if deadline.seconds > 0 else Deadline(1.0)


def is_final(error: PyTritonClientInferenceServerError) -> bool:
    """The server refuses for good, so that waiting is of no use."""
    return error.status in _FINAL or "restricted" in error.message


def untrusted(error: ssl.SSLCertVerificationError) -> PyTritonClientTimeoutError:
    """What waiting for a server raises at once whose certificate nobody vouches for."""
    return PyTritonClientTimeoutError(f"expected a server that can be trusted, got: {error}")


def _answers(ask: Any) -> bool:
    try:
        return bool(ask())
    except ssl.SSLCertVerificationError as error:
        raise untrusted(error) from error
    except OSError:
        return False
    except PyTritonClientInferenceServerError as error:
        if is_final(error):
            raise
        return False


def _wait_for_server(client: ServerClient, deadline: Deadline) -> None:
    for pause in pauses(deadline):
        if _answers(
            lambda: (
                client.is_server_ready(probe(deadline)) and client.is_server_live(probe(deadline))
            )
        ):
            return
        time.sleep(pause)
    raise server_timeout()


def model_config_of_metadata(metadata: Mapping[str, Any], model_name: str) -> TritonModelConfig:
    """What can be known of a model on a server that tells no configuration.

    Whether it takes batches is not told: it is taken as a model without, whose shapes are whole.

    Args:
        metadata: As the metadata endpoint gives it.
        model_name: Of the model.

    Raises:
        PyTritonModelConfigError: A tensor has no name or type.
    """

    def specs(items: Iterable[Mapping[str, Any]], kind: str) -> Any:
        return [
            ModelConfigParser.rewrite_io_spec(
                {
                    "name": item.get("name"),
                    "data_type": f"TYPE_{_TYPE_NAMES.get(item['datatype'], item['datatype'])}",
                    "dims": item.get("shape") or [1],
                },
                kind,
                index,
            )
            for index, item in enumerate(items)
        ] or None

    return TritonModelConfig(
        model_name=metadata.get("name") or model_name,
        batching=False,
        max_batch_size=0,
        inputs=specs(metadata.get("inputs") or (), "input"),
        outputs=specs(metadata.get("outputs") or (), "output"),
    )


_TYPE_NAMES = {"BYTES": "STRING"}
