"""HTTP as bytes: keep-alive, pipelining, chunks, 100-continue, compression, HTTP/1.0, HTTP/2."""

from __future__ import annotations

import gzip
import json
import subprocess
import zlib
from pathlib import Path

import pytest

from e2e.harness import Server, add_sub_body, post, read_response, until_eof

INFER = "/v2/models/add_sub/infer"


def sums(body: bytes) -> list[float]:
    outputs = {output["name"]: output["data"] for output in json.loads(body)["outputs"]}
    return outputs["sum"]


def curl(*arguments: str) -> str:
    command = ["curl", "--silent", "--show-error", "--max-time", "30", *arguments]
    return subprocess.run(command, check=True, text=True, capture_output=True).stdout


def test_keep_alive(zoo: Server):
    with zoo.connect() as sock:
        for _ in range(3):
            sock.sendall(post(INFER, add_sub_body()))
            status, headers, body = read_response(sock)
            assert status == 200
            assert "connection" not in headers
            assert sums(body) == [2, 4, 6, 8]


def test_connection_close(zoo: Server):
    with zoo.connect() as sock:
        sock.sendall(post(INFER, add_sub_body(), "Connection: close"))
        received = until_eof(sock)
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close" in received


def test_pipelined_requests_are_answered_in_order(zoo: Server):
    ready = b"GET /v2/health/ready HTTP/1.1\r\nHost: t\r\n\r\n"
    missing = b"GET /v2/nothing HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"
    with zoo.connect() as sock:
        sock.sendall(post(INFER, add_sub_body()) * 20 + ready + missing)
        received = until_eof(sock).decode()
    statuses = [int(line.split()[1]) for line in received.splitlines() if "HTTP/1.1 " in line]
    assert statuses == [200] * 21 + [404]


def test_a_request_in_single_bytes(zoo: Server):
    with zoo.connect() as sock:
        for byte in post(INFER, add_sub_body()):
            sock.sendall(bytes([byte]))
        status, _, body = read_response(sock)
    assert status == 200
    assert sums(body) == [2, 4, 6, 8]


@pytest.mark.parametrize("size", [1, 7, 4096])
def test_chunked_request(zoo: Server, size: int):
    body = add_sub_body()
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(part), part)
        for part in (body[i : i + size] for i in range(0, len(body), size))
    )
    head = f"POST {INFER} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    with zoo.connect() as sock:
        sock.sendall(head + chunks + b"0\r\nTrailer: yes\r\n\r\n")
        status, _, answer = read_response(sock)
        assert status == 200, answer
        sock.sendall(post(INFER, body))
        assert read_response(sock)[0] == 200


def test_expect_100_continue(zoo: Server):
    request = post(INFER, add_sub_body(), "Expect: 100-continue")
    head, _, body = request.partition(b"\r\n\r\n")
    with zoo.connect() as sock:
        sock.sendall(head + b"\r\n\r\n")
        interim = b"HTTP/1.1 100 Continue\r\n\r\n"
        received = b""
        while len(received) < len(interim):
            received += sock.recv(len(interim) - len(received))
        assert received == interim
        sock.sendall(body)
        assert read_response(sock)[0] == 200


def test_http_1_0_closes_after_the_answer(zoo: Server):
    with zoo.connect() as sock:
        sock.sendall(post(INFER, add_sub_body()).replace(b"HTTP/1.1", b"HTTP/1.0"))
        received = until_eof(sock)
    assert received.startswith(b"HTTP/1.0 200 OK\r\n")
    assert sums(received.partition(b"\r\n\r\n")[2]) == [2, 4, 6, 8]


def test_http_1_0_keep_alive(zoo: Server):
    request = post(INFER, add_sub_body(), "Connection: keep-alive")
    with zoo.connect() as sock:
        for _ in range(2):
            sock.sendall(request.replace(b"HTTP/1.1", b"HTTP/1.0"))
            status, headers, _ = read_response(sock)
            assert status == 200
            assert headers["connection"].lower() == "keep-alive"


def test_head_has_no_body(zoo: Server):
    with zoo.connect() as sock:
        sock.sendall(b"HEAD /v2/health/live HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
        received = until_eof(sock)
    assert received.split(b"\r\n")[0].startswith(b"HTTP/1.1 ")
    assert received.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress)]
)
def test_compressed_requests(zoo: Server, encoding: str, compress):
    body = compress(add_sub_body())
    status, answer = zoo.call("POST", INFER, body, {"Content-Encoding": encoding})
    assert status == 200, answer
    assert sums(answer) == [2, 4, 6, 8]


@pytest.mark.parametrize(
    ("encoding", "decompress"), [("gzip", gzip.decompress), ("deflate", zlib.decompress)]
)
def test_compressed_answers(zoo: Server, encoding: str, decompress):
    with zoo.connect() as sock:
        sock.sendall(post(INFER, add_sub_body(), f"Accept-Encoding: {encoding}"))
        status, headers, body = read_response(sock)
    assert status == 200
    assert headers["content-encoding"] == encoding
    assert sums(decompress(body)) == [2, 4, 6, 8]


def test_http2_cleartext(zoo: Server):
    url = f"http://127.0.0.1:{zoo.http}"
    flag = "--http2-prior-knowledge"
    answer = curl(flag, "--data-binary", add_sub_body().decode(), url + INFER)
    assert sums(answer.encode()) == [2, 4, 6, 8]
    shown = curl(flag, "-o", "/dev/null", "-w", "%{http_version} %{http_code}", url + "/v2/nope")
    assert shown == "2 404"


def test_http2_and_gzip(zoo: Server):
    answer = curl(
        *("--http2-prior-knowledge", "--compressed", "--data-binary", add_sub_body().decode()),
        f"http://127.0.0.1:{zoo.http}{INFER}",
    )
    assert sums(answer.encode()) == [2, 4, 6, 8]


def test_http2_large_upload(zoo: Server, tmp_path: Path):
    payload = tmp_path / "payload"
    payload.write_bytes(b"\x00\x00\x80\x3f" * (2 << 20))
    size = curl(
        *("--http2-prior-knowledge", "--data-binary", f"@{payload}", "-o", "/dev/null"),
        *("-H", "Inference-Header-Content-Length: 0", "-w", "%{http_code} %{size_download}"),
        f"http://127.0.0.1:{zoo.http}/v2/models/identity_FP32/infer",
    )
    status, downloaded = size.split()
    assert status == "200"
    assert int(downloaded) > payload.stat().st_size


@pytest.mark.parametrize("flag", ["--http1.1", "--http2-prior-knowledge"])
def test_http_on_the_grpc_port(zoo: Server, flag: str):
    url = f"http://127.0.0.1:{zoo.grpc}"
    answer = curl(flag, "--data-binary", add_sub_body().decode(), url + INFER)
    assert sums(answer.encode()) == [2, 4, 6, 8]


def test_half_closed_client_gets_its_answer(zoo: Server):
    with zoo.connect() as sock:
        sock.sendall(post(INFER, add_sub_body()))
        sock.shutdown(1)
        received = until_eof(sock)
    assert received.startswith(b"HTTP/1.1 200 OK\r\n")
