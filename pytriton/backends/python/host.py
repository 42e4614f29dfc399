"""ModelHost: runs one model.py in a worker: import, configuration, initialize, execute, finalize.

`execute` is the hot path: per request one ServedRequest, and per response one tuple.
"""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Sequence

import numpy as np

from .._channel import Channel, HostError, RawAnswer, RawRequest, WorkerSetup
from . import metrics
from . import runtime as runtime_module
from .coroutines import LoopThread, is_awaitable
from .datatypes import DTYPE_OF_CODE
from .errors import describe, type_text
from .importing import import_model
from .janitor import Janitor
from .model_config import ModelConfig, merge_completed
from .request import RELEASE_RESCHEDULE, ServedRequest
from .response import InferenceResponse, wire_error
from .runtime import Runtime
from .sender import InferenceResponseSender, close_unfinished
from .tensor import Tensor

if TYPE_CHECKING:
    from concurrent.futures import Future

_ERROR = 2  # Logger.ERROR
_CLASSES = (ServedRequest, Tensor, np.ndarray, DTYPE_OF_CODE)
_INTERNAL = 1  # TritonError.INTERNAL


class ModelHost:
    """The host of one model; see `_channel.Host` for what its functions are for.

    Args:
        channel: answers go there.
        setup: which model.
    """

    def __init__(self, channel: Channel, setup: WorkerSetup) -> None:
        self.channel = channel
        self.runtime = Runtime(channel, setup)
        runtime_module.set_current(self.runtime)
        self._setup = setup
        self._module: Any = None
        self._model: Any = None
        self._execute: Any = None
        self._is_ready: Any = None
        self._is_decoupled = setup.decoupled
        # Where a channel can do it faster than what is below.
        self._make_requests: Any = getattr(channel, "make_requests", None)
        self._answer: Any = getattr(channel, "answer", None)
        self._janitor = Janitor(channel)
        self._loop = LoopThread()

    # --- Loading.

    def complete_config(self, config: str) -> str:
        """See `Host.complete_config`."""
        model_class = self._model_class()
        complete = getattr(model_class, "auto_complete_config", None)
        if complete is None:
            return config
        try:
            completed = complete(ModelConfig(config))
        except BaseException as error:
            raise HostError(describe(error)) from error
        if not isinstance(completed, ModelConfig):
            raise HostError(
                f"auto_complete_config function in model '{self._setup.model_name}' must return a "
                "valid pb.ModelConfig object."
            )
        try:
            return merge_completed(config, completed)
        except (TypeError, ValueError) as error:
            raise HostError(
                f"auto_complete_config function in model '{self._setup.model_name}' must return a "
                f"configuration that can be written as JSON: {error}"
            ) from error

    def initialize(self, args: Dict[str, str]) -> Dict[str, Any]:
        """See `Host.initialize`."""
        model_class = self._model_class()
        config = json.loads(args.get("model_config", "{}"))
        self._is_decoupled = bool(config.get("model_transaction_policy", {}).get("decoupled"))
        groups = config.get("instance_group", [])
        self.runtime.instance_count = sum(group.get("count", 1) for group in groups) or 1
        instance_name = args.get("model_instance_name", self._setup.instance_name)
        self._setup = self.runtime.setup = self._setup._replace(
            instance_name=instance_name, decoupled=self._is_decoupled
        )
        if self._is_decoupled:
            self._janitor.start()
        try:
            self._model = model_class()
            initialize = getattr(self._model, "initialize", None)
            if initialize is not None:
                initialize(args)
        except BaseException as error:
            raise HostError(describe(error)) from error
        self._execute = getattr(self._model, "execute", None)
        self._is_ready = getattr(self._model, "is_ready", None)
        return {"has_is_ready": self._is_ready is not None}

    def _model_class(self) -> Any:
        if self._module is None:
            self._module = import_model(self._setup)
        try:
            return self._module.TritonPythonModel
        except AttributeError as error:
            raise HostError(describe(error)) from error

    def finalize(self) -> None:
        """See `Host.finalize`."""
        self.runtime.may_call = False
        finalize = getattr(self._model, "finalize", None)
        try:
            if finalize is not None:
                finalize()
        except BaseException as error:
            self._log_error(describe(error))
        self._loop.stop()
        self._janitor.stop()
        metrics.flush(self.channel)

    def is_ready(self) -> Optional[str]:
        """See `Host.is_ready`."""
        if self._is_ready is None:
            return None
        try:
            answer = self._is_ready()
            if is_awaitable(answer):
                answer = self._loop.submit(answer).result()
        except BaseException as error:
            return describe(error)
        if not isinstance(answer, bool):
            return "is_ready() must return a boolean value"
        name = self._setup.instance_name
        return None if answer else f"Model '{name}' is not ready (user-defined check failed)."

    # --- Executing.

    def execute(self, batch: List[RawRequest]) -> None:
        """See `Host.execute`."""
        execute = self._execute
        if execute is None:
            raise HostError(
                f"Python model {self._setup.model_file} does not implement `execute` method."
            )
        if self._make_requests is not None:
            requests = self._make_requests(batch, self, _CLASSES)
        else:
            requests = [ServedRequest(raw, self) for raw in batch]
        runtime = self.runtime
        runtime.is_blocking = not self._is_decoupled
        try:
            result = execute(requests[:] if self._is_decoupled else requests)
            if type(result) is not list and is_awaitable(result):
                if self._is_decoupled:
                    self._leave_running(requests, result)
                    return
                result = self._wait(result)
            box = [result]
            del result
        except BaseException as error:
            self._fail(requests, describe(error), error)
            return
        finally:
            runtime.is_blocking = False
        if self._is_decoupled:
            self._finish_decoupled(requests, box[0])
            return
        metrics.flush(self.channel)
        if self._answer is None or not self._answer(requests, box, InferenceResponse):
            self._finish(batch, requests, box)

    def make_sender(self, key: int) -> InferenceResponseSender:
        """A sender for the request of that key."""
        self._janitor.start()
        return InferenceResponseSender(self.channel, self._janitor, key, self._is_decoupled)

    def _wait(self, awaitable: Any) -> Any:
        future = self._loop.submit(awaitable)
        error = future.exception()
        if error is not None:
            raise error
        return future.result()

    def _finish(
        self, batch: List[RawRequest], requests: List[ServedRequest], box: List[Any]
    ) -> None:
        """Answers the batch. Takes the result out of `box`: what nobody refers to isn't copied."""
        result = box.pop()
        if type(result) is not list:
            result = self._check_result(requests, result)
            if result is None:
                return
        if len(result) != len(batch):
            text = (
                "Number of InferenceResponse objects do not match the number of InferenceRequest "
                f"objects. InferenceRequest(s) size is:{len(batch)}, and InferenceResponse(s) size "
                f"is:{len(result)}\n"
            )
            self._fail(requests, text)
            return
        answers: List[RawAnswer] = []
        later: List[ServedRequest] = []
        for request, response in zip(requests, result):
            if type(response) is not InferenceResponse and not _is_answer(response):
                self._fail(
                    requests,
                    "Expected an 'InferenceResponse' object in the execute function return list, "
                    f"found type '{type_text(response)}'.",
                )
                return
            if response is None or request._sender is not None or request._release != 1:
                later.append(request)
                if not self._check_late(requests, request, response):
                    return
                continue
            error = response._error
            if error is None:
                # As wire_outputs, without the call.
                outputs = [(t._name, t._code, t._shape, t._data) for t in response._tensors]
                answers.append((request._raw[0], outputs, None, response._parameters))
            else:
                answers.append((request._raw[0], (), wire_error(error), response._parameters))
        result = response = None
        outputs = []
        metrics.flush(self.channel)
        if answers:
            self.channel.respond_all(answers)
        for request in later:
            self._let_go(request)

    def _check_result(self, requests: List[ServedRequest], result: Any) -> Optional[List[Any]]:
        if result is None:
            return [None] * len(requests)
        if isinstance(result, list):
            return result
        text = f"Expected a list in the execute return, found type '{type_text(result)}'."
        self._fail(requests, text)
        return None

    def _check_late(
        self, requests: List[ServedRequest], request: ServedRequest, response: Any
    ) -> bool:
        """A request that is not answered by a response in the list; False: the batch failed."""
        if response is None:
            return True
        if request._release == RELEASE_RESCHEDULE:
            text = (
                "Expected a None object in the execute function return list for reschduled "
                f"request, found type '{type_text(response)}'."
            )
            self._fail(requests, text)
            return False
        sender = request._sender
        if sender is None or not sender._sent:
            request.get_response_sender().send(response, 1)
        else:
            self._log_error(
                "Unable to send response. Non-decoupled model cannot send more than one response."
            )
        return True

    def _finish_decoupled(self, requests: List[ServedRequest], result: Any) -> None:
        if result is not None:
            text = (
                f"Python model '{self._setup.instance_name}' is using the decoupled mode and the "
                "execute function must return None."
            )
            self._fail(requests, text)
            return
        metrics.flush(self.channel)
        for request in requests:
            self._let_go(request)

    def _let_go(self, request: ServedRequest) -> None:
        """The batch is over for a request that may be answered later, or was asked again."""
        if request._release == RELEASE_RESCHEDULE:
            self.channel.reschedule(request._raw[0])
            return
        # From now on its sender lives as long as the model keeps it or the request: when the last
        # of them goes, the client is told.
        request.get_response_sender()

    def _leave_running(self, requests: List[ServedRequest], awaitable: Any) -> None:
        def finished(future: Future[Any]) -> None:
            error = future.exception()
            if error is not None:
                text = describe(error)
                self._log_error("".join(traceback.format_exception(None, error, None)))
                self._fail_each(requests, text)
            elif future.result() is not None:
                self._finish_decoupled(requests, future.result())
            else:
                metrics.flush(self.channel)
            requests.clear()

        for request in requests:
            request.get_response_sender()
        self._loop.submit(awaitable).add_done_callback(finished)

    def _fail(
        self, requests: List[ServedRequest], text: str, cause: Optional[BaseException] = None
    ) -> None:
        """Fails every request of the batch that has no final response; always raises.

        Raises:
            HostError: the text.
        """
        metrics.flush(self.channel)
        senders = [request._sender for request in requests if request._sender is not None]
        close_unfinished(senders)
        raise HostError(text) from cause

    def _fail_each(self, requests: Sequence[ServedRequest], text: str) -> None:
        """The same when nobody waits for the batch any more."""
        text = (
            f"Failed to process the request(s) for model '{self._setup.instance_name}', "
            f"message: {text}"
        )
        senders = [request.get_response_sender() for request in requests]
        for sender in close_unfinished(senders):
            self.channel.respond(sender._key, (), (_INTERNAL, text), "", True)

    def _log_error(self, text: str) -> None:
        self.channel.log(_ERROR, "model.py", 0, text)


def _is_answer(response: Any) -> bool:
    return response is None or isinstance(response, InferenceResponse)


def make_host(channel: Channel, setup: WorkerSetup) -> ModelHost:
    """The host of the model that `setup` names."""
    return ModelHost(channel, setup)
