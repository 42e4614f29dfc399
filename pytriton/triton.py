"""Triton: a server for Python callables, in this process."""

from __future__ import annotations

import atexit
import importlib
import logging
import os
import pathlib
import secrets as secrets  # PyTriton's users replace its functions here, in their tests
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytriton import _core, _options, _tracing
from pytriton._inspection import (
    GROWTH_BACKEND_SHM_SIZE,
    INITIAL_BACKEND_SHM_SIZE,
    TRITONSERVER_DIST_DIR,
    Inspection,
)
from pytriton._model_context import TritonContext
from pytriton._remote_models import RemoteModels
from pytriton._security import (
    DEFAULT_PROTECTED_ENDPOINTS,
    TRITON_ACCESS_HEADER,
    VALID_TRITON_ENDPOINTS,
    TritonSecurityConfig,
)
from pytriton._triton_base import (
    MODEL_CONFIG_URL,
    MODEL_INFER_URL,
    MODEL_READY_URL,
    MODEL_URL,
    MONITORING_PERIOD_S,
    TritonBase,
    log_model,
    warn_of_verbose_logs,
)
from pytriton._triton_config import (
    DefaultTritonLifecyclePolicy,
    TritonConfig,
    TritonLifecyclePolicy,
    VertextAILifecyclePolicy,
)
from pytriton.constants import DEFAULT_TRITON_STARTUP_TIMEOUT_S
from pytriton.exceptions import PyTritonRuntimeError
from pytriton.model_config.model_config import ModelConfig
from pytriton.model_config.tensor import Tensor
from pytriton.utils.workspace import Workspace

if TYPE_CHECKING:
    from pytriton._remote import RemoteTriton

__all__ = [
    "DEFAULT_PROTECTED_ENDPOINTS",
    "DEFAULT_TRITON_STARTUP_TIMEOUT_S",
    "GROWTH_BACKEND_SHM_SIZE",
    "INITIAL_BACKEND_SHM_SIZE",
    "MODEL_CONFIG_URL",
    "MODEL_INFER_URL",
    "MODEL_READY_URL",
    "MODEL_URL",
    "MONITORING_PERIOD_S",
    "TRITONSERVER_DIST_DIR",
    "TRITON_ACCESS_HEADER",
    "VALID_TRITON_ENDPOINTS",
    "DefaultTritonLifecyclePolicy",
    "ModelConfig",
    "RemoteTriton",
    "Tensor",
    "Triton",
    "TritonBase",
    "TritonConfig",
    "TritonContext",
    "TritonLifecyclePolicy",
    "TritonSecurityConfig",
    "VertextAILifecyclePolicy",
    "Workspace",
]

LOGGER = logging.getLogger(__name__)

_AWAIT_STEP_S = 0.2
WAIT_FORM_MODEL_TIMEOUT_S = 60.0

# Imported when they are asked for.
_LAZY_NAMES = {
    "Model": "pytriton.models.model",
    "ModelEvent": "pytriton.models.model",
    "ModelManager": "pytriton.models.manager",
    "PythonBackendConfig": "pytriton.server.python_backend_config",
    "RemoteTriton": "pytriton._remote",
    "TritonServer": "pytriton.server.triton_server",
    "TritonServerConfig": "pytriton.server.triton_server_config",
    "ModelClient": "pytriton.client",
    "TritonUrl": "pytriton.client.utils",
    "create_client_from_url": "pytriton.client.utils",
    "wait_for_server_ready": "pytriton.client.utils",
}


def __getattr__(name: str) -> Any:
    if name in _LAZY_NAMES:
        return getattr(importlib.import_module(_LAZY_NAMES[name]), name)
    raise AttributeError(f"module 'pytriton.triton' has no attribute {name!r}")


class Triton(Inspection, TritonBase):
    """A server for callables: `bind` them, then `run` or `serve`.

    Use as a context manager, or call `stop` yourself. After `stop` the same object can be bound and
    run again. Any number of servers live side by side, each on its own ports.

    Thread rule: thread-safe. `stop` may be called from anywhere, also inside a callable.
    """

    def __init__(
        self,
        *,
        config: TritonConfig | None = None,
        workspace: Workspace | str | pathlib.Path | None = None,
        triton_lifecycle_policy: TritonLifecyclePolicy | None = None,
        security_config: TritonSecurityConfig | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Prepares a server; no port is opened yet.

        Args:
            config: Options; what is None comes from PYTRITON_TRITON_CONFIG_* variables.
            workspace: A path to a directory that does not exist, or a Workspace. Bound models need
                no files: without one, none is made.
            triton_lifecycle_policy: Whether entering the context starts the server.
            security_config: Endpoints that need a token; None: those that change or watch the
                server need one that `get_access_token` tells.
            options: Further options by their command-line names, such as
                `{"max-connections": 100}`; they win over `config`.

        Raises:
            PyTritonValidationError: No endpoint is allowed, or an endpoint name is unknown.
            FileExistsError: The workspace exists.
            ValueError: A token is asked for and empty, or a variable has a value of another type.
        """
        super().__init__()
        self._config, environment = _options.merge_environment(config or TritonConfig())
        self._more_options = {**environment, **_options.to_texts(options or {})}
        self._security_config = security_config or TritonSecurityConfig()
        self._security_config.to_options()  # refuses an empty token here
        if isinstance(workspace, (str, pathlib.Path)):
            workspace = Workspace(workspace)
        self._workspace = workspace
        self._policy = triton_lifecycle_policy or _default_policy(config)
        if triton_lifecycle_policy is not None and triton_lifecycle_policy.local_model_store:
            LOGGER.info("local_model_store has no effect: bound models need no files.")
        # Servers whose callables outlived the exit timeout: dropping one would wait for them.
        self._unfinished: list[_core.Server] = []
        # Whether other processes may attach models, given the token where one is asked for.
        self._takes_remotes = True
        self._remotes: RemoteModels | None = None
        self._verbose_level = 0

    def run(self) -> None:
        """Starts the server and all its models; returns when they are ready.

        Models of `model_repository` are loaded in the background meanwhile; the ports answer, and
        say that the server is not ready.

        Raises:
            PyTritonRuntimeError: A port is busy (the text names it); or, unless `exit_on_error` is
                false, a model of the repository could not be loaded: then nothing runs.
            PyTritonBadParameterError: A model's configuration contradicts itself.
            PyTritonValidationError: An option has a value that is not acceptable.
        """
        with self._condition:
            if self._server is not None:
                return
            server = self._initialize_server()
            for binding in self._models.values():
                self._add_model(server, binding)
            remotes = RemoteModels(server) if self._takes_remotes else None
            server.start()
            if remotes is not None:
                remotes.start()
            self._server, self._remotes = server, remotes
            atexit.register(self.stop)
        self._await_models(server)
        for binding in self._models.values():
            log_model(binding.config.model_name)
        LOGGER.info(
            "(Press CTRL+C or use the command `kill -SIGINT %s` to send a SIGINT signal and quit)",
            os.getpid(),
        )

    def _await_models(self, server: _core.Server) -> None:
        """Waits for the models of repositories, in steps: signals are handled between them."""
        try:
            while not server.await_models(_AWAIT_STEP_S):
                if self._server is not server:
                    return
        except PyTritonRuntimeError:
            self.stop()
            raise

    def connect(self) -> None:
        """The same as `run`."""
        self.run()

    def stop(self) -> bool:
        """Finishes the work under way, up to `exit_timeout_secs`, and closes the ports.

        Returns:
            True when it ran.
        """
        if self._stops_elsewhere():
            return self._server is not None
        with self._condition:
            server, self._server = self._server, None
            remotes, self._remotes = self._remotes, None
            if server is None:
                return False
            self._was_stopped = True
        atexit.unregister(self.stop)
        try:
            server.stop()
        except PyTritonRuntimeError as error:
            self._unfinished.append(server)
            LOGGER.warning("%s", error)
        finally:
            if remotes is not None:
                remotes.join()
            if self._workspace is not None:
                self._workspace.clean()
            with self._condition:
                self._condition.notify_all()
        warn_of_verbose_logs(self._verbose_level)  # again: a long log may have swallowed the first
        return True

    def is_alive(self) -> bool:
        """Whether the server runs and every instance works."""
        server = self._server
        return server is not None and server.is_running

    def is_connected(self) -> bool:
        """Whether the bound models are served."""
        return self.is_alive()

    @property
    def has_run(self) -> bool:
        """Whether the server has been started at least once."""
        return self._server is not None or self._was_stopped

    @property
    def has_left_work(self) -> bool:
        """Whether a stop gave up on work that was still under way at the exit timeout."""
        return bool(self._unfinished)

    def get_access_token(self) -> str | None:
        """The token that restricted endpoints ask for, or None."""
        return self._security_config.access_token

    def __enter__(self) -> Triton:
        if self._policy.launch_triton_on_startup:
            self.run()
        return self

    @property
    def http_port(self) -> int:
        """The HTTP port that was taken (for port 0); 0 when off or not running."""
        return 0 if self._server is None else self._server.http_port

    @property
    def grpc_port(self) -> int:
        """The gRPC port that was taken (for port 0); 0 when off or not running."""
        return 0 if self._server is None else self._server.grpc_port

    @property
    def metrics_port(self) -> int:
        """The metrics port that was taken (for port 0); 0 when off or not running."""
        return 0 if self._server is None else self._server.metrics_port

    def _default_trace_config(self) -> list[str] | None:
        return self._config.trace_config

    def _kept_headers(self) -> str:
        return self._config.http_header_forward_pattern or ""

    def _repr_html_(self) -> str:
        from pytriton._html import triton_html

        return triton_html(self)

    def _core_options(self) -> _options.OptionTexts:
        options = {
            "python-executable": sys.executable,
            **_options.to_texts(self._config.to_dict()),
            **self._security_config.to_options(),
            **self._more_options,
            **_options.COMMAND_LINE.get({}),
        }
        if self._is_traced:
            for name in ("http-header-forward-pattern", "grpc-header-forward-pattern"):
                options[name] = _tracing.forward_pattern(str(options.get(name, "")))
        _options.warn_of_ineffective(options)
        self._verbose_level = _level(options.get("log-verbose", "0"))
        warn_of_verbose_logs(self._verbose_level)
        return options


def _level(text: str | list[str]) -> int:
    """Of a log; of several the last counts, and what is no number is the core's to refuse."""
    last = text if isinstance(text, str) else text[-1]
    return int(last) if last.isdigit() else 0


def _default_policy(config: TritonConfig | None) -> TritonLifecyclePolicy:
    if config is not None and config.allow_vertex_ai:
        return VertextAILifecyclePolicy
    return DefaultTritonLifecyclePolicy
