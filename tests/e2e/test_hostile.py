"""Hostile and careless clients: each gets an end, and the server goes on for the others."""

from __future__ import annotations

import resource
import socket
import struct

import pytest

from e2e.harness import Server, add_sub_body, post, read_response, until_eof, wait_until

INFER = "/v2/models/add_sub/infer"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def h2_frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


SETTINGS = h2_frame(4, 0, 0)
# :method GET, :scheme http, :path /, from HPACK's static table.
HEADERS = b"\x82\x86\x84"

GARBAGE = {
    "binary noise": bytes(range(256)) * 10,
    "no such method": b"hello world\r\n\r\n",
    "no version": b"GET /v2\r\n\r\n",
    "future version": b"GET /v2 HTTP/9.9\r\nHost: t\r\n\r\n",
    "bare line feeds": b"GET /v2 HTTP/1.1\nHost: t\n\n",
    "header without colon": b"GET /v2 HTTP/1.1\r\nnonsense\r\n\r\n",
    "NUL in a header": b"GET /v2 HTTP/1.1\r\nX: a\x00b\r\n\r\n",
    "space in the target": b"GET /v2 x HTTP/1.1\r\nHost: t\r\n\r\n",
    "negative length": post(INFER, b"").replace(b"Length: 0", b"Length: -1"),
    "length is no number": post(INFER, b"").replace(b"Length: 0", b"Length: abc"),
    "length beyond 64 bits": post(INFER, b"").replace(b"Length: 0", b"Length: " + b"9" * 30),
    "two lengths": post(INFER, b"ab", "Content-Length: 1"),
    "length beyond the limit": post(INFER, b"").replace(b"Length: 0", b"Length: 99999999999"),
    "length and chunks": post(INFER, b"0\r\n\r\n", "Transfer-Encoding: chunked"),
    "unknown transfer coding": f"POST {INFER} HTTP/1.1\r\nTransfer-Encoding: x\r\n\r\n".encode(),
    "bad chunk size": f"POST {INFER} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n".encode(),
    "huge chunk size": (
        f"POST {INFER} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n{'f' * 17}\r\n".encode()
    ),
    "endless target": b"GET /" + b"a" * (1 << 20),
    "endless header": b"GET /v2 HTTP/1.1\r\nX: " + b"a" * (1 << 20),
    "too many headers": b"GET /v2 HTTP/1.1\r\n" + b"X: y\r\n" * 20000 + b"\r\n",
    "preface cut short": PREFACE[:10] + b"xxxxxxxxxxxxxxxx",
    "HTTP/2 without SETTINGS": PREFACE + h2_frame(6, 0, 0, b"12345678"),
    "HTTP/2 frame too large": PREFACE + SETTINGS + b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",
    "HTTP/2 bad compression": PREFACE + SETTINGS + h2_frame(1, 5, 1, b"\xff" * 20),
    "HTTP/2 even stream": PREFACE + SETTINGS + h2_frame(1, 5, 2, HEADERS),
    "HTTP/2 DATA without HEADERS": PREFACE + SETTINGS + h2_frame(0, 1, 1, b"x"),
    "HTTP/2 endless CONTINUATION": (
        PREFACE
        + SETTINGS
        + h2_frame(1, 1, 1, HEADERS)
        + h2_frame(9, 0, 1, b"\x00\x01a\x01b") * 50000
    ),
    "HTTP/2 rapid resets": (
        PREFACE
        + SETTINGS
        + b"".join(
            h2_frame(1, 5, n, HEADERS) + h2_frame(3, 0, n, b"\0\0\0\x08")
            for n in range(1, 40001, 2)
        )
    ),
    "HTTP/2 settings flood": PREFACE + SETTINGS * 50000,
    "HTTP/2 ping flood": PREFACE + SETTINGS + h2_frame(6, 0, 0, b"12345678") * 50000,
    "HTTP/2 empty DATA flood": (
        PREFACE + SETTINGS + h2_frame(1, 4, 1, HEADERS) + h2_frame(0, 0, 1) * 50000
    ),
}


def is_well(zoo: Server) -> bool:
    return zoo.call("POST", INFER, add_sub_body())[0] == 200


@pytest.mark.parametrize("port", ["http", "grpc"])
@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_gets_an_end(zoo: Server, name: str, port: str):
    """An error or a closed connection, after our half of it is closed at the latest."""
    with zoo.connect(getattr(zoo, port)) as sock:
        try:
            sock.sendall(GARBAGE[name])
            sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # closed while we were still sending: fine
        received = until_eof(sock)
    if received.startswith(b"HTTP/1."):
        assert received.split()[1][:1] in (b"4", b"5"), received[:200]
    assert is_well(zoo)


@pytest.mark.parametrize("port", ["http", "grpc"])
def test_clients_that_vanish_with_256_requests_under_way(zoo: Server, port: str):
    before = zoo.descriptors()
    for _ in range(3):
        clients = [zoo.connect(getattr(zoo, port)) for _ in range(256)]
        for sock in clients:
            sock.sendall(post(INFER, add_sub_body()))
        for sock in clients:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            sock.close()
        assert is_well(zoo)
    wait_until(lambda: zoo.descriptors() <= before, "every connection to be closed")
    wait_until(
        lambda: zoo.metric("nv_inference_pending_request_count", "add_sub") == 0,
        "no request to wait",
    )


def test_vanishing_grpc_clients(zoo: Server):
    """256 calls on one connection, cut in the middle of everything."""
    before = zoo.descriptors()
    body = b"\0\0\0\0\x05\x0a\x03abc"
    calls = b"".join(
        h2_frame(1, 4, stream, HEADERS) + h2_frame(0, 1, stream, body)
        for stream in range(1, 513, 2)
    )
    for cut in (len(calls), len(calls) // 2, len(calls) - 3):
        with zoo.connect(zoo.grpc) as sock:
            sock.sendall(PREFACE + SETTINGS + calls[:cut])
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert is_well(zoo)
    wait_until(lambda: zoo.descriptors() <= before, "every connection to be closed")


def test_a_thousand_idle_connections(zoo: Server):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 4096)), hard))
    before = zoo.descriptors()
    idle = [zoo.connect() for _ in range(1000)]
    for sock in idle[::2]:
        sock.sendall(post(INFER, add_sub_body()))
    assert is_well(zoo)
    for sock in idle[::2]:
        assert read_response(sock)[0] == 200
    for sock in idle:
        sock.close()
    wait_until(lambda: zoo.descriptors() <= before, "every connection to be closed")


def test_slow_heads_are_closed(start):
    server = start("small.py", "--header-timeout-secs", "1")
    with server.connect() as sock:
        sock.sendall(b"POST /v2/models/sleepy/infer HTTP/1.1\r\nHost:")
        received = until_eof(sock)
    assert received == b"" or received.startswith(b"HTTP/1.1 408 ")
    assert server.get("/v2/health/ready")[0] == 200


def test_bodies_that_stop_are_closed(start):
    server = start("small.py", "--body-idle-timeout-secs", "1")
    with server.connect() as sock:
        sock.sendall(post("/v2/models/sleepy/infer", b"x" * 100)[:-50])
        received = until_eof(sock)
    assert received == b"" or received.startswith(b"HTTP/1.1 408 ")


def test_bodies_beyond_the_limit_are_refused_unread(start):
    server = start("small.py", "--max-request-bytes", "1000")
    with server.connect() as sock:
        sock.sendall(post("/v2/models/sleepy/infer", b"x" * 2000))
        status, _, body = read_response(sock)
    assert status == 413
    assert b"1000" in body


def test_connections_beyond_the_limit_are_closed(start):
    server = start("small.py", "--max-connections", "2")

    def admitted() -> socket.socket | None:
        sock = server.connect()
        sock.sendall(b"GET /v2/health/live HTTP/1.1\r\nHost: t\r\n\r\n")
        if read_response(sock, "GET")[0] == 200:
            return sock
        sock.close()
        return None

    # The server may still count a connection that the test's start has closed just now.
    kept = [wait_until(admitted, "a place"), wait_until(admitted, "a second place")]
    with server.connect() as refused:
        until_eof(refused)
    kept.pop().close()
    wait_until(lambda: server.get("/v2/health/live")[0] == 200, "a place to become free")
    kept.pop().close()
