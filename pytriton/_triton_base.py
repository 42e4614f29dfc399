"""What every kind of server for callables has: models that are bound to it, a foreground loop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from typing import Any, Callable, Literal, Union

from pytriton import _core, _tracing
from pytriton._binding import ModelBinding, model_config_of
from pytriton._model_context import TritonContext, inject_triton_context
from pytriton._placement import Placement
from pytriton._serving import serve_until_stopped
from pytriton._signatures import as_functions, check_name, is_process, tensors_of
from pytriton.exceptions import PyTritonInvalidOperationError, PyTritonValidationError
from pytriton.model_config.model_config import ModelConfig
from pytriton.model_config.tensor import Tensor

LOGGER = logging.getLogger("pytriton.triton")

MONITORING_PERIOD_S = 10.0
MODEL_URL = "/v2/models/{model_name}"
MODEL_READY_URL = f"{MODEL_URL}/ready/"
MODEL_CONFIG_URL = f"{MODEL_URL}/config/"
MODEL_INFER_URL = f"{MODEL_URL}/infer/"

_ModelKey = tuple[str, int]
_Callables = Union[Callable[..., Any], Sequence[Callable[..., Any]]]


class TritonBase:
    """Binds callables and serves them. Base of `Triton` and `RemoteTriton`; not to be used itself.

    Thread rule: thread-safe.
    """

    def __init__(self) -> None:
        """Without models."""
        self._condition = threading.Condition(threading.RLock())
        self._models: dict[_ModelKey, ModelBinding] = {}
        self._context = TritonContext()
        self._server: _core.Server | None = None
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
        isolation: Literal["thread", "process"] = "thread",
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
                "mode=opentelemetry" each request gets a span that continues its client's trace;
                others have no effect here, and a warning says so.
            isolation: "thread": the callables run in this process. "process": each runs in a worker
                process of its own, which is replaced when it dies; it gets a copy of the callable
                and of all that it closes over, and is not traced. Callables that can't be imported
                (of the main script, nested ones) need the package cloudpickle.

        Raises:
            TypeError: A callable can't be sent to a process; the text names what of it.
            PyTritonValidationError: The name or the callable is not acceptable, or does not take
                the model's inputs, or an output is optional.
            ImportError: OpenTelemetry is asked for and not installed.
            PyTritonInvalidOperationError: That name and version are bound already.
            PyTritonBadParameterError: A tensor is not acceptable; or the configuration contradicts
                itself (when the server runs; else at its start).
        """
        check_name(model_name)
        is_isolated = is_process(isolation)
        functions = as_functions(infer_func)
        inputs, outputs = tensors_of(functions[0] if functions else None, inputs, outputs)
        if any(tensor.optional for tensor in outputs):
            raise PyTritonValidationError("Output tensors cannot be optional.")
        if not is_isolated and _tracing.prepare(trace_config or self._default_trace_config()):
            self._is_traced = True
            kept = self._kept_headers()
            functions = [_tracing.traced(function, kept) for function in functions]
        elif trace_config and trace_config != self._default_trace_config():
            LOGGER.warning(
                "trace_config of model %s has no effect: models of this process are traced with "
                "mode=opentelemetry; trace files are the server's, see TritonConfig.trace_config",
                model_name,
            )
        config = config or ModelConfig()
        model = model_config_of(
            model_name, model_version, (inputs, outputs), config, len(functions)
        )
        binding = ModelBinding(
            model, functions, strict, self._on_fatal, config.max_concurrent_calls
        )
        binding.place(Placement.of(model_name, config))
        if is_isolated:
            binding.isolate(config.max_concurrent_calls)
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
                self._add_model(self._server, binding)
                log_model(binding.config.model_name)
            self._models[key] = binding

    def _add_model(self, server: _core.Server, binding: ModelBinding) -> None:
        """Makes a model ready on a server."""
        binding.add_to(server)

    def _default_trace_config(self) -> list[str] | None:
        """Settings of the trace for models that bring none."""
        return None

    def _kept_headers(self) -> str:
        """Pattern of the request headers that callables themselves want to see."""
        return ""

    def run(self) -> None:
        """Serves the models; returns when they are ready."""
        raise NotImplementedError

    def stop(self) -> bool:
        """Ends serving. Returns whether there was something to end."""
        raise NotImplementedError

    def is_alive(self) -> bool:
        """Whether every instance works."""
        raise NotImplementedError

    def serve(self, monitoring_period_s: float = MONITORING_PERIOD_S) -> None:
        """Serves until `stop`, SIGINT, SIGTERM or a callable's fatal error ends it.

        Tunes the process for serving (memory allocator, thread switch interval). In the main thread
        SIGTERM ends it like SIGINT: work under way is finished, and this function returns.

        Args:
            monitoring_period_s: How often an idle server gives memory back, in seconds.

        Raises:
            PyTritonRuntimeError: A port is busy; the text names it.
        """
        serve_until_stopped(self, monitoring_period_s)

    def _stops_elsewhere(self) -> bool:
        """Inside a callable, which can't wait for its own end: another thread stops."""
        if not any(binding.runs_on_this_thread() for binding in list(self._models.values())):
            return False
        _start_thread(self.stop)
        return True

    def _on_fatal(self, error: BaseException) -> None:
        """A callable can never work again: its clients get their answers, then everything stops."""
        LOGGER.error("Stopping the server because of %s: %s", type(error).__name__, error)
        _start_thread(self.stop)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: Any,
    ) -> None:
        self.stop()


def _start_thread(stop: Callable[[], bool]) -> None:
    """Stops from a thread that the interpreter waits for at its end.

    The threads of callables count as daemons, and theirs would be daemons too: ended in the midst
    of stopping, they would take the process down.
    """
    threading.Thread(target=stop, name="pytriton-stop", daemon=False).start()


def log_model(name: str) -> None:
    """Tells where a model is served."""
    LOGGER.info("Infer function available as model: `%s`", MODEL_URL.format(model_name=name))
    LOGGER.info("  Status:         `GET  %s`", MODEL_READY_URL.format(model_name=name))
    LOGGER.info("  Model config:   `GET  %s`", MODEL_CONFIG_URL.format(model_name=name))
    LOGGER.info("  Inference:      `POST %s`", MODEL_INFER_URL.format(model_name=name))


def warn_of_verbose_logs(level: int) -> None:
    """Tells, when a server's log is verbose, what PyTriton tells."""
    if level > 0:
        LOGGER.warning(
            "Triton Inference Server is running with enabled verbose logs "
            "(log_verbose_level=%s). It may affect inference performance.",
            level,
        )
