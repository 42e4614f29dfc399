"""Coroutines and asynchronous generators: one event loop in a thread of its own per instance."""

from __future__ import annotations

import asyncio
import concurrent.futures
import inspect
import os
import threading
from typing import TYPE_CHECKING, Any, Callable

from pytriton._callables import only_one

if TYPE_CHECKING:
    from pytriton._core import Stream
    from pytriton.proxy.types import Request

# How long cancelled calls may take to end when the instance stops.
_STOP_PATIENCE_S = 5.0


class AsyncCalls:
    """Runs an asynchronous callable; a call whose clients have all left is cancelled.

    Models that are not decoupled run one batch at a time and instance, as synchronous callables do,
    unless they ask for more; decoupled calls overlap.
    """

    def __init__(self, function: Callable[..., Any], limit: int | None = None) -> None:
        """Keeps the callable; nothing starts yet.

        Args:
            function: A coroutine function or asynchronous generator function of a list of requests.
            limit: Most calls through `start` that are under way at once; None: any number.
        """
        self._function = function
        self._free = None if limit is None else threading.Semaphore(limit)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        # Cancellation reaches the loop through a pipe: the core's threads write to it and never
        # wait for the interpreter.
        self._pipe: tuple[int, int] = (-1, -1)
        self._running: dict[asyncio.Task[Any], list[Request]] = {}

    def open(self, ordinal: int) -> None:
        """Starts the loop's thread."""
        self._loop = asyncio.new_event_loop()
        self._pipe = os.pipe()
        for end in self._pipe:
            os.set_blocking(end, False)
        self._loop.add_reader(self._pipe[0], self._cancel_abandoned)
        self._thread = threading.Thread(
            target=self._loop.run_forever, name=f"inference_handler-{ordinal}", daemon=True
        )
        self._thread.start()

    def call_soon(self, function: Callable[..., Any], *args: Any) -> None:
        """Runs a function on the loop's thread, before any call that is started later."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(function, *args)

    def close(self) -> None:
        """Cancels what still runs and ends the thread."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        ended = asyncio.run_coroutine_threadsafe(self._cancel_all(), loop)
        try:
            ended.result(_STOP_PATIENCE_S + 1)
        except concurrent.futures.TimeoutError:
            return  # a callable blocks the loop; its daemon thread is left to it
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        if not self._running:
            for end in self._pipe:
                os.close(end)
        self._loop = self._thread = None

    def run(self, requests: list[Request]) -> Any:
        """The result of one call; waits for it. For models that are not decoupled."""
        assert self._loop is not None
        future = asyncio.run_coroutine_threadsafe(self._outcome(requests), self._loop)
        result, error = future.result()
        if error is not None:
            raise error
        return result

    def start(self, requests: list[Request], stream: Stream) -> None:
        """Starts a call that answers through the stream; waits while the limit is reached."""
        assert self._loop is not None
        if self._free is not None:
            self._free.acquire()
        asyncio.run_coroutine_threadsafe(self._drive(requests, stream), self._loop)

    def run_stream(self, requests: list[Request], stream: Stream) -> None:
        """As `start`, and waits for the end of the call."""
        assert self._loop is not None
        if self._free is not None:
            self._free.acquire()
        asyncio.run_coroutine_threadsafe(self._drive(requests, stream), self._loop).result()

    async def _outcome(self, requests: list[Request]) -> tuple[Any, BaseException | None]:
        # Errors travel as values: SystemExit in a task would end the loop.
        self._watch(requests)
        try:
            return await self._call_once(requests), None
        except BaseException as error:
            return None, error
        finally:
            self._unwatch(requests)

    async def _call_once(self, requests: list[Request]) -> Any:
        call = self._function(requests)
        if not inspect.isasyncgen(call):
            return await call
        items: list[Any] = []
        async for item in call:
            items.append(item)
            if len(items) > 1:
                break
        await call.aclose()
        if len(items) != 1:
            raise only_one(getattr(self._function, "__name__", str(self._function)))
        return items[0]

    async def _drive(self, requests: list[Request], stream: Stream) -> None:
        self._watch(requests)
        try:
            call = self._function(requests)
            if inspect.isasyncgen(call):
                async for item in call:
                    stream.respond(item)
            else:
                stream.respond(await call)
        except asyncio.CancelledError as error:
            if stream.cancelled:
                stream.cancel()
            else:
                stream.fail(error)
        except BaseException as error:
            stream.fail(error)
        else:
            stream.finish()
        finally:
            self._unwatch(requests)
            if self._free is not None:
                self._free.release()

    def _watch(self, requests: list[Request]) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._running[task] = requests
        for request in requests:
            if request._context is not None:
                request._context.notify(self._pipe[1])

    def _unwatch(self, requests: list[Request]) -> None:
        task = asyncio.current_task()
        assert task is not None
        for request in requests:
            if request._context is not None:
                request._context.notify(-1)
        del self._running[task]

    def _cancel_abandoned(self) -> None:
        os.read(self._pipe[0], 65536)
        for task, requests in list(self._running.items()):
            if all(request.cancelled for request in requests):
                task.cancel()

    async def _cancel_all(self) -> None:
        me = asyncio.current_task()
        tasks = [task for task in asyncio.all_tasks() if task is not me]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=_STOP_PATIENCE_S)
        await asyncio.get_running_loop().shutdown_asyncgens()
