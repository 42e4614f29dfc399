"""FuturesModelClient: one model, called by a pool of threads; answers are futures."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, Callable, Optional

from pytriton.client._base import DEFAULT_INFERENCE_TIMEOUT_S, Parameters
from pytriton.client._model_client import ModelClient, Outputs
from pytriton.client.exceptions import PyTritonClientClosedError, PyTritonClientQueueFullError
from pytriton.model_config.triton_model_config import TritonModelConfig

__all__ = ["FuturesModelClient"]

_Job = Optional[tuple["Future[Any]", Callable[[ModelClient], Any]]]


class _Pool:
    """Threads that carry out calls. They keep the pool, but not the client it belongs to."""

    def __init__(self, client: ModelClient, max_workers: int | None, max_queue_size: int) -> None:
        self._client = client
        self._max_workers = max_workers
        self._init_lock = threading.Lock()
        self._lock = threading.Lock()
        self._jobs: queue.Queue[_Job] = queue.Queue(max_queue_size)
        self._workers: list[threading.Thread] = []
        self._open = 0  # jobs that are not finished; guarded by _lock
        self._closer: threading.Thread | None = None  # set once it takes no more calls

    def close(self) -> threading.Thread:
        """Takes no more calls. Idempotent.

        Returns:
            A thread that ends when the waiting calls are finished.
        """
        with self._lock:
            if self._closer is None:
                self._closer = threading.Thread(target=self._finish, daemon=True)
                self._closer.start()
            return self._closer

    def _finish(self) -> None:
        with self._lock:
            workers = list(self._workers)
        for _ in workers:
            self._jobs.put(None)
        for worker in workers:
            worker.join()
        self._client.close()

    def prepared(self, client: ModelClient) -> TritonModelConfig:
        """One thread waits for the model; the others wait for that thread."""
        if client._model_config is None:
            with self._init_lock:
                return client.model_config
        return client._model_config

    def submit(self, run: Callable[[ModelClient], Any], wait_s: float) -> Future[Any]:
        """Lets a thread call `run`.

        Args:
            run: Called with the client.
            wait_s: How long to wait for room in the queue, in seconds.

        Raises:
            PyTritonClientQueueFullError: No room.
            PyTritonClientClosedError: It takes no more calls.
        """
        future: Future[Any] = Future()
        with self._lock:
            if self._closer is not None:
                raise PyTritonClientClosedError("FutureModelClient is already closed")
            self._open += 1
            self._add_worker()
        try:
            if wait_s:
                self._jobs.put((future, run), timeout=wait_s)
            else:
                self._jobs.put_nowait((future, run))
        except queue.Full:
            with self._lock:
                self._open -= 1
            raise PyTritonClientQueueFullError("Queue is full") from None
        return future

    def _add_worker(self) -> None:
        """A thread more if all are needed and the limit allows. REQUIRES: the lock."""
        if self._open <= len(self._workers):
            return
        if self._max_workers is None or len(self._workers) < self._max_workers:
            worker = threading.Thread(target=self._work, daemon=True)
            worker.start()
            self._workers.append(worker)

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            if job is None:
                return
            future, run = job
            if future.set_running_or_notify_cancel():
                try:
                    result = run(self._client)
                except BaseException as error:
                    future.set_exception(error)
                else:
                    future.set_result(result)
                    del result
            del job, future, run
            with self._lock:
                self._open -= 1


class FuturesModelClient:
    """Calls one model of a server from threads of its own.

    All threads share one ModelClient, so that connections are reused by whoever needs one.

    Example:
        with FuturesModelClient("localhost", "add_sub") as client:
            futures = [client.infer_sample(a, b) for a, b in pairs]
            results = [future.result() for future in futures]
    """

    def __init__(
        self,
        url: str,
        model_name: str,
        model_version: str | None = None,
        *,
        max_workers: int | None = 128,
        max_queue_size: int | None = 128,
        non_blocking: bool = False,
        init_timeout_s: float | None = None,
        inference_timeout_s: float | None = None,
        access_token: str | None = None,
        **kw: Any,
    ) -> None:
        """Makes no connection.

        Args:
            url: As of ModelClient.
            model_name: Of the model.
            model_version: Its version; None: the latest.
            max_workers: Most threads; None: no limit.
            max_queue_size: Most calls that wait for a thread; None: no limit.
            non_blocking: A full queue is an error at once; else after inference_timeout_s.
            init_timeout_s: Bounds waiting for the model, in seconds; None: 300.
            inference_timeout_s: Bounds each inference, in seconds; None: 60.
            access_token: Of restricted endpoints; sent with every call.
            kw: As of ModelClient: ssl_context, compression.

        Raises:
            ValueError: A limit is 0 or less.
            PyTritonClientInvalidUrlError: The URL can't be used.
        """
        if max_workers is not None and max_workers <= 0:
            raise ValueError("max_workers must be greater than 0")
        if max_queue_size is not None and max_queue_size <= 0:
            raise ValueError("max_queue_size must be greater than 0")
        self._non_blocking = non_blocking
        self._wait_s = (
            DEFAULT_INFERENCE_TIMEOUT_S if inference_timeout_s is None else inference_timeout_s
        )
        client = ModelClient(
            url,
            model_name,
            model_version,
            init_timeout_s=init_timeout_s,
            inference_timeout_s=inference_timeout_s,
            access_token=access_token,
            **kw,
        )
        self._pool = _Pool(client, max_workers, max_queue_size or 0)

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # half made, or the interpreter ends
            self._pool.close()

    def __enter__(self) -> FuturesModelClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close(wait=True)

    def close(self, wait: bool = True) -> None:
        """Takes no more calls; those that wait are finished. Idempotent.

        Args:
            wait: Return when they are finished.
        """
        closer = self._pool.close()
        if wait:
            closer.join()

    def wait_for_model(self, timeout_s: float) -> Future[None]:
        """Waits until the model is ready.

        Args:
            timeout_s: How long, in seconds.

        Returns:
            A future of None; its error as of ModelClient.wait_for_model.

        Raises:
            PyTritonClientQueueFullError: No room for the call.
            PyTritonClientClosedError: The client was closed before.
        """
        return self._submit(lambda client: client.wait_for_model(timeout_s))

    def model_config(self) -> Future[TritonModelConfig]:
        """The model's configuration.

        Returns:
            A future of it; its error as of ModelClient.model_config.

        Raises:
            PyTritonClientQueueFullError: No room for the call.
            PyTritonClientClosedError: The client was closed before.
        """
        return self._submit(self._pool.prepared)

    def infer_sample(
        self,
        *inputs: Any,
        parameters: Parameters = None,
        headers: Parameters = None,
        outputs: Mapping[str, Any] | None = None,
        **named_inputs: Any,
    ) -> Future[Outputs]:
        """Calls the model with one sample. Arguments and results as of ModelClient.infer_sample.

        Returns:
            A future of the outputs; also errors of arguments are in it.

        Raises:
            PyTritonClientQueueFullError: No room for the call.
            PyTritonClientClosedError: The client was closed before.
        """
        more = {"parameters": parameters, "headers": headers, "outputs": outputs}
        return self._infer(ModelClient.infer_sample, inputs, named_inputs, more)

    def infer_batch(
        self,
        *inputs: Any,
        parameters: Parameters = None,
        headers: Parameters = None,
        outputs: Mapping[str, Any] | None = None,
        **named_inputs: Any,
    ) -> Future[Outputs]:
        """Calls the model with a batch. Arguments and results as of ModelClient.infer_batch.

        Returns:
            A future of the outputs; also errors of arguments are in it.

        Raises:
            PyTritonClientQueueFullError: No room for the call.
            PyTritonClientClosedError: The client was closed before.
        """
        more = {"parameters": parameters, "headers": headers, "outputs": outputs}
        return self._infer(ModelClient.infer_batch, inputs, named_inputs, more)

    def _infer(
        self,
        method: Callable[..., Outputs],
        inputs: tuple[Any, ...],
        named_inputs: dict[str, Any],
        more: dict[str, Any],
    ) -> Future[Outputs]:
        prepared = self._pool.prepared  # not self: a client that nobody has any more is closed

        def run(client: ModelClient) -> Outputs:
            client._check_arguments(inputs, named_inputs, more["parameters"], more["headers"])
            prepared(client)
            return method(client, *inputs, **more, **named_inputs)

        return self._submit(run)

    def _submit(self, run: Callable[[ModelClient], Any]) -> Future[Any]:
        return self._pool.submit(run, 0.0 if self._non_blocking else self._wait_s)
