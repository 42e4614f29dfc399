"""Spans reach a collector over OTLP/HTTP, in a process of its own (its tracer is the process's)."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from collector import collecting

pytest.importorskip("opentelemetry.exporter.otlp.proto.http", reason="needs the OTLP exporter")
service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")

SCRIPT = """
import sys
import numpy as np
from opentelemetry import trace
from pytriton.client import ModelClient
from pytriton.decorators import batch
from pytriton.model_config import Tensor
from pytriton.triton import Triton, TritonConfig

@batch
def double(x):
    return {"y": x * 2}

config = TritonConfig(
    http_port=0, allow_grpc=False, allow_metrics=False, http_address="127.0.0.1",
    trace_config=[
        "mode=opentelemetry", f"opentelemetry,url={sys.argv[1]}",
        "opentelemetry,resource=service.name=doubler,team=a", *sys.argv[3:],
    ],
)
triton = Triton(config=config)
triton.bind("double", double, [Tensor((1,), np.float32, "x")], [Tensor((1,), np.float32, "y")])
with triton:
    with ModelClient(f"127.0.0.1:{triton.http_port}", "double") as client:
        client.infer_sample(np.ones(1, np.float32), headers={"traceparent": sys.argv[2]})
trace.get_tracer_provider().shutdown()  # sends what waits
"""
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def collector():
    with collecting() as server:
        yield server


def run_script(collector, *trace_config):
    url = f"http://127.0.0.1:{collector.server_address[1]}/v1/traces"
    parent = f"00-{TRACE}-b7ad6b7169203331-01"
    command = [sys.executable, "-c", SCRIPT, url, parent, *trace_config]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_the_callables_span_goes_on_from_the_servers(collector):
    run_script(collector, "level=TIMESTAMPS", "rate=1")
    parents = {}  # ids of a span and its parent, by name
    for _, content_type, body in collector.posts:
        if content_type == "application/json":
            for resource in json.loads(body)["resourceSpans"]:
                for span in resource["scopeSpans"][0]["spans"]:
                    assert span["traceId"] == TRACE
                    parents[span["name"]] = (span["spanId"], span["parentSpanId"])
        else:
            for resource in service.ExportTraceServiceRequest.FromString(body).resource_spans:
                for span in resource.scope_spans[0].spans:
                    assert span.trace_id.hex() == TRACE
                    parents[span.name] = (span.span_id.hex(), span.parent_span_id.hex())
    line = ["InferRequest", "double", "compute", "proxy_inference_callable"]
    line.append("pytriton-batch-decorator-span")
    parent = "b7ad6b7169203331"
    for name in line:
        assert parents[name][1] == parent, name
        parent = parents[name][0]


def test_spans_are_sent_to_a_collector(collector):
    run_script(collector)
    spans = {}
    for path, content_type, body in collector.posts:
        assert (path, content_type) == ("/v1/traces", "application/x-protobuf")
        for resource in service.ExportTraceServiceRequest.FromString(body).resource_spans:
            attributes = {
                item.key: item.value.string_value for item in resource.resource.attributes
            }
            assert attributes["service.name"] == "doubler"
            assert attributes["team"] == "a"
            spans.update({s.name: s for scope in resource.scope_spans for s in scope.spans})
    assert set(spans) == {"proxy_inference_callable", "pytriton-batch-decorator-span"}
    call = spans["proxy_inference_callable"]
    assert {span.trace_id.hex() for span in spans.values()} == {TRACE}
    assert call.parent_span_id.hex() == "b7ad6b7169203331"
    assert spans["pytriton-batch-decorator-span"].parent_span_id == call.span_id
    assert call.end_time_unix_nano > call.start_time_unix_nano
