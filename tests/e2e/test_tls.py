"""TLS on the gRPC port: stock clients and ours, mutual, renewal, and peers that mean no good."""

from __future__ import annotations

import os
import queue
import random
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
import tritonclient.grpc
import trustme

from collector import collecting
from e2e.harness import SERVERS, Server, add_sub_body, read_response, until_eof, wait_until
from pytriton.client import DecoupledModelClient, ModelClient

LARGE = np.arange(4 << 20, dtype=np.float32)[None]  # 16 MB


class Certificates:
    """An authority, what it signed, and a stranger's; as files."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.authority = trustme.CA()
        self.stranger = trustme.CA()
        self.authority.cert_pem.write_to_path(str(folder / "authority.pem"))
        self.stranger.cert_pem.write_to_path(str(folder / "stranger.pem"))
        self.issue("server", self.authority)
        self.issue("client", self.authority)
        self.issue("strange_client", self.stranger)

    def issue(self, name: str, authority: trustme.CA) -> None:
        made = authority.issue_cert("localhost", "127.0.0.1")
        for ending, blob in (("pem", made.cert_chain_pems[0]), ("key", made.private_key_pem)):
            blob.write_to_path(str(self.folder / "new"))
            os.replace(self.folder / "new", self.folder / f"{name}.{ending}")

    def path(self, name: str) -> str:
        return str(self.folder / name)

    def text(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def options(self, *more: str) -> list[str]:
        pair = ["--grpc-server-cert", self.path("server.pem")]
        pair += ["--grpc-server-key", self.path("server.key")]
        return ["--grpc-use-ssl", "true", *pair, *more]

    def mutual(self) -> list[str]:
        return self.options(
            "--grpc-use-ssl-mutual", "true", "--grpc-root-cert", self.path("authority.pem")
        )

    def context(self, client: str = "", root: str = "authority") -> ssl.SSLContext:
        """A client's; with the certificate named so."""
        context = ssl.create_default_context(cafile=self.path(f"{root}.pem"))
        if client:
            context.load_cert_chain(self.path(f"{client}.pem"), self.path(f"{client}.key"))
        return context


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


def serve(app: str, folder: Path, *options: str) -> Iterator[Server]:
    server = Server(app, folder, *options).wait_ready()
    yield server
    assert server.process.poll() is None, f"the server died:\n{server.log}"
    code = server.stop()
    assert code == 0, f"exit code {code}:\n{server.log}"


@pytest.fixture(scope="module")
def server(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("tls")
    options = certificates.options("--header-timeout-secs", "2", "--log-verbose", "1")
    yield from serve("zoo.py", folder, *options)


@pytest.fixture(scope="module")
def mutual(certificates: Certificates, tmp_path_factory: pytest.TempPathFactory):
    yield from serve("zoo.py", tmp_path_factory.mktemp("mutual"), *certificates.mutual())


@pytest.fixture
def client(server: Server, certificates: Certificates):
    with tritonclient.grpc.InferenceServerClient(
        f"localhost:{server.grpc}", ssl=True, root_certificates=certificates.path("authority.pem")
    ) as made:
        yield made


def identity(client: tritonclient.grpc.InferenceServerClient, array: np.ndarray) -> np.ndarray:
    tensor = tritonclient.grpc.InferInput("IN", array.shape, "FP32")
    tensor.set_data_from_numpy(array)
    return client.infer("identity_FP32", [tensor]).as_numpy("OUT")


def connect(server: Server, context: ssl.SSLContext) -> ssl.SSLSocket:
    return context.wrap_socket(server.connect(server.grpc), server_hostname="localhost")


def curl(server: Server, certificates: Certificates, *arguments: str) -> str:
    command = ["curl", "-sS", "--max-time", "30", "--cacert", certificates.path("authority.pem")]
    command += [*arguments, f"https://localhost:{server.grpc}/v2/health/ready"]
    command += ["--write-out", "%{http_code} %{http_version}"]
    done = subprocess.run(command, text=True, capture_output=True, check=False)
    return done.stdout or done.stderr


def test_tritonclient_with_small_and_large_tensors(client):
    assert client.is_server_ready()
    for array in (LARGE[:, :4], LARGE[:, :5000], LARGE, LARGE[:, :1]):
        assert np.array_equal(identity(client, array), array)


def test_tritonclient_streams(client):
    values: list[int] = []
    client.start_stream(lambda result, error: values.append(result.as_numpy("OUT").item()))
    tensor = tritonclient.grpc.InferInput("N", [1, 1], "INT32")
    tensor.set_data_from_numpy(np.array([[200]], np.int32))
    client.async_stream_infer("count_down", [tensor])
    client.stop_stream()  # waits for the answers
    assert values == list(range(200, 0, -1))


@pytest.mark.parametrize("flag", ["--http2", "--http1.1", "--http1.0", "--no-alpn"])
def test_curl(server: Server, certificates: Certificates, flag: str):
    versions = {"--http2": "2", "--http1.0": "1"}
    expected = f"200 {versions.get(flag, '1.1')}"
    assert curl(server, certificates, flag) == expected
    assert curl(server, certificates, flag, "--tls-max", "1.2") == expected
    assert "200" not in curl(server, certificates, flag, "--tls-max", "1.1")


def test_http1_with_a_large_body_and_pipelining(server: Server, certificates: Certificates):
    with connect(server, certificates.context()) as sock:
        shape = ",".join(map(str, LARGE.shape))
        head = (
            f'{{"inputs":[{{"name":"IN","datatype":"FP32","shape":[{shape}],"parameters":'
            f'{{"binary_data_size":{LARGE.nbytes}}}}}],"parameters":{{"binary_data_output":true}}}}'
        ).encode()
        request = (
            "POST /v2/models/identity_FP32/infer HTTP/1.1\r\nHost: t\r\n"
            f"Inference-Header-Content-Length: {len(head)}\r\n"
            f"Content-Length: {len(head) + LARGE.nbytes}\r\n\r\n"
        ).encode()
        sock.sendall(request + head + LARGE.tobytes())
        status, _, body = read_response(sock)
        assert status == 200
        assert body.endswith(LARGE.tobytes())
        small = add_sub_body()
        one = (
            "POST /v2/models/add_sub/infer HTTP/1.1\r\nHost: t\r\n"
            f"Content-Length: {len(small)}\r\n\r\n"
        ).encode()
        sock.sendall(
            (one + small) * 100 + b"GET /v2 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"
        )
        assert until_eof(sock).count(b'"name":"sum"') == 100


@pytest.mark.parametrize("scheme", ["grpcs", "https"])
def test_our_clients(server: Server, certificates: Certificates, scheme: str):
    url = f"{scheme}://localhost:{server.grpc}"
    context = certificates.context()
    with ModelClient(url, "identity_FP32", ssl_context=context) as client:
        for array in (LARGE[0, :7], LARGE[0]):
            assert np.array_equal(client.infer_sample(array)["OUT"], array)
    if scheme == "grpcs":
        with DecoupledModelClient(url, "count_down", ssl_context=context) as client:
            assert [r["OUT"].item() for r in client.infer_sample(np.int32([3]))][:3] == [3, 2, 1]


def test_an_unknown_authority_is_refused_by_the_client(server: Server, certificates: Certificates):
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(server, certificates.context(root="stranger"))
    wait_until(lambda: "TLS failed: tlsv1 alert unknown ca" in server.log, "the log to say so")


def test_mutual(mutual: Server, certificates: Certificates):
    texts = [certificates.text(f"{name}") for name in ("authority.pem", "client.key", "client.pem")]
    with tritonclient.grpc.InferenceServerClient(
        f"localhost:{mutual.grpc}",
        ssl=True,
        root_certificates=certificates.path("authority.pem"),
        private_key=certificates.path("client.key"),
        certificate_chain=certificates.path("client.pem"),
    ) as client:
        assert np.array_equal(identity(client, LARGE), LARGE)
    with grpc.secure_channel(
        f"localhost:{mutual.grpc}", grpc.ssl_channel_credentials(*texts)
    ) as channel:
        grpc.channel_ready_future(channel).result(timeout=30)
    url = f"grpcs://localhost:{mutual.grpc}"
    with ModelClient(url, "add_sub", ssl_context=certificates.context("client")) as client:
        result = client.infer_sample(*[np.float32([1, 2, 3, 4])] * 2)
        assert result["sum"].tolist() == [2, 4, 6, 8]


@pytest.mark.parametrize("name", ["", "strange_client"])
def test_mutual_takes_nobody_else(mutual: Server, certificates: Certificates, name: str):
    def ask() -> bytes:
        with connect(mutual, certificates.context(name)) as sock:
            sock.sendall(b"GET /v2/health/ready HTTP/1.1\r\nHost: t\r\n\r\n")
            return sock.recv(1000)

    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask()


def test_clear_text_is_closed_at_once(server: Server):
    for hello in (b"GET /v2 HTTP/1.1\r\nHost: t\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
        with server.connect(server.grpc) as sock:
            sock.sendall(hello)
            assert b"HTTP" not in until_eof(sock)
    assert server.get("/v2/health/live")[0] == 200  # the HTTP port speaks it, as before


def test_who_stalls_the_handshake_is_closed(server: Server, certificates: Certificates):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    half = certificates.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        half.do_handshake()
    hello = outgoing.read()
    stalled = [server.connect(server.grpc) for _ in range(20)]
    for number, sock in enumerate(stalled):
        sock.sendall(hello[: number * len(hello) // 20])
    assert curl(server, certificates, "--http1.1").startswith("200")
    for sock in stalled:  # none longer than the time limit for a head
        until_eof(sock)
        sock.close()


def test_nonsense_is_no_danger(server: Server, certificates: Certificates):
    noise = random.Random(1)
    before = server.descriptors()
    for number in range(100):
        with server.connect(server.grpc) as sock:
            record = bytes([22, 3, 1]) if number % 2 else b""
            try:
                sock.sendall(record + noise.randbytes(noise.randrange(1, 3000)))
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                continue
            until_eof(sock)
    for _ in range(20):  # and behind a good handshake
        raw = server.connect(server.grpc)
        with certificates.context().wrap_socket(raw, server_hostname="localhost") as sock:
            with socket.socket(fileno=os.dup(sock.fileno())) as below:
                below.settimeout(30)
                below.sendall(b"\x17\x03\x03\x00\x40" + noise.randbytes(64))
                until_eof(below)
    wait_until(lambda: server.descriptors() <= before, "the connections to be gone")
    assert curl(server, certificates, "--http2").startswith("200")


def test_sessions_are_resumed(server: Server, certificates: Certificates):
    context = certificates.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # its tickets come with the handshake
    with connect(server, context) as sock:
        session = sock.session
        assert not sock.session_reused
    raw = server.connect(server.grpc)
    with context.wrap_socket(raw, server_hostname="localhost", session=session) as sock:
        assert sock.session_reused


def serial(server: Server, certificates: Certificates) -> str:
    with connect(server, certificates.context()) as sock:
        return str(sock.getpeercert()["serialNumber"])


def test_a_renewed_certificate_is_used(start, tmp_path: Path):
    own = Certificates(tmp_path)
    server = start("small.py", *own.options())
    first = serial(server, own)
    with connect(server, own.context()) as old:
        (tmp_path / "server.key").write_text("broken")
        wait_until(
            lambda: serial(server, own) and "was not renewed" in server.log, "the log to say so"
        )
        assert serial(server, own) == first
        own.issue("server", own.authority)
        wait_until(lambda: serial(server, own) != first, "the new certificate")
        old.sendall(b"GET /v2/health/ready HTTP/1.1\r\nHost: t\r\n\r\n")
        assert read_response(old, "GET")[0] == 200
    assert server.stop() == 0


def test_stopping_says_goodbye(start, certificates: Certificates):
    server = start("small.py", *certificates.options("--log-verbose=1"))
    answers: queue.Queue = queue.Queue()
    with (
        tritonclient.grpc.InferenceServerClient(
            f"localhost:{server.grpc}",
            ssl=True,
            root_certificates=certificates.path("authority.pem"),
        ) as client,
        connect(server, certificates.context()) as idle,
    ):
        tensor = tritonclient.grpc.InferInput("SECONDS", [1, 1], "FP32")
        tensor.set_data_from_numpy(np.float32([[0.5]]))
        client.async_infer("sleepy", [tensor], lambda result, error: answers.put(error))
        wait_until(lambda: "infer: model 'sleepy'" in server.log, "the request to arrive")
        server.signal(signal.SIGTERM)
        assert idle.recv(1) == b""  # close_notify; an end without one would raise
        assert answers.get(timeout=30) is None
        assert server.process.wait(timeout=60) == 0


def test_a_missing_file_is_named(tmp_path: Path):
    server = Server(
        "small.py", tmp_path, "--grpc-use-ssl=1", "--grpc-server-cert=no.pem", "--grpc-server-key=k"
    )
    assert server.process.wait(timeout=60) == 1
    assert "--grpc-server-cert: expected a readable file, got: No such file" in server.log
    assert f", in {tmp_path}/no.pem" in server.log


def test_python_may_use_another_openssl_beside_it(certificates: Certificates):
    command = [sys.executable, str(SERVERS / "beside_ssl.py"), str(certificates.folder)]
    done = subprocess.run(command, text=True, capture_output=True, check=False, timeout=60)
    assert done.stdout == "fine\n", done.stderr


def trace_to(url: str) -> list[str]:
    settings = ["mode=opentelemetry", f"opentelemetry,url={url}", "level=TIMESTAMPS", "rate=1"]
    return [part for setting in settings for part in ("--trace-config", setting)]


def sleep_once(server: Server) -> None:
    tensor = {"name": "SECONDS", "datatype": "FP32", "shape": [1, 1], "data": [0]}
    assert server.infer("sleepy", tensor)[0] == 200


@pytest.mark.parametrize("root", ["authority", "stranger"])
def test_collectors_are_verified(start, certificates: Certificates, root: str):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.path("server.pem"), certificates.path("server.key"))
    believed = {"OTEL_EXPORTER_OTLP_CERTIFICATE": certificates.path(f"{root}.pem")}
    with collecting(context) as collector:
        url = f"https://localhost:{collector.server_address[1]}/v1/traces"
        server = start("small.py", *trace_to(url), environment=believed)
        sleep_once(server)
        assert server.stop() == 0
        posted = [path for path, _, body in collector.posts if b"sleepy" in body]
    if root == "authority":
        assert posted == ["/v1/traces"]
        assert "collector" not in server.log
    else:
        assert not posted
        why = "TLS failed: certificate verify failed: unable to get local issuer certificate"
        assert server.log.count(why) == 1


def test_a_missing_file_for_collectors_is_named(start, tmp_path: Path):
    missing = {"OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE": str(tmp_path / "none.pem")}
    server = start("small.py", *trace_to("https://localhost:9/v1/traces"), environment=missing)
    sleep_once(server)
    assert server.stop() == 0
    (line,) = [line for line in server.log.splitlines() if "own spans are not sent" in line]
    assert "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE: expected a readable file, got: No such" in line
