"""The repaired wheel in dist/: its size, what it holds, and that it serves in a bare environment.

Run by `make wheel`, which builds it first.
"""

from __future__ import annotations

import re
import ssl
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from e2e.harness import Server

ROOT = Path(__file__).parents[2]
MAX_BYTES = 10 << 20
TLS = ROOT / "tests" / "e2e" / "tls"  # for tests only: a key that everybody knows
# What Debian's -dev packages bring along, and our own.
OUR_LIBRARIES = re.compile(r"/lib(pytriton|nghttp2|protobuf|simdjson|spdlog|fmt|yaml)[^/]*$")


@pytest.fixture(scope="module")
def wheel() -> Path:
    wheels = sorted((ROOT / "dist").glob("pytriton-*.whl"))
    assert len(wheels) == 1, "run `make wheel`"
    return wheels[0]


@pytest.fixture(scope="module")
def bare_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fresh environment that holds the wheel and numpy, nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    subprocess.run([str(python), "-m", "pip", "install", "--quiet", str(wheel)], check=True)
    return python


def test_it_is_small(wheel: Path):
    assert wheel.stat().st_size <= MAX_BYTES


def test_it_runs_on_many_systems(wheel: Path):
    assert re.search(r"-manylinux_2_\d+_x86_64\.whl$|-manylinux_2_\d+_aarch64\.whl$", wheel.name)


@pytest.mark.parametrize(
    "pattern",
    [
        r"pytriton/py\.typed",
        r"pytriton/_core\.pyi",
        r"pytriton/_core\..*\.so",
        r"pytriton/_hot\.abi3\.so",
        r"pytriton/libpytriton\.so",
        r"pytriton/libpytriton_arena\.so",
        r"pytriton/libpytriton_tls\.so",
        r"pytriton/include/pytriton/server\.h",
        r"pytriton/lib/cmake/pytriton/pytriton-config\.cmake",
        r"pytriton/lib/cmake/pytriton/pytriton-config-version\.cmake",
        r"pytriton\.libs/libnghttp2.*",
        r"pytriton-.*\.dist-info/licenses/LICENSE",
    ],
)
def test_it_holds(wheel: Path, pattern: str):
    with zipfile.ZipFile(wheel) as archive:
        assert any(re.fullmatch(pattern, name) for name in archive.namelist()), archive.namelist()


def test_its_libraries_come_from_inside(bare_python: Path):
    """No library of a -dev package is loaded from the system: each lies in the environment."""
    script = "import pytriton._core; print(open('/proc/self/maps').read())"
    command = [str(bare_python), "-c", script]
    maps = subprocess.run(command, check=True, text=True, capture_output=True).stdout
    loaded = set(re.findall(r"(/\S+\.so\S*)$", maps, re.MULTILINE))
    ours = {path for path in loaded if OUR_LIBRARIES.search(path)}
    assert any("libpytriton.so" in path for path in ours)
    assert len(ours) > 1
    environment = str(bare_python.parents[1])
    assert not {path for path in ours if not path.startswith(environment)}


def test_it_serves(bare_python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "executable", str(bare_python))
    for name in ("PYTHONPATH", "LD_LIBRARY_PATH"):
        monkeypatch.delenv(name, raising=False)
    pair = ["--grpc-server-cert", str(TLS / "cert.pem"), "--grpc-server-key", str(TLS / "key.pem")]
    server = Server("small.py", tmp_path, "--grpc-use-ssl=1", *pair)
    try:
        server.wait_ready()
        tensor = {"name": "SECONDS", "datatype": "FP32", "shape": [1, 1], "data": [0]}
        status, answer = server.infer("sleepy", tensor)
        assert status == 200, answer
        context = ssl.create_default_context(cafile=TLS / "cert.pem")
        sock = server.connect(server.grpc)
        with context.wrap_socket(sock, server_hostname="localhost") as secured:
            secured.sendall(b"GET /v2/health/ready HTTP/1.1\r\nHost: t\r\n\r\n")
            assert secured.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert server.stop() == 0
    finally:
        server.kill()


def test_cpp_programs_build_against_it(bare_python: Path, tmp_path: Path):
    command = [str(bare_python), "-m", "pytriton.cmake"]
    prefix = subprocess.run(command, check=True, text=True, capture_output=True).stdout.strip()
    example = ROOT / "examples" / "embed_cpp"
    for command in (
        ["cmake", "-S", str(example), "-B", str(tmp_path), f"-DCMAKE_PREFIX_PATH={prefix}"],
        ["cmake", "--build", str(tmp_path)],
    ):
        result = subprocess.run(command, text=True, capture_output=True, check=False)
        assert result.returncode == 0, result.stdout + result.stderr
    result = subprocess.run([str(tmp_path / "embed_cpp")], stdin=subprocess.DEVNULL, check=False)
    assert result.returncode == 0
