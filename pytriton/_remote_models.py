"""The models that other processes (RemoteTriton) have attached to a server of this process.

A process attaches a model by the repository's load call, so whoever may not load models may not
attach any. Its configuration names the backend "pytriton_remote" and the Unix socket on which that
process serves the model with a core of its own; requests are forwarded there (_forwarding.py).
"""

from __future__ import annotations

import json
import logging
import os
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from pytriton._signatures import check_name
from pytriton.exceptions import PyTritonError, PyTritonModelConfigError

if TYPE_CHECKING:
    from pytriton._core import Server
    from pytriton._forwarding import ForwardingBinding
    from pytriton.model_config.triton_model_config import TensorSpec, TritonModelConfig

LOGGER = logging.getLogger("pytriton.triton")

BACKEND = "pytriton_remote"
# Parameters of the configuration that tell where the model is.
SOCKET, PEER, VERSION = "remote_socket", "remote_id", "remote_version"
_CHECK_S = 10.0  # how long the other process may take to tell who it is

_Key = tuple[str, int]


class Place(NamedTuple):
    """Where a model is served.

    Attributes:
        socket: Path of a Unix socket that speaks gRPC.
        peer: What the core there calls itself: a secret that only the process that attaches knows.
    """

    socket: str
    peer: str


class RemoteModels:
    """Carries out what other processes ask for. Its thread ends when the server stops.

    Thread rule: thread-safe.
    """

    def __init__(self, server: Server) -> None:
        """Before the server starts.

        Args:
            server: Of the core.
        """
        # None: it has stopped. Its models know this object, which must not keep the server then.
        self._server: Server | None = server
        self._lock = threading.Lock()
        self._models: dict[_Key, ForwardingBinding] = {}
        self._thread: threading.Thread | None = None
        server.allow_remotes()

    def start(self) -> None:
        """Takes asks from now on."""
        self._thread = threading.Thread(
            target=self._run, args=(self._server,), name="pytriton-remote", daemon=True
        )
        self._thread.start()

    def join(self) -> None:
        """Waits for the thread's end, after the server has stopped.

        Else the end of the interpreter could find it in the core and kill it there.
        """
        if self._thread is not None:
            self._thread.join()

    def _run(self, server: Server) -> None:
        while True:
            ask = server.next_remote()
            if ask is None:
                break
            # Each in a thread of its own: an end waits for the model's last request.
            threading.Thread(
                target=self._handle, args=(server, *ask), name="pytriton-remote-ask"
            ).start()
        with self._lock:
            self._server = None
            self._models.clear()

    def _handle(
        self, server: Server, number: int, is_attach: bool, name: bytes, config: bytes
    ) -> None:
        try:
            if is_attach:
                self._attach(server, name.decode(), config)
            else:
                self._detach(server, name.decode())
        except Exception as error:
            if not isinstance(error, (PyTritonError, ValueError)):
                LOGGER.exception("Attaching or detaching model %r failed", name)
            server.answer_remote(number, str(error) or repr(error))
        else:
            server.answer_remote(number, "")

    def _attach(self, server: Server, name: str, config_text: bytes) -> None:
        from pytriton._forwarding import ForwardingBinding, check_peer

        config, place = read_config(name, config_text)
        check_peer(place, _CHECK_S)
        key = (name, config.model_version)
        binding = ForwardingBinding(config, place, lambda: self._end_soon(key))
        with self._lock:
            # The core refuses a name and version that are served.
            server.add_model(binding.to_core(), binding)
            self._models[key] = binding
        binding.watch()
        LOGGER.info("Model `%s` version %s was attached by another process.", *key)

    def _detach(self, server: Server, name: str) -> None:
        with self._lock:
            keys = [key for key in self._models if key[0] == name]
            for key in keys:
                del self._models[key]
        for key in keys:
            server.remove_model(*key)
            LOGGER.info("Model `%s` version %s was detached.", *key)

    def _end_soon(self, key: _Key) -> None:
        """The process of that model has gone. Called on the model's own loop, which ends by it."""
        threading.Thread(target=self._end, args=(key,), name="pytriton-remote-end").start()

    def _end(self, key: _Key) -> None:
        with self._lock:
            server = self._server
            if server is None or self._models.pop(key, None) is None:
                return  # stopped or detached meanwhile
            is_last = all(other[0] != key[0] for other in self._models)
        LOGGER.warning("The process of model `%s` version %s has gone; unloading the model.", *key)
        server.remove_model(*key)
        if is_last:
            server.forget_remote(key[0])


def read_config(name: str, text: bytes) -> tuple[TritonModelConfig, Place]:
    """What a process wants to attach.

    Args:
        name: Of the model, from the call's path.
        text: The configuration, JSON.

    Returns:
        The configuration as this server serves it: it collects no batches, the other process does.

    Raises:
        PyTritonError: The name or the configuration is not acceptable.
        ValueError: The text is no JSON.
    """
    check_name(name)
    found = json.loads(text)
    try:
        if found["name"] != name:
            raise PyTritonModelConfigError(f"expected the name {name!r}, got {found['name']!r}")
        parameters = {key: str(item["string_value"]) for key, item in found["parameters"].items()}
        place = Place(parameters.pop(SOCKET), parameters.pop(PEER))
        config = _config(name, int(parameters.pop(VERSION)), found)
    except (KeyError, TypeError, AttributeError) as error:
        raise PyTritonModelConfigError(
            f"expected a configuration as RemoteTriton writes it, got one that lacks {error}"
        ) from error
    if not os.path.isabs(place.socket) or not place.peer:
        raise PyTritonModelConfigError(f"expected {SOCKET} with a path and {PEER} with an id")
    return config, place


def _config(name: str, version: int, found: dict[str, Any]) -> TritonModelConfig:
    from pytriton.model_config.triton_model_config import ResponseCache, TritonModelConfig

    max_batch_size = int(found["max_batch_size"])
    return TritonModelConfig(
        model_name=name,
        model_version=version,
        max_batch_size=max(max_batch_size, 1),
        batching=max_batch_size > 0,
        batcher=None,
        decoupled=bool(found.get("model_transaction_policy", {}).get("decoupled")),
        inputs=[_spec(item) for item in found.get("input", ())],
        outputs=[_spec(item) for item in found.get("output", ())],
        response_cache=(
            ResponseCache(enable=True) if found.get("response_cache", {}).get("enable") else None
        ),
    )


def _spec(item: dict[str, Any]) -> TensorSpec:
    from pytriton.model_config.parser import DTYPES
    from pytriton.model_config.triton_model_config import TensorSpec

    kind = item["data_type"]
    if not isinstance(kind, str) or kind[len("TYPE_") :] not in DTYPES:
        raise PyTritonModelConfigError(f"Unsupported data type `{kind}` of `{item['name']}`")
    return TensorSpec(
        name=str(item["name"]),
        shape=tuple(int(dim) for dim in item["dims"]),
        dtype=DTYPES[kind[len("TYPE_") :]],
        optional=bool(item.get("optional", False)),
    )
