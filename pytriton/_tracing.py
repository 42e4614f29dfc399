"""Puts a callable of requests between the spans of its requests."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Sequence
from typing import Any, Callable

from pytriton._callables import is_form
from pytriton.proxy import telemetry
from pytriton.proxy.types import Request

_HEADERS = ("traceparent", "tracestate")
_PATTERN = "^trace(parent|state)$"


def forward_pattern(pattern: str) -> str:
    """The pattern of forwarded headers, with those of the trace.

    Args:
        pattern: What the user has asked for; may be empty.
    """
    return f"({pattern})|{_PATTERN}" if pattern else _PATTERN


def prepare(trace_config: Sequence[str] | None) -> bool:
    """Makes the process's tracer when the settings ask for one.

    Returns:
        Whether requests are traced.

    Raises:
        ImportError: OpenTelemetry is asked for and not installed.
        ValueError: The settings lack the collector's URL.
    """
    if not trace_config or not telemetry.is_opentelemetry(trace_config):
        return False
    if telemetry.get_telemetry_tracer() is None:
        tracer = telemetry.build_proxy_tracer_from_triton_config(trace_config)
        telemetry.set_telemetry_tracer(tracer)
    return True


def traced(function: Callable[..., Any], kept_headers: str) -> Callable[..., Any]:
    """The callable, in its own form, with a span for each of its requests.

    Args:
        function: A callable of a list of requests, decorated or not.
        kept_headers: Pattern of headers that the callable itself wants to see.
    """
    hidden = [name for name in _HEADERS if not _matches(kept_headers, name)]
    if is_form(inspect.isasyncgenfunction, function):
        return _async_generator(function, hidden)
    if is_form(inspect.iscoroutinefunction, function):
        return _coroutine(function, hidden)
    if is_form(inspect.isgeneratorfunction, function):
        return _generator(function, hidden)

    @functools.wraps(function)
    def call(requests: list[Request]) -> Any:
        with _Spans(requests, hidden):
            return function(requests)

    return call


def _matches(pattern: str, name: str) -> bool:
    try:
        return bool(pattern) and re.search(pattern, name, re.IGNORECASE) is not None
    except re.error:
        return False  # the core's patterns may know more than ours


def _async_generator(function: Callable[..., Any], hidden: list[str]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(requests: list[Request]) -> Any:
        with _Spans(requests, hidden):
            async for item in function(requests):
                yield item

    return call


def _coroutine(function: Callable[..., Any], hidden: list[str]) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(requests: list[Request]) -> Any:
        with _Spans(requests, hidden):
            return await function(requests)

    return call


def _generator(function: Callable[..., Any], hidden: list[str]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(requests: list[Request]) -> Any:
        with _Spans(requests, hidden):
            yield from function(requests)

    return call


class _Spans:
    """One span a request, from the call to the end of its answers."""

    def __init__(self, requests: list[Request], hidden: list[str]) -> None:
        for request in requests:
            parameters = request.parameters or {}
            names = {name.lower(): name for name in parameters}
            remote = {h: str(parameters[names[h]]) for h in _HEADERS if h in names}
            for header in hidden:
                if header in names:
                    del parameters[names[header]]
            request.span = telemetry.start_span_from_remote(remote, telemetry.CALL_SPAN)
        self._spans = [request.span for request in requests]

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        for span in self._spans:
            telemetry.end_span(span, error)
