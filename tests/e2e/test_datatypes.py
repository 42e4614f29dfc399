"""All 14 data types, both ways, with every stock client."""

from __future__ import annotations

import asyncio
import json

import ml_dtypes
import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.grpc.aio
import tritonclient.http
import tritonclient.http.aio

from e2e.harness import Server

EXTREMES = {
    "BOOL": np.array([True, False, True]),
    "FP16": np.array([0.5, -65504, np.inf], np.float16),
    "FP32": np.array([0.1, -3.4e38, 1e-45, np.inf, -np.inf], np.float32),
    "FP64": np.array([0.1, -1.7e308, 5e-324], np.float64),
    "BYTES": np.array([b"", b"x" * 300, "größe".encode(), b"\x00\xff"], np.object_),
    "BF16": np.array([0.5, -2.0, 3.0e38], ml_dtypes.bfloat16),
}
for bits in (8, 16, 32, 64):
    for kind in ("int", "uint"):
        limits = np.iinfo(f"{kind}{bits}")
        EXTREMES[f"{kind.upper()}{bits}"] = np.array([limits.min, 0, limits.max], limits.dtype)

every_type = pytest.mark.parametrize("datatype", sorted(EXTREMES))


def tensors(client: object, datatype: str, rows: int = 2) -> tuple[list, list, np.ndarray]:
    """Inputs and outputs of one request; each row holds all extreme values."""
    values = np.stack([EXTREMES[datatype]] * rows)
    tensor = client.InferInput("IN", list(values.shape), datatype)
    tensor.set_data_from_numpy(values)
    return [tensor], [client.InferRequestedOutput("OUT")], values


def check(result: object, expected: np.ndarray) -> None:
    got = result.as_numpy("OUT")
    assert got.shape == expected.shape
    assert got.dtype == expected.dtype
    assert np.array_equal(got, expected)


@every_type
def test_http_binary(zoo: Server, datatype: str):
    inputs, outputs, values = tensors(tritonclient.http, datatype)
    with tritonclient.http.InferenceServerClient(f"127.0.0.1:{zoo.http}") as client:
        check(client.infer(f"identity_{datatype}", inputs, outputs=outputs), values)


@every_type
def test_grpc(zoo: Server, datatype: str):
    inputs, outputs, values = tensors(tritonclient.grpc, datatype)
    with tritonclient.grpc.InferenceServerClient(f"127.0.0.1:{zoo.grpc}") as client:
        check(client.infer(f"identity_{datatype}", inputs, outputs=outputs), values)


@every_type
def test_asyncio_clients(zoo: Server, datatype: str):
    async def both() -> None:
        model = f"identity_{datatype}"
        async with tritonclient.http.aio.InferenceServerClient(f"127.0.0.1:{zoo.http}") as client:
            inputs, outputs, values = tensors(tritonclient.http.aio, datatype)
            check(await client.infer(model, inputs, outputs=outputs), values)
        async with tritonclient.grpc.aio.InferenceServerClient(f"127.0.0.1:{zoo.grpc}") as client:
            inputs, outputs, values = tensors(tritonclient.grpc.aio, datatype)
            check(await client.infer(model, inputs, outputs=outputs), values)

    asyncio.run(both())


def json_values(datatype: str) -> list:
    if datatype == "BYTES":
        return ["", "x" * 300, 'größe "\\ \n'] * 2
    values = EXTREMES[datatype]
    finite = values if values.dtype.kind in "biu" else values[np.isfinite(values)]
    return finite.tolist() * 2


@pytest.mark.parametrize("datatype", sorted(set(EXTREMES) - {"FP16", "BF16"}))
def test_json(zoo: Server, datatype: str):
    data = json_values(datatype)
    tensor = {"name": "IN", "datatype": datatype, "shape": [2, len(data) // 2], "data": data}
    status, answer = zoo.infer(f"identity_{datatype}", tensor)
    assert status == 200, answer
    output = answer["outputs"][0]
    assert output["datatype"] == datatype
    assert output["shape"] == [2, len(data) // 2]
    assert output["data"] == data


@pytest.mark.parametrize("datatype", ["FP16", "BF16"])
def test_half_floats_are_binary_only(zoo: Server, datatype: str):
    tensor = {"name": "IN", "datatype": datatype, "shape": [1, 1], "data": [1.0]}
    status, answer = zoo.infer(f"identity_{datatype}", tensor)
    assert status == 400
    assert f"receiving {datatype} data via JSON is not supported" in answer["error"]


@pytest.mark.parametrize("binary_input", [True, False])
@pytest.mark.parametrize("binary_output", [True, False])
def test_json_and_binary_mix(zoo: Server, binary_input: bool, binary_output: bool):
    inputs = []
    for name, is_binary in (("a", binary_input), ("b", not binary_input)):
        tensor = tritonclient.http.InferInput(name, [1, 4], "FP32")
        tensor.set_data_from_numpy(np.array([[1, 2, 3, 4]], np.float32), binary_data=is_binary)
        inputs.append(tensor)
    outputs = [
        tritonclient.http.InferRequestedOutput("difference", binary_data=not binary_output),
        tritonclient.http.InferRequestedOutput("sum", binary_data=binary_output),
    ]
    with tritonclient.http.InferenceServerClient(f"127.0.0.1:{zoo.http}") as client:
        result = client.infer("add_sub", inputs, outputs=outputs)
    assert result.as_numpy("sum").tolist() == [[2, 4, 6, 8]]
    assert result.as_numpy("difference").tolist() == [[0, 0, 0, 0]]


def test_raw_binary_request(zoo: Server):
    values = np.array([[1.5, -2.5, 3.5]], np.float32)
    status, body = zoo.call(
        "POST",
        "/v2/models/identity_FP32/infer",
        values.tobytes(),
        {"Inference-Header-Content-Length": "0"},
    )
    assert status == 200
    head = json.loads(body[: -values.nbytes])
    assert head["outputs"][0]["parameters"] == {"binary_data_size": values.nbytes}
    assert body.endswith(values.tobytes())


def test_large_tensors_survive_both_protocols(zoo: Server):
    values = np.arange(4 << 20, dtype=np.float32).reshape(1, -1)
    for client_module, port in ((tritonclient.http, zoo.http), (tritonclient.grpc, zoo.grpc)):
        tensor = client_module.InferInput("IN", list(values.shape), "FP32")
        tensor.set_data_from_numpy(values)
        with client_module.InferenceServerClient(f"127.0.0.1:{port}") as client:
            check(client.infer("identity_FP32", [tensor]), values)
