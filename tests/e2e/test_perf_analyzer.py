"""NVIDIA's perf_analyzer, a stock load generator, drives the server on both protocols."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from e2e.harness import Server

FOLDER = Path(__file__).parents[2] / "build" / "perf-analyzer"


def perf_analyzer() -> tuple[str, dict[str, str]]:
    binary = FOLDER / "bin" / "perf_analyzer"
    assert binary.exists(), f"expected {binary}: `make test-e2e` puts it there"
    cuda = FOLDER / "nvidia" / "cuda_runtime" / "lib"
    return str(binary), {**os.environ, "LD_LIBRARY_PATH": str(cuda)}


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("extra", [["--async"], ["--sync"], ["--streaming", "--async"]], ids=str)
def test_perf_analyzer(zoo: Server, protocol: str, extra: list[str]):
    if protocol == "http" and "--streaming" in extra:
        extra = ["--sync", "--shape", "a:4"]
    binary, environment = perf_analyzer()
    command = [binary, "-m", "add_sub", "-i", protocol, "-u", f"127.0.0.1:{getattr(zoo, protocol)}"]
    command += ["--concurrency-range", "4", "--measurement-mode", "count_windows", *extra]
    command += ["--measurement-request-count", "200", "-s", "999", "-r", "10", "-b", "2"]
    result = subprocess.run(
        command, env=environment, text=True, capture_output=True, timeout=100, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Throughput:" in result.stdout
