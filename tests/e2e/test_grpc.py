"""gRPC with stock clients: streams, deadlines, health, reflection, and gRPC on the HTTP port."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Iterator

import grpc
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.grpc.aio
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from tritonclient.grpc import service_pb2, service_pb2_grpc

from e2e.harness import Server

STREAMS = ["count_down", "count_down_async"]


def count_down_input(start: int, module=tritonclient.grpc) -> list:
    tensor = module.InferInput("N", [1, 1], "INT32")
    tensor.set_data_from_numpy(np.array([[start]], np.int32))
    return [tensor]


def add_sub_inputs(module=tritonclient.grpc) -> list:
    inputs = []
    for name in ("a", "b"):
        tensor = module.InferInput(name, [1, 4], "FP32")
        tensor.set_data_from_numpy(np.array([[1, 2, 3, 4]], np.float32))
        inputs.append(tensor)
    return inputs


class Stream:
    """A stream of tritonclient whose answers can be waited for."""

    def __init__(self, client: tritonclient.grpc.InferenceServerClient):
        self.client = client
        self.answers: queue.Queue = queue.Queue()
        client.start_stream(lambda result, error: self.answers.put((result, error)))

    def next(self):
        return self.answers.get(timeout=30)

    def values(self) -> Iterator[int]:
        """OUT of each answer until the final one."""
        while True:
            result, error = self.next()
            assert error is None, error
            response = result.get_response()
            if response.outputs:
                yield int(result.as_numpy("OUT").flat[0])
            if response.parameters["triton_final_response"].bool_param:
                return


@pytest.fixture
def client(zoo: Server) -> Iterator[tritonclient.grpc.InferenceServerClient]:
    with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{zoo.grpc}") as client:
        yield client


@pytest.mark.parametrize("model", STREAMS)
def test_decoupled_stream(client, model: str):
    stream = Stream(client)
    client.async_stream_infer(model, count_down_input(5), enable_empty_final_response=True)
    assert list(stream.values()) == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("model", STREAMS)
def test_decoupled_stream_with_asyncio(zoo: Server, model: str):
    async def collect() -> list[int]:
        async def requests():
            inputs = count_down_input(4, tritonclient.grpc.aio)
            yield {"model_name": model, "inputs": inputs, "request_id": "1"}

        async with tritonclient.grpc.aio.InferenceServerClient(f"127.0.0.1:{zoo.grpc}") as client:
            values = []
            async for result, error in client.stream_infer(requests()):
                assert error is None
                values.append(int(result.as_numpy("OUT").flat[0]))
            return values

    assert asyncio.run(collect()) == [4, 3, 2, 1]


def test_ordinary_models_on_a_stream_answer_in_order(client):
    stream = Stream(client)
    for number in range(50):
        client.async_stream_infer("add_sub", add_sub_inputs(), request_id=str(number))
    ids = []
    for _ in range(50):
        result, error = stream.next()
        assert error is None
        ids.append(result.get_response().id)
    assert ids == [str(number) for number in range(50)]


def test_an_error_does_not_end_the_stream(client):
    stream = Stream(client)
    client.async_stream_infer("none", add_sub_inputs(), request_id="lost")
    _, error = stream.next()
    assert "Request for unknown model: 'none' is not found" in str(error)
    client.async_stream_infer("add_sub", add_sub_inputs())
    result, error = stream.next()
    assert error is None
    assert result.as_numpy("sum").tolist() == [[2, 4, 6, 8]]


@pytest.mark.parametrize("algorithm", ["gzip", "deflate"])
def test_compressed_requests(client, algorithm: str):
    result = client.infer("add_sub", add_sub_inputs(), compression_algorithm=algorithm)
    assert result.as_numpy("sum").tolist() == [[2, 4, 6, 8]]


def test_many_calls_at_once_on_one_connection(client):
    answers: queue.Queue = queue.Queue()
    for _ in range(300):
        client.async_infer(
            "add_sub", add_sub_inputs(), lambda result, error: answers.put((result, error))
        )
    for _ in range(300):
        result, error = answers.get(timeout=30)
        assert error is None
        assert result.as_numpy("sum").tolist() == [[2, 4, 6, 8]]


def test_typed_contents(zoo: Server):
    request = service_pb2.ModelInferRequest(model_name="add_sub", id="typed")
    for name in ("a", "b"):
        tensor = request.inputs.add(name=name, datatype="FP32", shape=[1, 4])
        tensor.contents.fp32_contents.extend([1, 2, 3, 4])
    with grpc.insecure_channel(f"127.0.0.1:{zoo.grpc}") as channel:
        response = service_pb2_grpc.GRPCInferenceServiceStub(channel).ModelInfer(
            request, timeout=20
        )
    assert response.id == "typed"
    sums = dict(zip([output.name for output in response.outputs], response.raw_output_contents))
    assert np.frombuffer(sums["sum"], np.float32).tolist() == [2, 4, 6, 8]


def test_grpc_on_the_http_port(zoo: Server):
    with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{zoo.http}") as client:
        assert client.is_server_ready()
        assert client.infer("add_sub", add_sub_inputs()).as_numpy("sum").tolist() == [[2, 4, 6, 8]]


def test_deadline_of_a_waiting_request(zoo: Server):
    zoo.control("close")
    try:
        tensor = tritonclient.grpc.InferInput("IN", [1, 1], "INT32")
        tensor.set_data_from_numpy(np.array([[1]], np.int32))
        with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{zoo.grpc}") as client:
            with pytest.raises(Exception, match="Deadline Exceeded"):
                client.infer("gate", [tensor], client_timeout=0.2)
    finally:
        zoo.control("open")


def health(channel: grpc.Channel, service: str) -> bytes:
    """The raw HealthCheckResponse: field 1 is the status, 1 means SERVING."""
    check = channel.unary_unary("/grpc.health.v1.Health/Check")
    name = service.encode()
    return check(b"\x0a" + bytes([len(name)]) + name if name else b"", timeout=20)


def test_grpc_health_service(zoo: Server):
    with grpc.insecure_channel(f"127.0.0.1:{zoo.grpc}") as channel:
        assert health(channel, "") == b"\x08\x01"
        assert health(channel, "inference.GRPCInferenceService") == b"\x08\x01"


def test_reflection_describes_the_service(zoo: Server):
    with grpc.insecure_channel(f"127.0.0.1:{zoo.grpc}") as channel:
        database = ProtoReflectionDescriptorDatabase(channel)
        assert "inference.GRPCInferenceService" in database.get_services()
        pool = DescriptorPool(database)
        service = pool.FindServiceByName("inference.GRPCInferenceService")
        methods = {method.name for method in service.methods}
        request = pool.FindMessageTypeByName("inference.ModelInferRequest")
    assert {"ModelInfer", "ModelStreamInfer", "ServerReady", "ModelStatistics"} <= methods
    assert request.fields_by_name["raw_input_contents"].number == 7
