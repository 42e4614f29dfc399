"""Spans of OpenTelemetry: they continue the client's trace, in every form of callable."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from python.running import ANY_PORTS, Running
from pytriton.client import AsyncioModelClient, ModelClient
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.proxy import telemetry
from pytriton.triton import Triton, TritonConfig

sdk = pytest.importorskip("opentelemetry.sdk.trace")
export = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")

CONFIG = ["mode=opentelemetry", "opentelemetry,url=http://127.0.0.1:9/v1/traces"]
TENSORS = [Tensor(name="x", dtype=np.int32, shape=(1,))]
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
ROW = {"x": np.array([[1]], np.int32)}


@pytest.fixture
def spans(monkeypatch):
    """The spans that ended; the tracer is gone after the test."""
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    exporter = export.InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(telemetry._State, "tracer", None)
    telemetry.set_telemetry_tracer(provider.get_tracer("test"))
    return exporter.get_finished_spans


def serve(function, **config):
    triton = Triton(config=TritonConfig(**ANY_PORTS, trace_config=CONFIG))
    triton.bind("M", function, TENSORS, TENSORS, config=ModelConfig(**config))
    return triton


def ask(triton, protocol, headers=None):
    running = Running(triton)
    try:
        return running.infer(protocol, ROW, headers=headers)
    finally:
        running.close()


def trace_id(span):
    return f"{span.context.trace_id:032x}"


def test_spans_continue_the_clients_trace(spans, protocol):
    seen = []

    @batch
    def arrays(x):
        return {"x": x}

    def function(requests):
        seen.extend(request.parameters for request in requests)
        with requests[0].traced_span("mine"):
            return arrays(requests)

    with serve(function) as triton:
        assert ask(triton, protocol, {"traceparent": PARENT})["x"].item() == 1
    names = {span.name: span for span in spans()}
    assert set(names) == {"mine", telemetry.BATCH_SPAN, telemetry.CALL_SPAN}
    assert {trace_id(span) for span in spans()} == {TRACE}
    call = names[telemetry.CALL_SPAN]
    assert f"{call.parent.span_id:016x}" == "b7ad6b7169203331"
    assert names["mine"].parent.span_id == call.context.span_id
    assert seen == [{}]  # the header is ours


@pytest.mark.parametrize("kind", [ModelClient, AsyncioModelClient])
def test_calls_of_our_clients_continue_the_span_around_them(spans, protocol, kind):
    """As PyTriton's guide has it: the client's span goes along as header fields."""
    tracer = telemetry.get_telemetry_tracer()

    @batch
    def same(x):
        return {"x": x}

    async def ask_in_tasks(url, headers):
        async with AsyncioModelClient(url, "M") as client:
            tasks = [client.infer_batch(ROW["x"], headers=headers[n]) for n in range(3)]
            await asyncio.gather(*tasks)

    with serve(same, max_batch_size=1) as triton:
        url = f"{protocol}://127.0.0.1:{getattr(triton, protocol + '_port')}"
        mine = [tracer.start_span("client") for _ in range(3)]
        headers = [telemetry.get_span_dict(span) for span in mine]
        assert all("traceparent" in fields for fields in headers)
        if kind is AsyncioModelClient:
            asyncio.run(ask_in_tasks(url, headers))
        else:
            with ModelClient(url, "M") as client:
                for fields in headers:
                    client.infer_batch(ROW["x"], headers=fields)
    calls = [span for span in spans() if span.name == telemetry.CALL_SPAN]
    found = {(trace_id(span), span.parent.span_id) for span in calls}
    assert found == {
        (f"{span.get_span_context().trace_id:032x}", span.get_span_context().span_id)
        for span in mine
    }


def test_a_trace_begins_without_a_header(spans):
    with serve(batch(lambda x: {"x": x})) as triton:
        ask(triton, "http")
    (call,) = [span for span in spans() if span.name == telemetry.CALL_SPAN]
    assert call.parent is None


def test_errors_are_recorded(spans):
    def fail(requests):
        raise ZeroDivisionError("by zero")

    with serve(fail) as triton, pytest.raises(Exception, match="by zero"):
        ask(triton, "http")
    (call,) = spans()
    assert not call.status.is_ok
    assert call.events[0].attributes["exception.type"] == "ZeroDivisionError"


async def coroutine(requests):
    await asyncio.sleep(0)
    return [{"x": request["x"]} for request in requests]


def generator(requests):
    yield [{"x": request["x"]} for request in requests]


async def async_generator(requests):
    yield [{"x": request["x"]} for request in requests]


@pytest.mark.parametrize("function", [coroutine, generator, async_generator])
def test_every_form_is_traced(spans, function):
    with serve(function) as triton:
        assert ask(triton, "http", {"traceparent": PARENT})["x"].item() == 1
    assert [(span.name, trace_id(span)) for span in spans()] == [(telemetry.CALL_SPAN, TRACE)]


def test_span_helpers(spans):
    parent = telemetry.start_span_from_remote({"traceparent": PARENT}, "a")
    child = telemetry.start_span_from_span(parent, "b")
    assert telemetry.get_span_dict(child)["traceparent"].startswith(f"00-{TRACE}-")
    telemetry.end_span(child)
    telemetry.end_span(parent)
    assert [span.name for span in spans()] == ["b", "a"]
    with pytest.raises(ValueError, match="Telemetry tracer is already set"):
        telemetry.set_telemetry_tracer(object())


def test_settings():
    url, resource = telemetry.parse_trace_config([*CONFIG, "opentelemetry,resource=a=b,c=d"])
    assert url == "http://127.0.0.1:9/v1/traces"
    assert resource.attributes["a"] == "b"
    assert resource.attributes["c"] == "d"
    with pytest.raises(ValueError, match="Only opentelemetry mode is supported"):
        telemetry.parse_trace_config(["mode=triton"])
    with pytest.raises(ValueError, match="opentelemetry,url is required"):
        telemetry.parse_trace_config(["mode=opentelemetry"])


def test_tritons_own_mode_is_accepted():
    triton = Triton(config=TritonConfig(trace_config=["triton,file=/tmp/trace", "level=OFF"]))
    triton.bind("M", lambda requests: requests, TENSORS, TENSORS)
    assert not triton._is_traced
