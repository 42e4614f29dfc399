"""What takes several calls, as steps without I/O: the same for sync and asyncio clients.

A generator of steps yields a call with its deadline and is sent the answer (or thrown the error);
or it yields seconds to sleep. `run_steps` and `run_steps_async` carry them out.
"""

from __future__ import annotations

import asyncio
import math
import ssl
import time
from collections.abc import Awaitable, Generator, Iterable, Iterator, Mapping
from typing import Any, Callable, TypeVar, Union

from pytriton.client._call import Call, Deadline, Speaker
from pytriton.client.exceptions import (
    PyTritonClientInferenceServerError,
    PyTritonClientTimeoutError,
)
from pytriton.model_config.parser import ModelConfigParser
from pytriton.model_config.triton_model_config import TritonModelConfig

__all__ = [
    "LATEST_MODEL_VERSION",
    "Steps",
    "model_config_of_metadata",
    "read_config",
    "run_steps",
    "run_steps_async",
    "version_text",
    "wait_for_loaded",
    "wait_for_model",
    "wait_for_server",
]

LATEST_MODEL_VERSION = "<latest>"
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.01, 1.0
# Answers that waiting does not change.
_FINAL = ("401", "403", "UNIMPLEMENTED", "PERMISSION_DENIED", "UNAUTHENTICATED")
_TYPE_NAMES = {"BYTES": "STRING"}

T = TypeVar("T")
Steps = Generator[Union[tuple[Call, Deadline], float], Any, T]


def run_steps(steps: Steps[T], call: Callable[[Call, Deadline], Any]) -> T:
    """Carries out steps; blocks.

    Args:
        steps: What is to be done.
        call: Sends a call and gives its answer.

    Returns:
        What the steps return. Raises what they raise.
    """
    try:
        step = next(steps)
        while True:
            try:
                answer = _sleep(step) if isinstance(step, float) else call(*step)
            except (OSError, PyTritonClientInferenceServerError) as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result


def _sleep(seconds: float) -> Any:
    time.sleep(seconds)


async def run_steps_async(steps: Steps[T], call: Callable[[Call, Deadline], Awaitable[Any]]) -> T:
    """The same for asyncio."""
    try:
        step = next(steps)
        while True:
            try:
                answer = await (asyncio.sleep(step) if isinstance(step, float) else call(*step))
            except (OSError, PyTritonClientInferenceServerError) as error:
                step = steps.throw(error)
            else:
                step = steps.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result


def wait_for_server(
    speaker: Speaker, deadline: Deadline, longest_pause_s: float = math.inf
) -> Steps[None]:
    """Waits until the server is live and ready.

    Args:
        speaker: Speaks the server's protocol.
        deadline: Until when.
        longest_pause_s: Between tries, in seconds.

    Raises:
        PyTritonClientTimeoutError: It was not in time.
        PyTritonClientInferenceServerError: It refuses to tell.
    """
    for ask in (speaker.server_ready, speaker.server_live):
        if not (yield from _until(ask, deadline, longest_pause_s)):
            raise PyTritonClientTimeoutError("Waiting for server to be ready timed out.")


def wait_for_loaded(
    speaker: Speaker,
    model_name: str,
    model_version: str | None,
    deadline: Deadline,
    longest_pause_s: float = math.inf,
) -> Steps[None]:
    """Waits until a model is ready, whatever the server says of itself. As wait_for_server."""
    version = version_text(model_version)
    if not (
        yield from _until(
            lambda: speaker.model_ready(model_name, version), deadline, longest_pause_s
        )
    ):
        shown = version or LATEST_MODEL_VERSION
        raise PyTritonClientTimeoutError(
            f"Waiting for model {model_name}/{shown} to be ready timed out."
        )


def wait_for_model(
    speaker: Speaker, model_name: str, model_version: str | None, timeout_s: float
) -> Steps[None]:
    """Waits until the server and then the model are ready; with 0 seconds, asks once."""
    deadline = Deadline(timeout_s)
    yield from wait_for_server(speaker, deadline)
    yield from wait_for_loaded(speaker, model_name, model_version, deadline)


def read_config(
    speaker: Speaker,
    model_name: str,
    model_version: str | None,
    deadline: Deadline,
    on_extensions: Callable[[Iterable[str]], None] | None = None,
) -> Steps[TritonModelConfig]:
    """A model's configuration; of a server without configurations, what its metadata tell.

    Args:
        speaker: Speaks the server's protocol.
        model_name: Of the model.
        model_version: Its version; None: the latest.
        deadline: Bounds all calls.
        on_extensions: Told the extensions of a server without configurations.

    Raises:
        PyTritonClientInferenceServerError: The server refuses.
    """
    version = version_text(model_version)
    config = yield speaker.model_config(model_name, version), deadline
    if config is not None:
        return ModelConfigParser.from_dict(config)
    metadata = yield speaker.model_metadata(model_name, version), deadline
    if on_extensions is not None:
        server = yield speaker.server_metadata(), deadline
        on_extensions(server.get("extensions") or ())
    return model_config_of_metadata(metadata, model_name)


def version_text(version: str | None) -> str:
    """A version as the wire has it; empty: the latest."""
    return "" if version in (None, LATEST_MODEL_VERSION) else str(version)


def _until(ask: Callable[[], Call], deadline: Deadline, longest_pause_s: float) -> Steps[bool]:
    """Asks until the answer is yes; False: it was not in time."""
    # Asking once with a time-out of 0 gets a moment.
    bound = deadline if deadline.seconds > 0 else Deadline(1.0)
    for pause in _pauses(deadline):
        try:
            if (yield ask(), bound):
                return True
        except ssl.SSLCertVerificationError as error:
            raise PyTritonClientTimeoutError(
                f"expected a server that can be trusted, got: {error}"
            ) from error
        except OSError:
            pass
        except PyTritonClientInferenceServerError as error:
            if error.status in _FINAL or "restricted" in error.message:
                raise
        yield min(pause, longest_pause_s)
    return False


def _pauses(deadline: Deadline) -> Iterator[float]:
    """Seconds to sleep between tries, growing; ends at the deadline, but lets one try happen."""
    pause = _FIRST_PAUSE_S
    while True:
        yield min(pause, deadline.left())
        if not deadline.left():
            return
        pause = min(pause * 1.5, _LONGEST_PAUSE_S)


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
