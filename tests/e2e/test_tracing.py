"""Server-side traces: Triton's files as its tools read them, and spans at a collector."""

from __future__ import annotations

import json
import threading
from collections import defaultdict

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http

from collector import collecting
from e2e.harness import wait_until

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
TOKEN = {"triton-access-token": "t", "triton-grpc-protocol-triton-access-token": "t"}
CORE = ["REQUEST_START", "QUEUE_START", "COMPUTE_START", "COMPUTE_INPUT_END"]
CORE += ["COMPUTE_OUTPUT_START", "COMPUTE_END", "REQUEST_END"]
OPEN = {"environment": {"PYTRITON_ACCESS_TOKEN": "t"}}
HTTP = ["HTTP_RECV_START", "HTTP_RECV_END", "HTTP_SEND_START", "HTTP_SEND_END"]
GRPC = ["GRPC_WAITREAD_START", "GRPC_WAITREAD_END", "GRPC_SEND_START", "GRPC_SEND_END"]


def trace_config(*settings: str) -> list[str]:
    return [f"--trace-config={setting}" for setting in settings]


def ask(server, module=tritonclient.http, headers=None, **more):
    port = server.http if module is tritonclient.http else server.grpc
    client = module.InferenceServerClient(f"127.0.0.1:{port}")
    tensor = module.InferInput("SECONDS", [1, 1], "FP32")
    tensor.set_data_from_numpy(np.zeros((1, 1), np.float32))
    client.infer("sleepy", [tensor], headers=headers, **more)
    client.close()


def traces_of(path):
    """Traces by id, as NVIDIA's trace_summary.py puts them together."""
    traces = defaultdict(lambda: {"timestamps": {}, "tensors": []})
    for item in json.loads(path.read_bytes()):
        trace = traces[item["id"]]
        for stamp in item.get("timestamps", []):
            trace["timestamps"][stamp["name"]] = stamp["ns"]
        if "activity" in item:
            trace["tensors"].append((item["activity"], item["tensor"]))
        trace.update({k: v for k, v in item.items() if k in ("model_name", "model_version")})
        if "request_id" in item:
            trace["request_id"] = item["request_id"]
    return dict(traces)


def assert_in_order(stamps, names):
    times = [stamps[name] for name in names]
    assert times == sorted(times)


def test_a_file_tells_what_requests_went_through(start, tmp_path):
    path = tmp_path / "trace.json"
    settings = trace_config(f"triton,file={path}", "level=TIMESTAMPS", "level=TENSORS", "rate=2")
    server = start("small.py", *settings)
    for number in range(4):
        ask(server, request_id=f"h{number}")
    for number in range(2):
        ask(server, tritonclient.grpc, request_id=f"g{number}")
    wait_until(lambda: path.exists() and len(traces_of(path)) == 3, "three traces, while it serves")
    assert server.stop() == 0
    traces = traces_of(path)
    assert [trace["request_id"] for _, trace in sorted(traces.items())] == ["h1", "h3", "g1"]
    for number, trace in traces.items():
        assert (trace["model_name"], trace["model_version"]) == ("sleepy", 1)
        front = GRPC if number == 3 else HTTP
        assert_in_order(trace["timestamps"], [*front[:2], *CORE, *front[2:]])
        tensor = {"data": "0.0", "shape": "1,1", "dtype": "FP32"}
        assert trace["tensors"] == [
            ("TENSOR_QUEUE_INPUT", {"name": "SECONDS", **tensor}),
            ("TENSOR_BACKEND_INPUT", {"name": "SECONDS", **tensor}),
            ("TENSOR_BACKEND_OUTPUT", {"name": "OUT", **tensor}),
        ]


def test_clients_change_what_is_traced(start, tmp_path):
    path = tmp_path / "trace.json"
    server = start("small.py", "--trace-file", str(path), "--trace-rate", "1", **OPEN)
    assert "'--trace-file' has been deprecated" in server.log
    ask(server)
    assert not path.exists()
    http = tritonclient.http.InferenceServerClient(f"127.0.0.1:{server.http}")
    grpc = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{server.grpc}")
    for client, elsewhere in ((http, tmp_path / "a"), (grpc, tmp_path / "b")):
        with pytest.raises(Exception, match="trace file location can not be updated"):
            client.update_trace_settings("sleepy", {"trace_file": str(elsewhere)}, headers=TOKEN)
    changed = http.update_trace_settings("sleepy", {"trace_level": ["TIMESTAMPS"]}, headers=TOKEN)
    assert changed["trace_level"] == ["TIMESTAMPS"]
    assert http.get_trace_settings(headers=TOKEN)["trace_level"] == ["OFF"]
    changed = grpc.update_trace_settings("sleepy", {"trace_count": "1"}, TOKEN, as_json=True)
    assert changed["settings"]["trace_count"]["value"] == ["1"]
    ask(server)
    ask(server)
    assert grpc.get_trace_settings("sleepy", TOKEN, as_json=True)["settings"]["trace_count"] == {
        "value": ["0"]
    }
    cleared = {"trace_level": None, "trace_count": None}
    assert http.update_trace_settings("sleepy", cleared, headers=TOKEN)["trace_level"] == ["OFF"]
    http.close()
    grpc.close()
    assert server.stop() == 0
    assert len(traces_of(tmp_path / "trace.json.0")) == 1
    assert not path.exists()
    assert not [child.name for child in tmp_path.iterdir() if child.name in ("a", "b")]


def test_bad_settings_stop_the_start(start, tmp_path):
    with pytest.raises(AssertionError, match="invalid value for trace level option: x"):
        start("small.py", *trace_config("level=x"))


def test_every_response_of_a_stream_is_sent_in_its_trace(start, tmp_path):
    path = tmp_path / "trace.json"
    server = start("zoo.py", *trace_config(f"triton,file={path}", "level=TIMESTAMPS", "rate=1"))
    client = tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{server.grpc}")
    done = threading.Event()
    count = 0

    def take(result, error):
        nonlocal count
        assert error is None, error
        count += bool(result.get_response().outputs)
        if result.get_response().parameters["triton_final_response"].bool_param:
            done.set()

    tensor = tritonclient.grpc.InferInput("N", [1, 1], "INT32")
    tensor.set_data_from_numpy(np.array([[3]], np.int32))
    client.start_stream(take)
    client.async_stream_infer("count_down", [tensor], enable_empty_final_response=True)
    assert done.wait(60)
    client.stop_stream()
    client.close()
    assert server.stop() == 0
    names = [
        stamp["name"]
        for item in json.loads(path.read_bytes())
        for stamp in item.get("timestamps", [])
    ]
    assert names.count("INFER_RESPONSE_COMPLETE") == count
    assert names.count("GRPC_SEND_START") == names.count("GRPC_SEND_END") >= count
    (trace,) = traces_of(path).values()
    assert_in_order(trace["timestamps"], CORE)


@pytest.fixture
def collector():
    with collecting() as server:
        yield server


def posts_of(collector):
    return [json.loads(body) for path, _, body in list(collector.posts) if path == "/v1/traces"]


def spans_of(collector):
    return [
        span
        for post in posts_of(collector)
        for resource in post["resourceSpans"]
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


@pytest.mark.parametrize("module", [tritonclient.http, tritonclient.grpc])
def test_spans_go_on_from_the_client(start, collector, module):
    url = f"http://127.0.0.1:{collector.server_address[1]}/v1/traces"
    settings = ["mode=opentelemetry", f"opentelemetry,url={url}", "level=TIMESTAMPS", "rate=0"]
    settings += ["opentelemetry,resource=service.name=x", "opentelemetry,resource=team=a"]
    server = start("small.py", *trace_config(*settings), **OPEN)
    ask(server, module)  # no trace of its client's
    ask(server, module, {"traceparent": PARENT, "tracestate": "a=b"}, request_id="r1")
    status, body = server.call("GET", "/v2/trace/setting", headers=TOKEN)
    assert (status, json.loads(body).get("url")) == (200, url)
    assert server.stop() == 0  # sends what waits
    spans = {span["name"]: span for span in spans_of(collector)}
    assert sorted(spans) == ["InferRequest", "compute", "sleepy"]
    assert {(span["traceId"], span["traceState"]) for span in spans.values()} == {(TRACE, "a=b")}
    assert spans["InferRequest"]["parentSpanId"] == "b7ad6b7169203331"
    assert spans["sleepy"]["parentSpanId"] == spans["InferRequest"]["spanId"]
    assert spans["compute"]["parentSpanId"] == spans["sleepy"]["spanId"]
    attributes = {item["key"]: item["value"] for item in spans["sleepy"]["attributes"]}
    assert attributes["triton.model_name"] == {"stringValue": "sleepy"}
    assert attributes["triton.request_id"] == {"stringValue": "r1"}
    compute = [event["name"] for event in spans["compute"]["events"]]
    assert compute == [name for name in CORE if name.startswith("COMPUTE")]
    for span in spans.values():
        assert int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"])
    resource = posts_of(collector)[0]["resourceSpans"][0]["resource"]["attributes"]
    assert {"key": "service.name", "value": {"stringValue": "x"}} in resource


MODEL = """
import json
import threading
import numpy as np
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            seen = json.dumps([request.trace().get_context(), json.loads(request.parameters())])
            tensor = pb_utils.Tensor("SEEN", np.array([seen.encode()], np.object_))
            answers.append(pb_utils.InferenceResponse([tensor]))
        return answers
"""
CONFIG = """
backend: "python"
input [{ name: "SECONDS" data_type: TYPE_FP32 dims: [1, 1] }]
output [{ name: "SEEN" data_type: TYPE_STRING dims: [1] }]
instance_group [{ kind: KIND_CPU }]
"""


def test_a_workers_model_goes_on_from_the_servers_span(start, collector, tmp_path):
    version = tmp_path / "models" / "tells" / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(MODEL)
    (version.parent / "config.pbtxt").write_text(CONFIG)
    url = f"http://127.0.0.1:{collector.server_address[1]}/v1/traces"
    settings = ["mode=opentelemetry", f"opentelemetry,url={url}", "level=TIMESTAMPS", "rate=0"]
    server = start("", "--model-repository", str(version.parents[1]), *trace_config(*settings))
    tensor = {"name": "SECONDS", "datatype": "FP32", "shape": [1, 1], "data": [0]}
    body = json.dumps({"inputs": [tensor], "parameters": {"mine": 1}}).encode()
    seen = []
    for headers in ({}, {"traceparent": PARENT, "tracestate": "a=b"}):
        status, answer = server.call("POST", "/v2/models/tells/infer", body, headers)
        assert status == 200, answer
        context, parameters = json.loads(json.loads(answer)["outputs"][0]["data"][0])
        assert parameters == {"mine": 1}
        seen.append(context)
    assert server.stop() == 0
    (compute,) = [span for span in spans_of(collector) if span["name"] == "compute"]
    parent = f"00-{TRACE}-{compute['spanId']}-01"
    assert seen[0] is None
    assert json.loads(seen[1]) == {"traceparent": parent, "tracestate": "a=b"}


# A model that asks `tells`, in its request's trace and outside of it.
ASKING = """
import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def execute(self, requests):
        answers = []
        for request in requests:
            inputs = pb_utils.get_input_tensor_by_name(request, "SECONDS")
            make = dict(model_name="tells", requested_output_names=["SEEN"], inputs=[inputs])
            pb_utils.InferenceRequest(request_id="alone", **make).exec()
            asked = pb_utils.InferenceRequest(request_id="c1", trace=request.trace(), **make)
            answer = asked.exec()
            assert not answer.has_error(), answer.error().message()
            answers.append(answer)
        return answers
"""


@pytest.fixture
def asking(tmp_path):
    """A repository with a model that asks another one."""
    for name, text in (("asks", ASKING), ("tells", MODEL)):
        version = tmp_path / "models" / name / "1"
        version.mkdir(parents=True)
        (version / "model.py").write_text(text)
        (version.parent / "config.pbtxt").write_text(CONFIG)
    return str(tmp_path / "models")


def ask_asking(server, headers=None):
    tensor = {"name": "SECONDS", "datatype": "FP32", "shape": [1, 1], "data": [0]}
    body = json.dumps({"id": "r1", "inputs": [tensor]}).encode()
    status, answer = server.call("POST", "/v2/models/asks/infer", body, headers or {})
    assert status == 200, answer
    context, parameters = json.loads(json.loads(answer)["outputs"][0]["data"][0])
    assert parameters == {}
    return context


def test_a_call_between_models_is_a_child_in_the_trace_file(start, asking, tmp_path):
    path = tmp_path / "trace.json"
    settings = trace_config(f"triton,file={path}", "level=TIMESTAMPS", "level=TENSORS", "rate=1")
    server = start("", "--model-repository", asking, *settings)
    assert ask_asking(server) is None  # no spans, no context
    assert server.stop() == 0
    heads = [item for item in json.loads(path.read_bytes()) if "model_name" in item]
    assert heads == [
        {"id": 2, "model_name": "tells", "model_version": 1, "request_id": "c1", "parent_id": 1},
        {"id": 1, "model_name": "asks", "model_version": 1, "request_id": "r1"},
    ]
    child = traces_of(path)[2]
    assert set(child["timestamps"]) == {*CORE, "INFER_RESPONSE_COMPLETE"}  # it came by no protocol
    assert_in_order(child["timestamps"], CORE)
    assert next(activity for activity, _ in child["tensors"]) == "TENSOR_QUEUE_INPUT"


def test_a_call_between_models_has_spans_within_its_callers(start, collector, asking):
    url = f"http://127.0.0.1:{collector.server_address[1]}/v1/traces"
    settings = ["mode=opentelemetry", f"opentelemetry,url={url}", "level=TIMESTAMPS", "rate=0"]
    server = start("", "--model-repository", asking, *trace_config(*settings))
    context = ask_asking(server, {"traceparent": PARENT})
    assert server.stop() == 0
    spans = spans_of(collector)
    by_id = {span["spanId"]: span for span in spans}

    def path_of(span):
        above = by_id.get(span["parentSpanId"])
        return [*(path_of(above) if above else []), span["name"]]

    assert {span["traceId"] for span in spans} == {TRACE}
    asked = ["InferRequest", "asks", "compute", "tells", "compute"]
    assert sorted(path_of(span) for span in spans) == [asked[: n + 1] for n in range(5)]
    (deepest,) = [span for span in spans if len(path_of(span)) == 5]
    assert json.loads(context)["traceparent"] == f"00-{TRACE}-{deepest['spanId']}-01"
    child = by_id[deepest["parentSpanId"]]
    attributes = {item["key"]: item["value"] for item in child["attributes"]}
    assert attributes["triton.trace_parent_id"] == {"intValue": "1"}
    assert attributes["triton.request_id"] == {"stringValue": "c1"}


def test_a_collector_that_is_not_there_stops_nothing(start):
    settings = ["mode=opentelemetry", "opentelemetry,url=http://127.0.0.1:9/v1/traces"]
    server = start("small.py", *trace_config(*settings, "level=TIMESTAMPS", "rate=1"))
    ask(server)
    assert server.stop() == 0
    assert "traces to the collector" in server.log
