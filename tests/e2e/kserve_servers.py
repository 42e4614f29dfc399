"""Servers that know KServe v2 without Triton's extensions, over HTTP and gRPC, also with TLS."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import grpc
from tritonclient.grpc import service_pb2, service_pb2_grpc

TLS = Path(__file__).parent / "tls"  # for tests only: a key that everybody knows
TENSORS = {
    "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1]}],
    "outputs": [
        {"name": "y", "datatype": "FP32", "shape": [-1]},
        {"name": "text", "datatype": "BYTES", "shape": [1]},
    ],
}


class Handler(BaseHTTPRequestHandler):
    """Doubles x; knows neither configurations nor binary tensors; answers in chunks."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        known = {
            "/v2": {"name": "plain", "version": "1", "extensions": []},
            "/v2/health/live": {"live": True},
            "/v2/health/ready": {"ready": True},
            "/v2/models/m/ready": {"name": "m", "ready": True},
            "/v2/models/m": {"name": "m", "platform": "none", **TENSORS},
        }
        found = known.get(self.path)
        self.answer(200 if found else 404, found or {"detail": "Not Found"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert "inference-header-content-length" not in self.headers
        request = json.loads(body)
        if request["inputs"][0]["datatype"] != "FP32":
            self.answer(400, {"error": "expected FP32"})
            return
        values = [2 * value for value in request["inputs"][0]["data"]]
        outputs = [
            {"name": "y", "datatype": "FP32", "shape": [len(values)], "data": values},
            {"name": "text", "datatype": "BYTES", "shape": [1], "data": ["é"]},
        ]
        self.answer(200, {"model_name": "m", "outputs": outputs})

    def answer(self, status: int, found: object) -> None:
        text = json.dumps(found).encode()
        self.send_response(status)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(text), 10):
            part = text[at : at + 10]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: object) -> None:
        pass


class Servicer(service_pb2_grpc.GRPCInferenceServiceServicer):
    """Doubles x; ModelConfig is not implemented; tensors come in typed fields."""

    def ServerLive(self, request, context):
        return service_pb2.ServerLiveResponse(live=True)

    def ServerReady(self, request, context):
        return service_pb2.ServerReadyResponse(ready=True)

    def ModelReady(self, request, context):
        return service_pb2.ModelReadyResponse(ready=request.name == "m")

    def ServerMetadata(self, request, context):
        extensions = ["binary_tensor_data"]
        return service_pb2.ServerMetadataResponse(name="plain", extensions=extensions)

    def ModelMetadata(self, request, context):
        return service_pb2.ModelMetadataResponse(name="m", **TENSORS)

    def ModelInfer(self, request, context):
        import numpy as np

        if request.inputs[0].datatype != "FP32":
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "expected FP32, é")
        values = 2 * np.frombuffer(request.raw_input_contents[0], np.float32)
        response = service_pb2.ModelInferResponse(model_name="m")
        y = response.outputs.add(name="y", datatype="FP32", shape=[len(values)])
        y.contents.fp32_contents.extend(values)
        text = response.outputs.add(name="text", datatype="BYTES", shape=[1])
        text.contents.bytes_contents.append("é".encode())
        return response


@contextlib.contextmanager
def http_server(is_secure: bool) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if is_secure:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(TLS / "cert.pem", TLS / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"{'https' if is_secure else 'http'}://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@contextlib.contextmanager
def grpc_server(is_secure: bool) -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(4), compression=grpc.Compression.Gzip)
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(Servicer(), server)
    if is_secure:
        pair = ((TLS / "key.pem").read_bytes(), (TLS / "cert.pem").read_bytes())
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([pair]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"{'grpcs' if is_secure else 'grpc'}://127.0.0.1:{port}"
    server.stop(None).wait()
