"""Clients that leave and deadlines that pass: what nobody waits for is not computed."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2, service_pb2_grpc

from e2e.harness import Server, post, read_response, wait_until


def gate_body(value: int, **more: object) -> bytes:
    tensor = {"name": "IN", "datatype": "INT32", "shape": [1, 1], "data": [value]}
    return json.dumps({"inputs": [tensor], **more}).encode()


def gate_request(value: int) -> service_pb2.ModelInferRequest:
    request = service_pb2.ModelInferRequest(model_name="gate")
    request.inputs.add(name="IN", datatype="INT32", shape=[1, 1])
    request.raw_input_contents.append(np.int32(value).tobytes())
    return request


def send(zoo: Server, value: int, model: str = "gate", **more: object) -> socket.socket:
    """Sends a request without waiting for its answer."""
    sock = zoo.connect()
    sock.sendall(post(f"/v2/models/{model}/infer", gate_body(value, **more)))
    return sock


@pytest.fixture
def closed_gate(zoo: Server) -> Iterator[Server]:
    """The gate is closed and busy: what comes after request 1 waits in the queue."""
    zoo.control("close")
    with ExitStack() as stack:
        stack.callback(zoo.control, "open")
        first = stack.enter_context(send(zoo, 1))
        wait_until(lambda: zoo.control("look") == [1], "request 1 to reach the callable")
        yield zoo
        zoo.control("open")
        assert read_response(first)[0] == 200


def leave(zoo: Server, sock: socket.socket) -> None:
    """Closes the connection and waits until the server has noticed."""
    open_before = zoo.descriptors()
    sock.close()
    wait_until(lambda: zoo.descriptors() < open_before, "the server to close the connection")


def finish(zoo: Server) -> list[int]:
    """Opens the gate, lets a last request through, gives what the callable saw."""
    zoo.control("open")
    with send(zoo, 99) as last:
        assert read_response(last)[0] == 200
    return zoo.control("look")


def test_a_client_that_disconnects_leaves_the_queue(closed_gate: Server):
    gone = send(closed_gate, 2)
    closed_gate.wait_pending("gate", 1)
    leave(closed_gate, gone)
    assert finish(closed_gate) == [1, 99]


def test_a_client_that_resets_leaves_the_queue(closed_gate: Server):
    gone = send(closed_gate, 2)
    closed_gate.wait_pending("gate", 1)
    gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    leave(closed_gate, gone)
    assert finish(closed_gate) == [1, 99]


def test_an_http2_client_that_leaves(closed_gate: Server):
    url = f"http://127.0.0.1:{closed_gate.http}/v2/models/gate/infer"
    command = ["curl", "-s", "--http2-prior-knowledge", "--data-binary", gate_body(2), url]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as curl:
        closed_gate.wait_pending("gate", 1)
        open_before = closed_gate.descriptors()
        curl.kill()
    wait_until(lambda: closed_gate.descriptors() < open_before, "the connection to be closed")
    assert finish(closed_gate) == [1, 99]


def test_a_cancelled_grpc_call_leaves_the_queue(closed_gate: Server):
    with grpc.insecure_channel(f"127.0.0.1:{closed_gate.grpc}") as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        call = stub.ModelInfer.future(gate_request(2))
        closed_gate.wait_pending("gate", 1)
        call.cancel()
        stub.ServerLive(service_pb2.ServerLiveRequest())  # answered after the cancellation was read
        assert finish(closed_gate) == [1, 99]


def test_a_grpc_deadline_takes_the_request_out(closed_gate: Server):
    with grpc.insecure_channel(f"127.0.0.1:{closed_gate.grpc}") as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        with pytest.raises(grpc.RpcError) as raised:
            stub.ModelInfer(gate_request(2), timeout=0.3)
        assert raised.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
        assert finish(closed_gate) == [1, 99]


def test_a_closed_stream_cancels_its_requests(closed_gate: Server):
    with grpc.insecure_channel(f"127.0.0.1:{closed_gate.grpc}") as channel:
        stub = service_pb2_grpc.GRPCInferenceServiceStub(channel)
        call = stub.ModelStreamInfer(iter([gate_request(2), gate_request(3)]))
        closed_gate.wait_pending("gate", 2)
        call.cancel()
        stub.ServerLive(service_pb2.ServerLiveRequest())
        assert finish(closed_gate) == [1, 99]


def test_others_in_the_queue_stay(closed_gate: Server):
    with send(closed_gate, 2) as before:
        closed_gate.wait_pending("gate", 1)
        gone = send(closed_gate, 3)
        closed_gate.wait_pending("gate", 2)
        with send(closed_gate, 4) as behind:
            closed_gate.wait_pending("gate", 3)
            leave(closed_gate, gone)
            closed_gate.control("open")
            assert read_response(before)[0] == 200
            assert read_response(behind)[0] == 200
    assert closed_gate.control("look") == [1, 2, 4]


def test_a_full_queue_says_unavailable_at_once(zoo: Server):
    zoo.control("close")
    with ExitStack() as stack:
        stack.callback(zoo.control, "open")
        stack.enter_context(send(zoo, 1, "short_gate"))
        wait_until(lambda: zoo.control("look") == [1], "request 1 to reach the callable")
        for value in (2, 3):
            stack.enter_context(send(zoo, value, "short_gate"))
            zoo.wait_pending("short_gate", value - 1)
        refused = stack.enter_context(send(zoo, 4, "short_gate"))
        status, _, body = read_response(refused)
    assert status == 503
    assert "Exceeds maximum queue size" in json.loads(body)["error"]
