"""Runs one callable of a bound model inside a worker process (`backends/bound/model.py`)."""

from __future__ import annotations

import contextlib
import json
import os
import threading
from collections.abc import Sequence
from typing import Any, Callable

import numpy as np

from pytriton._binding import ModelBinding
from pytriton._callables import STREAM
from pytriton._model_context import TritonContext, inject_triton_context, serving
from pytriton.model_config.triton_model_config import TritonModelConfig
from pytriton.proxy.types import Request

# How long answers may take to leave after an error that ends the worker.
_LAST_SECONDS = 0.2
# How often requests of asynchronous callables are looked at for a client that left.
_LOOK_SECONDS = 0.02

Content = tuple[list[Callable[..., Any]], TritonModelConfig, bool, "int | None"]


class _Watcher:
    """Tells event loops of requests that were cancelled; asleep while there are none to watch."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._watched: dict[_Context, int] = {}
        self._thread: threading.Thread | None = None

    def watch(self, context: _Context, descriptor: int) -> None:
        """Writes to the descriptor when the request is cancelled; -1: no longer."""
        with self._changed:
            if descriptor < 0:
                self._watched.pop(context, None)
                return
            self._watched[context] = descriptor
            self._changed.notify()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="cancellation", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: bool(self._watched))
                for context in [one for one in self._watched if one.cancelled]:
                    with contextlib.suppress(BlockingIOError):  # it is awake already
                        os.write(self._watched.pop(context), b"c")
            pause.wait(_LOOK_SECONDS)


class _Context:
    """What requests and decorators look at."""

    def __init__(self, served: Any, watcher: _Watcher, model_config: TritonModelConfig) -> None:
        self.model_config = model_config
        self._served = served
        self._watcher = watcher

    def notify(self, descriptor: int) -> None:
        """See `_Watcher.watch`."""
        self._watcher.watch(self, descriptor)

    @property
    def id(self) -> str:
        return str(self._served.request_id())

    @property
    def cancelled(self) -> bool:
        return bool(self._served.is_cancelled())


class _Stream:
    """Answers the requests of one call, in parts; what a streaming callable is given."""

    def __init__(self, model: IsolatedModel, served: Sequence[Any]) -> None:
        self._model = model
        self._served = list(served)
        self._senders = [request.get_response_sender() for request in served]
        self._is_over = False

    @property
    def cancelled(self) -> bool:
        """Whether nobody listens any more."""
        return all(request.is_cancelled() for request in self._served)

    def respond(self, item: Any) -> None:
        """Sends one response to each request."""
        for sender, response in zip(self._senders, self._model.responses(item, len(self._served))):
            sender.send(response)

    def finish(self) -> None:
        """Ends every answer."""
        final = self._model.utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
        if not self._is_over:
            self._is_over = True
            for sender in self._senders:
                sender.send(flags=final)

    def cancel(self) -> None:
        """Ends every answer: nobody listens."""
        error = self._model.utils.TritonError
        response = self._model.utils.InferenceResponse(error=error("cancelled", error.CANCELLED))
        self._end(response)

    def fail(self, error: BaseException) -> None:
        """Ends every answer with an error."""
        self._end(self._model.failure(self._served, error, True))

    def _end(self, response: Any) -> None:
        if self._is_over:
            return
        self._is_over = True
        final = self._model.utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
        for sender in self._senders:
            # A model that is not decoupled may have answered already.
            with contextlib.suppress(self._model.utils.TritonModelException):
                sender.send(response, final)


class IsolatedModel:
    """One callable and the rules for what it returns.

    Args:
        content: What `_isolation.pack` has packed.
        ordinal: Which of the callables.
        utils: The module triton_python_backend_utils.
    """

    def __init__(self, content: Content, ordinal: int, utils: Any) -> None:
        functions, config, strict, limit = content
        function = functions[ordinal]
        self.utils = utils
        self._watcher = _Watcher()
        self._config = config
        self._function = function
        inject_triton_context(TritonContext(), function, config)
        self._binding = ModelBinding(config, [function], strict, self._on_fatal, limit)
        self._instance = self._binding.instances[0]
        self._binding.start_instance(0)
        if config.model_warmup:
            self._binding._warm_up_now()

    def close(self) -> None:
        """Ends the event loop of an asynchronous callable."""
        self._binding.stop_instance(0)

    def execute(self, served: list[Any]) -> list[Any] | None:
        """Answers a batch.

        Args:
            served: Requests of triton_python_backend_utils.

        Returns:
            A response for each; None when they are answered through their senders.
        """
        requests = [self._request(request) for request in served]
        if self._instance.form == STREAM:
            stream = _Stream(self, served)
            try:
                self._instance.target(requests, stream)
            except BaseException as error:
                stream.fail(error)
            return None
        # Decorators take requests apart themselves.
        target = self._instance.target if self._instance.calls is not None else self._function
        if self._is_generator():
            target = self._instance.target
        try:
            with serving(self._config, [self._function]):
                results = target(requests)
            return self.responses(results, len(served))
        except BaseException as error:
            return [self.failure(served, error, False)] * len(served)

    def _is_generator(self) -> bool:
        from inspect import isgeneratorfunction

        from pytriton._callables import is_form

        return is_form(isgeneratorfunction, self._function)

    def _request(self, served: Any) -> Request:
        data = {tensor.name(): tensor.as_numpy() for tensor in served.inputs()}
        names = list(served.requested_output_names())
        request = Request(data, json.loads(served.parameters()), None, names)
        request._context = _Context(served, self._watcher, self._config)  # type: ignore[misc, assignment]
        return request

    def responses(self, results: Any, count: int) -> list[Any]:
        """The results of one call as responses.

        Raises:
            ValueError: Something is not as it must be.
        """
        return [
            self.utils.InferenceResponse([self._tensor(*item) for item in outputs.items()])
            for outputs in self._binding.convert_list(results, count)
        ]

    def _tensor(self, name: str, value: np.ndarray[Any, Any]) -> Any:
        if value.dtype.kind == "U":
            value = np.char.encode(value, "utf-8")
        return self.utils.Tensor(name, value)

    def failure(self, served: Sequence[Any], error: BaseException, is_stream: bool) -> Any:
        """The response to requests whose call has raised."""
        ids = [request.request_id() for request in served]
        text = self._binding.describe_error(error, ids, is_stream)
        return self.utils.InferenceResponse(error=self.utils.TritonError(text))

    def _on_fatal(self, error: BaseException) -> None:
        """The callable can never work again: another process takes over."""
        threading.Timer(_LAST_SECONDS, os._exit, (1,)).start()
