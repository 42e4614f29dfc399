"""Triton: a server for Python callables, in this process."""

from __future__ import annotations

import atexit
import importlib
import logging
import os
import pathlib
import sys
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Callable, Union

from pytriton import _core, _options, _tracing
from pytriton._binding import ModelBinding, model_config_of
from pytriton._model_context import TritonContext, inject_triton_context
from pytriton._security import (
    DEFAULT_PROTECTED_ENDPOINTS,
    TRITON_ACCESS_HEADER,
    VALID_TRITON_ENDPOINTS,
    TritonSecurityConfig,
)
from pytriton._serving import serve_until_stopped
from pytriton._signatures import as_functions, check_name, tensors_of
from pytriton._triton_config import (
    DefaultTritonLifecyclePolicy,
    TritonConfig,
    TritonLifecyclePolicy,
    VertextAILifecyclePolicy,
)
from pytriton.constants import DEFAULT_TRITON_STARTUP_TIMEOUT_S
from pytriton.exceptions import (
    PyTritonInvalidOperationError,
    PyTritonRuntimeError,
    PyTritonValidationError,
)
from pytriton.model_config.model_config import ModelConfig
from pytriton.model_config.tensor import Tensor
from pytriton.utils.workspace import Workspace

__all__ = [
    "DEFAULT_PROTECTED_ENDPOINTS",
    "DEFAULT_TRITON_STARTUP_TIMEOUT_S",
    "TRITON_ACCESS_HEADER",
    "VALID_TRITON_ENDPOINTS",
    "DefaultTritonLifecyclePolicy",
    "ModelConfig",
    "Tensor",
    "Triton",
    "TritonConfig",
    "TritonContext",
    "TritonLifecyclePolicy",
    "TritonSecurityConfig",
    "VertextAILifecyclePolicy",
    "Workspace",
]

LOGGER = logging.getLogger(__name__)

MONITORING_PERIOD_S = 10.0
_AWAIT_STEP_S = 0.2
WAIT_FORM_MODEL_TIMEOUT_S = 60.0
MODEL_URL = "/v2/models/{model_name}"
MODEL_READY_URL = f"{MODEL_URL}/ready/"
MODEL_CONFIG_URL = f"{MODEL_URL}/config/"
MODEL_INFER_URL = f"{MODEL_URL}/infer/"

# Names of the clients that PyTriton's scripts import from here; imported when they are asked for.
_CLIENT_NAMES = {
    "ModelClient": "pytriton.client",
    "TritonUrl": "pytriton.client.utils",
    "create_client_from_url": "pytriton.client.utils",
    "wait_for_server_ready": "pytriton.client.utils",
}


def __getattr__(name: str) -> Any:
    if name in _CLIENT_NAMES:
        return getattr(importlib.import_module(_CLIENT_NAMES[name]), name)
    raise AttributeError(f"module 'pytriton.triton' has no attribute {name!r}")


_ModelKey = tuple[str, int]
_Callables = Union[Callable[..., Any], Sequence[Callable[..., Any]]]


class Triton:
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
        self._config, environment = _options.merge_environment(config or TritonConfig())
        self._more_options = {**environment, **_options.to_texts(options or {})}
        self._security_config = security_config or TritonSecurityConfig()
        self._security_config.to_options()  # refuses an empty token here
        if isinstance(workspace, (str, pathlib.Path)):
            workspace = Workspace(workspace)
        self._workspace = workspace
        self._policy = triton_lifecycle_policy or _default_policy(config)
        self._condition = threading.Condition(threading.RLock())
        self._models: dict[_ModelKey, ModelBinding] = {}
        self._context = TritonContext()
        self._server: _core.Server | None = None
        # Servers whose callables outlived the exit timeout: dropping one would wait for them.
        self._unfinished: list[_core.Server] = []
        self._is_traced = False  # by OpenTelemetry, on our side of the core
        self._was_stopped = False  # models of an earlier run may be bound anew

    def bind(
        self,
        model_name: str,
        infer_func: _Callables,
        inputs: Sequence[Tensor] | None = None,
        outputs: Sequence[Tensor] | None = None,
        model_version: int = 1,
        config: ModelConfig | None = None,
        strict: bool = False,
        trace_config: list[str] | None = None,
    ) -> None:
        """Adds a model. It is ready on return when the server runs, else when it starts.

        Args:
            model_name: Name on the wire.
            infer_func: A callable, or a list of callables, each of which is an instance with a
                thread of its own.
            inputs: What it takes; shapes without the batch dimension. None: what the callable's
                type hints say (`x: Annotated[np.ndarray, Tensor(shape=(4,), dtype="float32")]`).
            outputs: What it gives, likewise; for several a tuple or a TypedDict of such types.
            model_version: Version.
            config: Batching and answers.
            strict: Whether results must match the declared names, types and shapes exactly.
            trace_config: Settings of the trace; None: those of the server. With
                "mode=opentelemetry" each request gets a span that continues its client's trace.

        Raises:
            PyTritonValidationError: The name or the callable is not acceptable, or does not take
                the model's inputs, or an output is optional.
            ImportError: OpenTelemetry is asked for and not installed.
            PyTritonInvalidOperationError: That name and version are bound already.
            PyTritonBadParameterError: A tensor is not acceptable; or the configuration contradicts
                itself (when the server runs; else at its start).
        """
        check_name(model_name)
        functions = as_functions(infer_func)
        inputs, outputs = tensors_of(functions[0] if functions else None, inputs, outputs)
        if any(tensor.optional for tensor in outputs):
            raise PyTritonValidationError("Output tensors cannot be optional.")
        if _tracing.prepare(trace_config or self._config.trace_config):
            self._is_traced = True
            kept = self._config.http_header_forward_pattern or ""
            functions = [_tracing.traced(function, kept) for function in functions]
        config = config or ModelConfig()
        model = model_config_of(
            model_name, model_version, (inputs, outputs), config, len(functions)
        )
        binding = ModelBinding(
            model, functions, strict, self._on_fatal, config.max_concurrent_calls
        )
        for function in functions:
            inject_triton_context(self._context, function, model)
        self._register((model_name.lower(), model_version), binding)

    def _register(self, key: _ModelKey, binding: ModelBinding) -> None:
        with self._condition:
            if self._server is None and self._was_stopped:
                self._models.pop(key, None)
            if key in self._models:
                raise PyTritonInvalidOperationError("Cannot add model with the same name twice.")
            if self._server is not None:
                _add_model(self._server, binding)
                _log_model(binding)
            self._models[key] = binding

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
            server = _core.Server(self._core_options())
            for binding in self._models.values():
                _add_model(server, binding)
            server.start()
            self._server = server
            atexit.register(self.stop)
        self._await_models(server)
        for binding in self._models.values():
            _log_model(binding)
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

    def serve(self, monitoring_period_s: float = MONITORING_PERIOD_S) -> None:
        """Runs the server until `stop`, SIGINT, SIGTERM or a callable's fatal error ends it.

        Tunes the process for serving (memory allocator, thread switch interval). In the main thread
        SIGTERM ends it like SIGINT: work under way is finished, and this function returns.

        Args:
            monitoring_period_s: How often an idle server gives memory back, in seconds.

        Raises:
            PyTritonRuntimeError: A port is busy; the text names it.
        """
        serve_until_stopped(self, monitoring_period_s)

    def stop(self) -> bool:
        """Finishes the work under way, up to `exit_timeout_secs`, and closes the ports.

        Returns:
            True when it ran.
        """
        if any(binding.runs_on_this_thread() for binding in list(self._models.values())):
            # A callable can't wait for its own end.
            threading.Thread(target=self.stop, name="pytriton-stop").start()
            return self._server is not None
        with self._condition:
            server, self._server = self._server, None
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
            if self._workspace is not None:
                self._workspace.clean()
            with self._condition:
                self._condition.notify_all()
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

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: Any,
    ) -> None:
        self.stop()

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
            options.pop("trace-config", None)
        _options.warn_of_ineffective(options)
        level = options.get("log-verbose", "0")
        if level != "0":
            LOGGER.warning(
                "Triton Inference Server is running with enabled verbose logs "
                "(log_verbose_level=%s). It may affect inference performance.",
                level,
            )
        return options

    def _on_fatal(self, error: BaseException) -> None:
        """A callable can never work again: its clients get their answers, then everything stops."""
        LOGGER.error("Stopping the server because of %s: %s", type(error).__name__, error)
        threading.Thread(target=self.stop, name="pytriton-stop").start()


def _default_policy(config: TritonConfig | None) -> TritonLifecyclePolicy:
    if config is not None and config.allow_vertex_ai:
        return VertextAILifecyclePolicy
    return DefaultTritonLifecyclePolicy


def _add_model(server: _core.Server, binding: ModelBinding) -> None:
    config = binding.to_core()
    binding.warm_up(server)
    server.add_model(config, binding)


def _log_model(binding: ModelBinding) -> None:
    name = binding.config.model_name
    LOGGER.info("Infer function available as model: `%s`", MODEL_URL.format(model_name=name))
    LOGGER.info("  Status:         `GET  %s`", MODEL_READY_URL.format(model_name=name))
    LOGGER.info("  Model config:   `GET  %s`", MODEL_CONFIG_URL.format(model_name=name))
    LOGGER.info("  Inference:      `POST %s`", MODEL_INFER_URL.format(model_name=name))
