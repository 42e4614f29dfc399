"""What a wrong request gets: the right status and a text that says what was expected."""

from __future__ import annotations

import gzip
import json

import grpc
import numpy as np
import pytest
import tritonclient.grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

from e2e.harness import Server, add_sub_body

A = {"name": "a", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}
B = {**A, "name": "b"}


def body(*inputs: object, **more: object) -> bytes:
    return json.dumps({"inputs": list(inputs), **more}).encode()


# name, body, status, part of the error text
BODIES = [
    ("empty object", b"{}", 400, "inputs"),
    ("not JSON", b"{nope", 400, "failed to parse the request JSON buffer"),
    ("cut off", add_sub_body()[:-1], 400, "failed to parse the request JSON buffer"),
    ("something behind", add_sub_body() + b"x", 400, "failed to parse the request JSON buffer"),
    ("root is a list", b"[]", 400, "inputs"),
    ("inputs is no list", b'{"inputs": 5}', 400, "inputs"),
    ("input is no object", b'{"inputs": [5]}', 400, "input"),
    ("no inputs", body(), 400, "expected 2 inputs but got 0 inputs for model 'add_sub'"),
    ("one input missing", body(A), 400, "expected 2 inputs but got 1 inputs for model 'add_sub'"),
    ("one too many", body(A, B, {**A, "name": "c"}), 400, "expected 2 inputs but got 3 inputs"),
    ("unknown input", body(A, {**A, "name": "c"}), 400, "unexpected inference input 'c'"),
    ("same input twice", body(A, A), 400, "input 'a' already exists in request"),
    ("no name", body({k: v for k, v in A.items() if k != "name"}, B), 400, "name"),
    ("no shape", body({k: v for k, v in A.items() if k != "shape"}, B), 400, "shape"),
    ("no datatype", body({k: v for k, v in A.items() if k != "datatype"}, B), 400, "datatype"),
    ("name is a number", body({**A, "name": 5}, B), 400, "name"),
    ("unknown datatype", body({**A, "datatype": "FLOAT"}, B), 400, "invalid datatype for input a"),
    (
        "other datatype",
        body({**A, "datatype": "INT32"}, B),
        400,
        "inference input 'a' data-type is 'INT32', but model 'add_sub' expects 'FP32'",
    ),
    (
        "other shape",
        body({**A, "shape": [1, 2, 2]}, B),
        400,
        "unexpected shape for input 'a' for model 'add_sub'. Expected [-1,4], got [1,2,2]",
    ),
    ("no batch dimension", body({**A, "shape": [4]}, B), 400, "Expected [-1,4], got [4]"),
    ("negative dimension", body({**A, "shape": [-1, 4]}, B), 400, "shape"),
    ("fractional dimension", body({**A, "shape": [1, 4.5]}, B), 400, "shape"),
    ("huge dimensions", body({**A, "shape": [2**40, 2**40]}, B), 400, ""),
    ("largest dimensions", body({**A, "shape": [2**63 - 1, 4]}, B), 400, ""),
    ("too few values", body({**A, "data": [1, 2]}, B), 400, "Shape does not match true shape"),
    ("too many values", body({**A, "data": [1] * 5}, B), 400, "Shape does not match true shape"),
    ("text for a number", body({**A, "data": ["1", 2, 3, 4]}, B), 400, "data"),
    ("null for a number", body({**A, "data": [None, 2, 3, 4]}, B), 400, "data"),
    ("no data at all", body({k: v for k, v in A.items() if k != "data"}, B), 400, "'data'"),
    (
        "batches differ",
        body(A, {**B, "shape": [2, 4], "data": [1] * 8}),
        400,
        "input 'b' batch size does not match other inputs for 'add_sub'",
    ),
    (
        "batch too large",
        add_sub_body(5),
        400,
        "inference request batch-size must be <= 4 for 'add_sub'",
    ),
    ("unknown output", body(A, B, outputs=[{"name": "x"}]), 400, "unexpected inference output 'x'"),
    ("outputs is no list", body(A, B, outputs=5), 400, "outputs"),
    ("parameters is no object", body(A, B, parameters=[]), 400, "param"),
    ("null parameter", body(A, B, parameters={"n": None}), 400, "parameter 'n' has invalid type"),
    ("reserved parameter", body(A, B, parameters={"triton_x": 1}), 400, "'triton_'"),
    ("wrong priority", body(A, B, parameters={"priority": "high"}), 400, "priority"),
    ("id is a number", body(A, B, id=5), 400, "id"),
    ("nested too deep", b'{"inputs": ' + b"[" * 100000 + b"]" * 100000 + b"}", 400, ""),
    ("a million braces", b"{" * 1000000, 400, ""),
    ("broken UTF-8 in a key", b'{"\xff\xfe": 1}', 400, ""),
]


@pytest.mark.parametrize(
    ("name", "request_body", "status", "text"), BODIES, ids=lambda v: str(v)[:24]
)
def test_bad_bodies(zoo: Server, name: str, request_body: bytes, status: int, text: str):
    got, answer = zoo.call("POST", "/v2/models/add_sub/infer", request_body)
    assert got == status, answer
    assert text in json.loads(answer)["error"]


def test_the_fault_is_told_with_its_place(zoo: Server):
    _, answer = zoo.call("POST", "/v2/models/add_sub/infer", body(A, {**B, "data": [1, 2, 3, "x"]}))
    assert "inputs[1].data" in json.loads(answer)["error"]


def test_the_request_id_is_told(zoo: Server):
    _, answer = zoo.call("POST", "/v2/models/add_sub/infer", body(A, id="my-7"))
    assert "[request id: my-7]" in json.loads(answer)["error"]


# method, path, body, headers, status, part of the error text
REQUESTS = [
    ("GET", "/v2/nothing", None, {}, 404, "Not Found"),
    ("GET", "/v2//", None, {}, 404, "Not Found"),
    ("GET", "/v2/models/add_sub/infer", None, {}, 405, "Method Not Allowed"),
    ("POST", "/v2/health/ready", b"", {}, 405, "Method Not Allowed"),
    ("GET", "/v2/models/none", None, {}, 404, "Request for unknown model: 'none' is not found"),
    ("POST", "/v2/models/none/infer", b"{}", {}, 404, "Request for unknown model: 'none'"),
    (
        "POST",
        "/v2/models/add_sub/versions/7/infer",
        b"{}",
        {},
        404,
        "Request for unknown model: 'add_sub' version 7 is not found",
    ),
    ("GET", "/v2/models/add_sub/versions/x", None, {}, 404, "Not Found"),
    (
        "GET",
        "/v2/models/add_sub/versions/99999999999999999999",
        None,
        {},
        400,
        "version should be an integral value > 0",
    ),
    ("GET", "/v2/models/none/ready", None, {}, 400, "Model version not ready"),
    (
        "POST",
        "/v2/models/add_sub/infer",
        add_sub_body(),
        {"Inference-Header-Content-Length": "100000"},
        400,
        "inference header size should be in range",
    ),
    (
        "POST",
        "/v2/models/add_sub/infer",
        add_sub_body(),
        {"Inference-Header-Content-Length": "-5"},
        400,
        "nference",
    ),
    (
        "POST",
        "/v2/models/add_sub/infer",
        b"these are not gzip bytes",
        {"Content-Encoding": "gzip"},
        400,
        "",
    ),
    (
        "POST",
        "/v2/models/add_sub/infer",
        gzip.compress(add_sub_body())[:-9],
        {"Content-Encoding": "gzip"},
        400,
        "",
    ),
    ("POST", "/v2/models/add_sub/infer", b"x", {"Content-Encoding": "br"}, 501, "Unsupported"),
    ("POST", "/v2/models/add_sub/infer", b"", {}, 400, "Raw request must only have 1 input"),
]


@pytest.mark.parametrize(
    ("method", "path", "request_body", "headers", "status", "text"),
    REQUESTS,
    ids=lambda value: str(value)[:40],
)
def test_bad_requests(
    zoo: Server,
    method: str,
    path: str,
    request_body: bytes | None,
    headers: dict[str, str],
    status: int,
    text: str,
):
    got, answer = zoo.call(method, path, request_body, headers)
    assert got == status, answer
    assert text in json.loads(answer)["error"]


def test_gzip_bomb_is_refused(zoo: Server):
    bomb = gzip.compress(b" " * (200 << 20))
    status, answer = zoo.call(
        "POST", "/v2/models/add_sub/infer", bomb, {"Content-Encoding": "gzip"}
    )
    assert status in (400, 413)
    assert json.loads(answer)["error"]


@pytest.mark.parametrize(
    ("sizes", "text"),
    [
        ((16, 8), "unexpected size for input 'b', expecting 8 additional bytes"),
        ((16, 24), "unexpected additional input data for model 'add_sub'"),
    ],
)
def test_binary_sizes_must_add_up(zoo: Server, sizes: tuple[int, int], text: str):
    tensors = [
        {"name": name, "datatype": "FP32", "shape": [1, 4], "parameters": {"binary_data_size": 16}}
        for name in ("a", "b")
    ]
    head = body(*tensors)
    status, answer = zoo.call(
        "POST",
        "/v2/models/add_sub/infer",
        head + b"\0" * sum(sizes),
        {"Inference-Header-Content-Length": str(len(head))},
    )
    assert status == 400
    assert text in json.loads(answer)["error"]


@pytest.mark.parametrize("how", ["raise", "none", "count", "name", "shape", "dtype"])
def test_a_bad_callable_hurts_only_its_client(zoo: Server, how: str):
    def ask(command: str) -> tuple[int, dict]:
        tensor = {"name": "HOW", "datatype": "BYTES", "shape": [1, 1], "data": [command]}
        return zoo.infer("misbehave", tensor)

    status, answer = ask(how)
    assert status == 500
    assert answer["error"]
    if how == "raise":
        assert "the callable is not amused" in answer["error"]
    status, answer = ask("fine")
    assert status == 200, answer


def infer_request(**more: object) -> service_pb2.ModelInferRequest:
    """A valid add_sub request with raw contents."""
    request = service_pb2.ModelInferRequest(model_name="add_sub", **more)
    for name in ("a", "b"):
        request.inputs.add(name=name, datatype="FP32", shape=[1, 4])
        request.raw_input_contents.append(np.ones(4, np.float32).tobytes())
    return request


def spoil_shape(request: service_pb2.ModelInferRequest) -> None:
    for tensor in request.inputs:
        tensor.shape[:] = [-1, 4]


def spoil_size(request: service_pb2.ModelInferRequest) -> None:
    request.raw_input_contents[1] = b"abc"


def spoil_raw_count(request: service_pb2.ModelInferRequest) -> None:
    del request.raw_input_contents[1]


def spoil_both(request: service_pb2.ModelInferRequest) -> None:
    request.inputs[0].contents.fp32_contents.extend([1, 2, 3, 4])


def spoil_datatype(request: service_pb2.ModelInferRequest) -> None:
    request.inputs[0].datatype = "FLOAT"


def spoil_name(request: service_pb2.ModelInferRequest) -> None:
    request.model_name = "none"


def spoil_version(request: service_pb2.ModelInferRequest) -> None:
    request.model_version = "x"


GRPC_SPOILERS = [
    (spoil_shape, grpc.StatusCode.INVALID_ARGUMENT, "All input dimensions should be specified"),
    (spoil_size, grpc.StatusCode.INVALID_ARGUMENT, "input byte size mismatch for input 'b'"),
    (spoil_raw_count, grpc.StatusCode.INVALID_ARGUMENT, "unable to find data for input tensor 'b'"),
    (spoil_both, grpc.StatusCode.INVALID_ARGUMENT, "contents field must not be specified"),
    (spoil_datatype, grpc.StatusCode.INVALID_ARGUMENT, "data-type is '<invalid>'"),
    (spoil_name, grpc.StatusCode.NOT_FOUND, "Request for unknown model: 'none' is not found"),
    (spoil_version, grpc.StatusCode.INVALID_ARGUMENT, "(details: stol)"),
]


@pytest.mark.parametrize(("spoil", "code", "text"), GRPC_SPOILERS, ids=lambda v: str(v)[:20])
def test_bad_grpc_requests(zoo: Server, spoil: object, code: grpc.StatusCode, text: str):
    request = infer_request()
    spoil(request)
    with grpc.insecure_channel(f"127.0.0.1:{zoo.grpc}") as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        with pytest.raises(grpc.RpcError) as raised:
            stub.ModelInfer(request, timeout=20)
        assert raised.value.code() == code
        assert text in raised.value.details()
        stub.ModelInfer(infer_request(), timeout=20)


def test_grpc_message_that_is_no_protobuf(zoo: Server):
    with grpc.insecure_channel(f"127.0.0.1:{zoo.grpc}") as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        with pytest.raises(grpc.RpcError) as raised:
            call(b"\xff\xff\xff\xff\xff", timeout=20)
    assert raised.value.code() in (grpc.StatusCode.INTERNAL, grpc.StatusCode.INVALID_ARGUMENT)


def test_unknown_grpc_method(zoo: Server):
    with grpc.insecure_channel(f"127.0.0.1:{zoo.grpc}") as channel:
        with pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary("/inference.GRPCInferenceService/Nope")(b"", timeout=20)
    assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_decoupled_models_need_a_stream(zoo: Server):
    tensor = {"name": "N", "datatype": "INT32", "shape": [1, 1], "data": [3]}
    assert zoo.infer("count_down", tensor)[0] == 501
    tensor = tritonclient.grpc.InferInput("N", [1, 1], "INT32")
    tensor.set_data_from_numpy(np.array([[3]], np.int32))
    with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{zoo.grpc}") as client:
        with pytest.raises(Exception, match="decoupled transaction policy"):
            client.infer("count_down", [tensor])
