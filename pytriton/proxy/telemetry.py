"""OpenTelemetry spans of requests, continuing the client's trace (W3C trace context).

OpenTelemetry is optional: this module imports without it.

Thread rule: thread-safe.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

__all__ = [
    "build_proxy_tracer_from_triton_config",
    "end_span",
    "get_span_dict",
    "get_telemetry_tracer",
    "is_opentelemetry",
    "parse_trace_config",
    "raise_if_no_telemetry",
    "set_telemetry_tracer",
    "start_span_from_remote",
    "start_span_from_span",
    "traced_span",
]

CALL_SPAN = "proxy_inference_callable"
BATCH_SPAN = "pytriton-batch-decorator-span"
_URL = "opentelemetry,url="
_RESOURCE = "opentelemetry,resource="


class _State:
    """The tracer of this process, as PyTriton has it: set once."""

    lock = threading.Lock()
    tracer: Optional[Any] = None  # noqa: UP045 (evaluated by Python 3.9)


def raise_if_no_telemetry() -> None:
    """Refuses to trace without OpenTelemetry.

    Raises:
        ImportError: It is not installed; the text says how to install it.
    """
    try:
        import opentelemetry.sdk.trace  # noqa: F401
    except ImportError as error:
        raise ImportError(
            "Tracing needs OpenTelemetry: "
            "pip install opentelemetry-api opentelemetry-sdk opentelemetry-exporter-otlp-proto-http"
        ) from error


def set_telemetry_tracer(tracer: Any) -> None:
    """Sets the tracer that makes the spans of this process.

    Args:
        tracer: An `opentelemetry.trace.Tracer`.

    Raises:
        ValueError: There is one already.
    """
    with _State.lock:
        if _State.tracer is not None:
            raise ValueError("Telemetry tracer is already set")
        _State.tracer = tracer


def get_telemetry_tracer() -> Any:
    """The tracer, or None."""
    return _State.tracer


def is_opentelemetry(trace_config: Sequence[str]) -> bool:
    """Whether these settings ask for OpenTelemetry (else for Triton's own trace files)."""
    return any("mode=opentelemetry" in item.replace(" ", "") for item in trace_config)


def parse_trace_config(trace_config: Sequence[str]) -> tuple[str, Any]:
    """URL of the collector and resource of the spans.

    Args:
        trace_config: Items such as "mode=opentelemetry", "opentelemetry,url=http://host:4318/v1/traces"
            and "opentelemetry,resource=service.name=x".

    Raises:
        ValueError: The mode is another one, or there is no URL.
        ImportError: OpenTelemetry is not installed.
    """
    if not is_opentelemetry(trace_config):
        raise ValueError("Only opentelemetry mode is supported")
    urls = [item[len(_URL) :] for item in trace_config if item.startswith(_URL)]
    if not urls:
        raise ValueError("opentelemetry,url is required")
    raise_if_no_telemetry()
    from opentelemetry.sdk.resources import Resource

    attributes: dict[str, Any] = {}
    for item in trace_config:
        if item.startswith(_RESOURCE):
            for pair in item[len(_RESOURCE) :].split(","):
                name, _, value = pair.partition("=")
                attributes[name] = value
    return urls[-1], Resource.create(attributes)


def build_proxy_tracer_from_triton_config(trace_config: Sequence[str]) -> Any:
    """A tracer that sends its spans over OTLP/HTTP; its provider becomes the process's.

    Raises:
        ValueError: As parse_trace_config.
        ImportError: OpenTelemetry or its OTLP exporter is not installed.
    """
    url, resource = parse_trace_config(trace_config)
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    trace.set_tracer_provider(provider)
    return trace.get_tracer("pytriton")


def start_span_from_remote(span_dict: Mapping[str, Any] | None, name: str, **kwargs: Any) -> Any:
    """A span that continues a remote one.

    Args:
        span_dict: `traceparent` and `tracestate` as they came; without them a trace begins.
        name: Name of the span.
        kwargs: For `Tracer.start_span`.

    Returns:
        The span; None without a tracer.
    """
    tracer = get_telemetry_tracer()
    if tracer is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    context = TraceContextTextMapPropagator().extract(dict(span_dict or {}))
    return tracer.start_span(name, context=context, **kwargs)


def start_span_from_span(span: Any, name: str, **kwargs: Any) -> Any:
    """A child of `span`; None without a tracer or a parent."""
    tracer = get_telemetry_tracer()
    if tracer is None or span is None:
        return None
    from opentelemetry.trace import set_span_in_context

    return tracer.start_span(name, context=set_span_in_context(span), **kwargs)


def get_span_dict(span: Any) -> dict[str, str]:
    """`traceparent` and `tracestate` for whoever continues `span`; empty for None."""
    carrier: dict[str, str] = {}
    if span is not None:
        from opentelemetry.trace import set_span_in_context
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(carrier, context=set_span_in_context(span))
    return carrier


def end_span(span: Any, error: BaseException | None = None) -> None:
    """Ends a span, with the exception that ended its work; does nothing for None."""
    if span is None:
        return
    if error is not None:
        from opentelemetry.trace import Status, StatusCode

        span.record_exception(error)
        span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))
    span.end()


@contextlib.contextmanager
def traced_span(request: Any, span_name: str, **kwargs: Any) -> Iterator[Any]:
    """A child span of a request's span, for the block; nothing when the request is not traced."""
    span = start_span_from_span(getattr(request, "span", None), span_name, **kwargs)
    try:
        yield span
    except BaseException as error:
        end_span(span, error)
        raise
    else:
        end_span(span)
