"""RemoteTriton: callables of this process as models of a server in another process."""

from __future__ import annotations

import atexit
import json
import logging
import pathlib
import secrets
import threading
from typing import Any

from pytriton import _core
from pytriton._binding import ModelBinding
from pytriton._kept_directory import KeptDirectory
from pytriton._remote_models import BACKEND, PEER, SOCKET, VERSION
from pytriton._triton_base import TritonBase, warn_of_verbose_logs
from pytriton.client._base import make_speaker
from pytriton.client._call import Deadline
from pytriton.client._server_client import ServerClient
from pytriton.client.exceptions import (
    PyTritonClientError,
    PyTritonClientInferenceServerError,
    PyTritonClientTimeoutError,
)
from pytriton.client.utils import TritonUrl, wait_for_server_ready
from pytriton.constants import DEFAULT_TRITON_STARTUP_TIMEOUT_S
from pytriton.exceptions import PyTritonRuntimeError
from pytriton.model_config.generator import ModelConfigGenerator
from pytriton.utils.workspace import Workspace

__all__ = ["RemoteTriton"]

LOGGER = logging.getLogger("pytriton.triton")

_NETWORK_TIMEOUT_S = 60.0
_LOOK_PERIOD_S = 1.0
_LOOK_TIMEOUT_S = 5.0
_PREFIX = "pytriton-remote-"
_SOCKET_FILE = "core.sock"
_MAX_PARENT = 107 - len(f"/{_PREFIX}12345678/{_SOCKET_FILE}")  # bytes; sockaddr_un takes 107

# What serves the models here. No ports: one Unix socket that only this user reaches.
_OPTIONS = {
    "allow-http": "false",
    "allow-grpc": "false",
    "allow-metrics": "false",
    "log-info": "false",
    "idle-timeout-secs": "0",
    "header-timeout-secs": "0",
}


class RemoteTriton(TritonBase):
    """Attaches callables of this process to a server (`Triton`) in another process of this machine.

    Clients ask that server as for its own models; it forwards their requests to this process, over
    a Unix socket. When this process ends, however it ends, its models are unloaded there.

    Example:
        with RemoteTriton("localhost:8000", access_token=token) as triton:
            triton.bind("Model", infer_func, inputs, outputs)
            triton.serve()

    Thread rule: thread-safe. `stop` may be called from anywhere, also inside a callable.
    """

    def __init__(
        self,
        url: str,
        workspace: Workspace | str | pathlib.Path | None = None,
        access_token: str | None = None,
    ) -> None:
        """Makes no connection.

        Args:
            url: Of the server, as TritonUrl.from_url takes it.
            workspace: Where the socket goes: a path that does not exist, or a Workspace. None: a
                temporary directory.
            access_token: Of the server (`Triton.get_access_token`); its load calls ask for it by
                default.

        Raises:
            PyTritonClientInvalidUrlError: The URL can't be used.
            FileExistsError: The workspace exists.
            ValueError: The token is empty.
        """
        super().__init__()
        parsed = TritonUrl.from_url(url)
        self._url = parsed.with_scheme
        self._client = ServerClient(parsed, make_speaker(parsed, access_token), _NETWORK_TIMEOUT_S)
        if isinstance(workspace, (str, pathlib.Path)):
            workspace = Workspace(workspace)
        self._workspace = workspace
        self._directory: KeptDirectory | None = None
        self._socket_path = ""
        self._peer = ""
        self._attached: set[str] = set()
        self._is_stopped = False
        self._is_lost = False
        self._verbose_level = 0
        self._ends = threading.Event()
        atexit.register(self.stop)

    def connect(self) -> None:
        """Attaches all bound models; returns when the server serves them.

        Raises:
            PyTritonClientTimeoutError: The server was not ready within two minutes.
            PyTritonClientInferenceServerError: It refuses: the token, or a model's name.
            PyTritonBadParameterError: A model's configuration contradicts itself.
        """
        with self._condition:
            if self._server is not None and not self._is_lost:
                return
            self._close()  # what was lost
            wait_for_server_ready(self._client, DEFAULT_TRITON_STARTUP_TIMEOUT_S)
            try:
                self._server = self._start_core()
                for binding in self._models.values():
                    self._attach(binding)
            except BaseException:
                self._close()
                raise
            self._is_stopped = False
            self._ends = threading.Event()
            looking = threading.Thread(
                target=self._look, args=(self._ends,), name="pytriton-remote", daemon=True
            )
            looking.start()
            self._verbose_level = self._ask_verbose_level()
        warn_of_verbose_logs(self._verbose_level)

    def _ask_verbose_level(self) -> int:
        """The server's; 0 when it doesn't tell."""
        try:
            return self._client.get_log_verbose_level()
        except (OSError, PyTritonClientError):
            return 0

    def run(self) -> None:
        """The same as `connect`."""
        self.connect()

    def stop(self) -> bool:
        """Detaches the models, finishes the work under way. The server goes on.

        Returns:
            True unless it was stopped before.
        """
        if self._stops_elsewhere():
            return not self._is_stopped
        with self._condition:
            if self._is_stopped:
                return False
            self._is_stopped = self._was_stopped = True
            self._close()
            self._condition.notify_all()
        atexit.unregister(self.stop)
        if self._workspace is not None:
            self._workspace.clean()
        warn_of_verbose_logs(self._verbose_level)
        return True

    def is_alive(self) -> bool:
        """Whether every model is served; without any, whether it was not stopped."""
        if self._is_stopped:
            return False
        return self.is_connected() or (not self._models and not self._is_lost)

    def is_connected(self) -> bool:
        """Whether the models are attached to the server."""
        return self._server is not None and self._server.is_running and not self._is_lost

    def __enter__(self) -> RemoteTriton:
        self.connect()
        return self

    def _start_core(self) -> _core.Server:
        self._peer = f"pytriton-remote-{secrets.token_hex(16)}"
        server = _core.Server({**_OPTIONS, "id": self._peer, "grpc-unix-socket": self._socket()})
        for binding in self._models.values():
            super()._add_model(server, binding)
        server.start()
        return server

    def _socket(self) -> str:
        parent = None if self._workspace is None else str(self._workspace.path)
        if parent is not None and len(parent.encode()) > _MAX_PARENT:
            LOGGER.warning("The path of the workspace is too long for a socket; using another one.")
            parent = None
        # Nobody but this user gets into it.
        self._directory = KeptDirectory(_PREFIX, (_SOCKET_FILE,), parent)
        self._socket_path = f"{self._directory.path}/{_SOCKET_FILE}"
        return self._socket_path

    def _add_model(self, server: _core.Server, binding: ModelBinding) -> None:
        super()._add_model(server, binding)
        try:
            self._attach(binding)
        except BaseException:
            server.remove_model(binding.config.model_name, binding.config.model_version)
            raise

    def _attach(self, binding: ModelBinding) -> None:
        """Makes the server serve a model that the core here serves."""
        name = binding.config.model_name
        config = ModelConfigGenerator(binding.config).get_config()
        config.pop("model_warmup", None)
        config["backend"] = BACKEND
        config["parameters"] = {
            key: {"string_value": value}
            for key, value in (
                (SOCKET, self._socket_path),
                (PEER, self._peer),
                (VERSION, str(binding.config.model_version)),
            )
        }
        try:
            self._client.load_model(name, json.dumps(config))
        except OSError as error:
            raise PyTritonClientTimeoutError(
                f"Attaching model {name} to {self._url} failed. Message: {error}"
            ) from error
        except PyTritonClientInferenceServerError as error:
            raise _explained(error, name, self._url) from error
        self._attached.add(name)

    def _close(self) -> None:
        """Detaches what is attached and ends the core here. Under the condition."""
        server, self._server = self._server, None
        self._ends.set()
        attached, self._attached = self._attached, set()
        for name in attached if not self._is_lost else ():
            try:
                self._client.unload_model(name)
            except (OSError, PyTritonClientError) as error:
                LOGGER.warning("Detaching model %s from %s failed: %s", name, self._url, error)
        self._is_lost = False
        if server is not None:
            try:
                server.stop()
            except PyTritonRuntimeError as error:
                LOGGER.warning("%s", error)
        if self._directory is not None:
            self._directory.remove()
            self._directory = None
        self._client.close()
        self._client = ServerClient(self._client.url, self._client.speaker, _NETWORK_TIMEOUT_S)

    def _look(self, ends: threading.Event) -> None:
        """Looks every second whether the server still serves the models."""
        misses = 0
        while not ends.wait(_LOOK_PERIOD_S):
            misses = 0 if self._is_served() else misses + 1
            # Twice: a model that is just being attached, or a dropped connection, is no end.
            if misses < 2:
                continue
            with self._condition:
                if ends.is_set():
                    return
                LOGGER.warning("The server at %s serves the models no more.", self._url)
                self._is_lost = True
                self._condition.notify_all()
            return

    def _is_served(self) -> bool:
        client = self._client
        try:
            for binding in list(self._models.values()):
                config = binding.config
                deadline = Deadline(_LOOK_TIMEOUT_S)
                version = str(config.model_version)
                if not client.is_model_ready(config.model_name, version, deadline):
                    return False
            return client.is_server_live(Deadline(_LOOK_TIMEOUT_S))
        except TimeoutError:
            return True  # busy is not gone
        except (OSError, PyTritonClientError):
            return False


def _explained(error: Any, name: str, url: str) -> PyTritonClientInferenceServerError:
    """The server's refusal with what can be done about it."""
    text = f"Attaching model {name} to {url} failed: {error.message}"
    if "is restricted" in error.message:
        text += (
            "; expected the server's access_token (Triton.get_access_token() there, or its "
            "PYTRITON_ACCESS_TOKEN), as RemoteTriton(url, access_token=...)"
        )
    return PyTritonClientInferenceServerError(text, error.status)
