"""Small servers that answer the load generator rightly, wrongly or strangely, as a test wants."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from contextlib import contextmanager
from dataclasses import dataclass, field

import grpc
import numpy as np
from tritonclient.grpc import service_pb2, service_pb2_grpc


def add_sub(left: bytes, right: bytes) -> tuple[bytes, bytes]:
    a, b = np.frombuffer(left, np.float32), np.frombuffer(right, np.float32)
    return (a + b).tobytes(), (a - b).tobytes()


@dataclass
class HttpPeer:
    """An HTTP/1.1 server that answers rightly unless told otherwise.

    Attributes:
        reply: sees the request's number and the right answer's head (without its length) and body;
            returns all bytes of the answer.
        pieces: how many bytes leave at once; 0 for all.
        closes: whether each connection ends after one answer.
        parameters: of every answer's JSON.
    """

    reply: Callable[[int, bytes, bytes], bytes] | None = None
    pieces: int = 0
    closes: bool = False
    swaps_outputs: bool = False
    parameters: dict[str, str] = field(default_factory=dict)
    address: str = ""
    accepted: int = 0
    answered: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def body_for(self, head: bytes, body: bytes) -> tuple[bytes, int]:
        """The right answer: body, and length of its JSON (0 for raw)."""
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
        size = int(fields.get(b"Inference-Header-Content-Length", b"0"))
        tensors = body[size:]
        half = len(tensors) // 2
        outputs = list(zip(("add", "sub"), add_sub(tensors[:half], tensors[half:]), strict=True))
        if self.swaps_outputs:
            outputs.reverse()
        blobs = b"".join(blob for _, blob in outputs)
        if size == 0:
            return blobs, 0
        shape = json.loads(body[:size])["inputs"][0]["shape"]
        text = json.dumps(
            {
                "model_name": "AddSub",
                "parameters": self.parameters,
                "outputs": [
                    {
                        "name": name,
                        "datatype": "FP32",
                        "shape": shape,
                        "parameters": {"binary_data_size": len(blob)},
                    }
                    for name, blob in outputs
                ],
            }
        ).encode()
        return text + blobs, len(text)

    def serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            while True:
                head = b""
                while not head.endswith(b"\r\n\r\n"):
                    line = stream.readline()
                    if not line:
                        return
                    head += line
                size = int(head.lower().split(b"\r\ncontent-length: ")[1].split(b"\r\n")[0])
                body, json_size = self.body_for(head, stream.read(size))
                with self._lock:
                    number = self.answered
                    self.answered += 1
                fields = f"Inference-Header-Content-Length: {json_size}\r\n" if json_size else ""
                answer_head = f"HTTP/1.1 200 OK\r\n{fields}".encode()
                if self.reply is not None:
                    answer = self.reply(number, answer_head, body)
                else:
                    answer = answer_head + b"Content-Length: %d\r\n\r\n" % len(body) + body
                step = self.pieces or len(answer)
                for start in range(0, len(answer), step):
                    connection.sendall(answer[start : start + step])
                if self.closes:
                    return


def _serve_quietly(peer: HttpPeer, connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # the client vanished
        peer.serve(connection)


@contextmanager
def listening(
    serve: Callable[[socket.socket], None], unix_path: str = ""
) -> Iterator[tuple[str, list[socket.socket]]]:
    """Accepts connections, each served on a thread; gives the address and all connections."""
    family = socket.AF_UNIX if unix_path else socket.AF_INET
    listener = socket.socket(family)
    listener.bind(unix_path or ("127.0.0.1", 0))
    listener.listen(1024)
    connections: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if not unix_path:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connections.append(connection)
            threads.append(threading.Thread(target=serve, args=(connection,)))
            threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    address = f"unix:{unix_path}" if unix_path else f"127.0.0.1:{listener.getsockname()[1]}"
    try:
        yield address, connections
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        acceptor.join()
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # ended already
        for thread in threads:
            thread.join()


@contextmanager
def http_peer(peer: HttpPeer, unix_path: str = "") -> Iterator[HttpPeer]:
    with listening(lambda one: _serve_quietly(peer, one), unix_path) as (address, connections):
        peer.address = address
        yield peer
    peer.accepted = len(connections)


class GrpcPeer(service_pb2_grpc.GRPCInferenceServiceServicer):
    """A gRPC server of grpcio; `reply` may change the right answer, or abort."""

    def __init__(self, reply: Callable | None = None) -> None:
        self.reply = reply
        self.address = ""

    def ModelInfer(self, request, context):
        answer = service_pb2.ModelInferResponse(model_name=request.model_name, model_version="1")
        names, blobs = ("Y",), request.raw_input_contents
        if len(blobs) == 2:
            names, blobs = ("add", "sub"), add_sub(*blobs)
        for name, blob in zip(names, blobs, strict=True):
            shape = request.inputs[0].shape
            answer.outputs.add(name=name, datatype="FP32", shape=shape)
            answer.raw_output_contents.append(blob)
        if self.reply is not None:
            self.reply(answer, context)
        return answer


@contextmanager
def grpc_peer(reply: Callable | None = None) -> Iterator[GrpcPeer]:
    peer = GrpcPeer(reply)
    size = 64 << 20
    options = [("grpc.max_receive_message_length", size), ("grpc.max_send_message_length", size)]
    server = grpc.server(futures.ThreadPoolExecutor(4), options=options)
    service_pb2_grpc.add_GRPCInferenceServiceServicer_to_server(peer, server)
    peer.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield peer
    finally:
        server.stop(None).wait()


DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, PADDED = 1, 4, 8


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One HTTP/2 frame (RFC 9113 section 4.1)."""
    return struct.pack(">I", len(payload) << 8 | kind) + struct.pack(">BI", flags, stream) + payload


def literal(name: str, value: str) -> bytes:
    """A header field that leaves HPACK's table alone (RFC 7541 section 6.2.2)."""
    return b"\0" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()


@dataclass
class FramePeer:
    """An HTTP/2 server made of bytes: it answers each call with what `answer` returns.

    Attributes:
        answer: sees (stream, length-prefixed right answer) and returns frames.
        settings: the payload of its SETTINGS.
        blocks: the header blocks that came, one a call.
        others: frames that came beside HEADERS and DATA, as (kind, flags).
    """

    answer: Callable[[int, bytes], bytes]
    settings: bytes = b""
    window: int = 1 << 30  # given for each connection
    blocks: list[bytes] = field(default_factory=list)
    others: list[tuple[int, int]] = field(default_factory=list)
    address: str = ""

    def serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream:
            stream.read(24)  # the preface
            connection.sendall(frame(SETTINGS, 0, 0, self.settings))
            if self.window:
                connection.sendall(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", self.window)))
            messages: dict[int, bytes] = {}
            while head := stream.read(9):
                size, kind = struct.unpack(">I", head[:4])[0] >> 8, head[3]
                flags, number = struct.unpack(">BI", head[4:])
                payload = stream.read(size)
                if kind == HEADERS:
                    self.blocks.append(payload)
                elif kind == DATA:
                    messages[number] = messages.get(number, b"") + payload
                    if flags & END_STREAM:
                        connection.sendall(self.answer(number, right_answer(messages.pop(number))))
                else:
                    self.others.append((kind, flags))


def right_answer(message: bytes) -> bytes:
    """The length-prefixed answer to a length-prefixed ModelInferRequest."""
    request = service_pb2.ModelInferRequest.FromString(message[5:])
    answer = GrpcPeer().ModelInfer(request, None).SerializeToString()
    return b"\0" + struct.pack(">I", len(answer)) + answer


def plain_answer(stream: int, message: bytes) -> bytes:
    """HEADERS, DATA, and trailers with status 0."""
    head = b"\x88" + literal("content-type", "application/grpc")
    return (
        frame(HEADERS, END_HEADERS, stream, head)
        + frame(DATA, 0, stream, message)
        + frame(HEADERS, END_HEADERS | END_STREAM, stream, literal("grpc-status", "0"))
    )


@contextmanager
def frame_peer(peer: FramePeer) -> Iterator[FramePeer]:
    def serve(connection: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the client has gone
            peer.serve(connection)

    with listening(serve) as (address, _):
        peer.address = address
        yield peer
