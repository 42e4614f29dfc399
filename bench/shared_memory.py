"""System shared memory beside sockets, pytriton beside nvidia-pytriton, with one stock client.

    python bench/shared_memory.py [--seconds 2] [--rounds 3] [--cycles 10000] [--peer-python PYTHON]

Each cell is the median of the rounds; the rounds of all cells alternate. Every answer's first and
last elements are compared. Needs tritonclient[http].
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

import numpy as np
import processes
import tritonclient.http as triton

from pytriton.exceptions import PyTritonError
from pytriton.shared_memory import (
    CudaRegion,
    Region,
    RegionTensor,
    SystemRegion,
    place_input,
    place_output,
)

SCRIPT = Path(__file__).parent / "servers" / "shared_memory_server.py"
MIB = 1 << 20
START_SECONDS = 90
WARM_CALLS = 2


class Cell(NamedTuple):
    """One row's place in the table."""

    size: int
    concurrency: int
    server: str
    way: str


def _environment(python: str) -> dict[str, str]:
    """Ours; a peer must not find the wrong `pytriton` by it."""
    hidden = () if python == sys.executable else ("PYTHONPATH", "PYTHONHOME")
    return {name: value for name, value in os.environ.items() if name not in hidden}


class Server:
    """A server process, ready; use as a context manager."""

    def __init__(self, name: str, python: str) -> None:
        sockets = [socket.socket() for _ in range(3)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in sockets]
        for one in sockets:
            one.close()
        self.name = name
        self.url = f"127.0.0.1:{ports[0]}"
        options = [
            f"--{kind}-port={port}" for kind, port in zip(("http", "grpc", "metrics"), ports)
        ]
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - kept for life
        self.process = subprocess.Popen(
            [python, str(SCRIPT), *options],
            stdout=self.log,
            stderr=self.log,
            env=_environment(python),
            start_new_session=True,
        )
        end = time.monotonic() + START_SECONDS
        while not self._is_ready():
            if time.monotonic() > end or self.process.poll() is not None:
                self.log.seek(0)
                raise RuntimeError(f"{name} did not start:\n{self.log.read().decode()[-3000:]}")
            time.sleep(0.05)

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://{self.url}/v2/models/Same/ready") as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def call_through_regions(
    client: triton.InferenceServerClient, source: RegionTensor, target: RegionTensor
) -> None:
    given = place_input(triton.InferInput("IN", list(source.shape), "FP32"), source)
    wanted = place_output(triton.InferRequestedOutput("OUT"), target)
    client.infer("Same", [given], outputs=[wanted])


def call_through_socket(client: triton.InferenceServerClient, data: np.ndarray) -> np.ndarray:
    given = triton.InferInput("IN", list(data.shape), "FP32")
    given.set_data_from_numpy(data)
    return client.infer("Same", [given]).as_numpy("OUT")


class Round:
    """One round of one cell: the time counts when every client has touched all of its memory."""

    def __init__(self, clients: int, seconds: float) -> None:
        self.seconds = seconds
        self.are_warm = threading.Barrier(clients + 1, timeout=60)
        self.counts: list[int] = []


def work(cell: Cell, url: str, measured: Round) -> None:
    """One client: calls twice to warm up, then until the time is over, and adds how often."""
    data = np.random.default_rng(0).random((1, cell.size // 4), np.float32)
    with triton.InferenceServerClient(url) as client, SystemRegion(2 * cell.size) as region:
        source = region.write(data)
        target = region.reserve("FP32", data.shape, offset=cell.size)
        found = region.view(target)
        if cell.way == "region":
            region.register(client)
        count = -WARM_CALLS
        until = math.inf
        while time.monotonic() < until:
            if count == 0:
                measured.are_warm.wait()
                until = time.monotonic() + measured.seconds
            if cell.way == "region":
                call_through_regions(client, source, target)
            else:
                found = call_through_socket(client, data)
            assert found[0, 0] == data[0, 0]
            assert found[0, -1] == data[0, -1]
            count += 1
        measured.counts.append(count)


def measure(cell: Cell, url: str, seconds: float) -> float:
    """Calls a second of one cell."""
    measured = Round(cell.concurrency, seconds)
    clients = [
        threading.Thread(target=work, args=(cell, url, measured)) for _ in range(cell.concurrency)
    ]
    for client in clients:
        client.start()
    measured.are_warm.wait()
    begin = time.monotonic()
    for client in clients:
        client.join()
    if len(measured.counts) != cell.concurrency:
        raise RuntimeError(f"a client of {cell} failed")
    return sum(measured.counts) / (time.monotonic() - begin)


def cycle(server: Server, cycles: int, kind: type[Region]) -> str:
    """Registers and unregisters again and again; tells what the server has grown by."""
    with triton.InferenceServerClient(server.url) as client, kind(MIB) as region:

        def run(count: int) -> tuple[int, int]:
            for _ in range(count):
                region.register(client)
                region.unregister(client)
            root = server.process.pid
            return processes.private_bytes(root), processes.descriptors(root)

        memory, descriptors = run(cycles // 10)  # warm
        after_memory, after_descriptors = run(cycles)
    grown = (after_memory - memory) / 1024
    return (
        f"{cycles} register/unregister cycles, {kind.kind}: private memory {grown:+.0f} KiB, "
        f"descriptors {after_descriptors - descriptors:+d}"
    )


def print_table(results: dict[Cell, list[float]], names: list[str]) -> None:
    print("| size | clients | server | region, calls/s | socket, calls/s | region/socket |")
    print("|---|---|---|---|---|---|")
    median = {cell: statistics.median(rates) for cell, rates in results.items()}
    for size, concurrency in dict.fromkeys((cell.size, cell.concurrency) for cell in results):
        for name in names:
            region = median[Cell(size, concurrency, name, "region")]
            plain = median[Cell(size, concurrency, name, "socket")]
            print(
                f"| {size // MIB} MiB | {concurrency} | {name} | {region:.0f} | {plain:.0f} "
                f"| {region / plain:.1f} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2, help="of one round of one cell")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cycles", type=int, default=10000, help="of registering")
    parser.add_argument("--peer-python", help="interpreter that has nvidia-pytriton")
    options = parser.parse_args()
    pythons = {"pytriton": sys.executable}
    if options.peer_python:
        pythons["nvidia-pytriton"] = options.peer_python
    servers = {name: Server(name, python) for name, python in pythons.items()}
    try:
        # Before the servers have memory to give back.
        print(cycle(servers["pytriton"], options.cycles, SystemRegion))
        try:
            print(cycle(servers["pytriton"], options.cycles, CudaRegion))
        except PyTritonError as error:
            print(f"no cycles of device memory: {error}")
        cells = [
            Cell(size, concurrency, name, way)
            for size, concurrency, name, way in itertools.product(
                (MIB, 16 * MIB), (1, 4), servers, ("region", "socket")
            )
        ]
        results: dict[Cell, list[float]] = {cell: [] for cell in cells}
        for _ in range(options.rounds):
            for cell in cells:
                rate = measure(cell, servers[cell.server].url, options.seconds)
                results[cell].append(rate)
        print_table(results, list(servers))
    finally:
        for server in servers.values():
            server.__exit__()


if __name__ == "__main__":
    main()
