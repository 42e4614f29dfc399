"""The clients beside those of nvidia-pytriton 0.7.0, on one pytriton server.

Each client runs in a process of its own, with its own interpreter; they take turns, round by round.
Prints Markdown: medians over the rounds, and medians of the ratios within a round.

    bench/clients.py --python .venv/bin/python --peer build/peers/nvidia/bin/python
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).parent
# kind, floats, calls a round, the ratio of rates to reach
CELLS = (
    ("sync", 16, 2000, 3),
    ("sync", 262144, 150, 3),
    ("asyncio", 16, 64 * 100, 5),
)


def environment_of(python: str) -> dict[str, str]:
    """Other interpreters than ours find the package that is installed in them."""
    is_ours = python == sys.executable
    return {name: value for name, value in os.environ.items() if is_ours or name != "PYTHONPATH"}


class Loop:
    """A process that measures on command."""

    def __init__(self, python: str) -> None:
        self.process = subprocess.Popen(
            [python, str(HERE / "client_loop.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment_of(python),
            cwd="/",
        )

    def measure(self, **command: object) -> dict[str, float]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self) -> None:
        self.process.communicate()


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [sock.getsockname()[1] for sock in sockets]
    for sock in sockets:
        sock.close()
    return ports


def start_server(python: str, ports: list[int]) -> subprocess.Popen[bytes]:
    command = [python, "-m", "pytriton.serve", "--log-info", "false"]
    for name, port in zip(("http", "grpc", "metrics"), ports):
        command += [f"--{name}-port", str(port), f"--{name}-address", "127.0.0.1"]
    command.append(str(HERE / "servers" / "identity.py"))
    process = subprocess.Popen(command, env=environment_of(python), cwd="/")
    for _ in range(600):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{ports[0]}/v2/health/ready").close()
            return process
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the server did not start")


def compare(loops: list[Loop], rounds: int, command: dict[str, object]) -> str:
    """One row of the table."""
    results: list[list[dict[str, float]]] = [[], []]
    for _ in range(rounds):
        for loop, found in zip(loops, results):
            found.append(loop.measure(**command))

    def median(side: int, key: str) -> float:
        return statistics.median(result[key] for result in results[side])

    def ratio(key: str) -> float:
        return statistics.median(ours[key] / theirs[key] for ours, theirs in zip(*results))

    return (
        f"{median(0, 'rate'):,.0f} | {median(1, 'rate'):,.0f} | **{ratio('rate'):.1f}x** "
        f"| {median(0, 'latency_us'):,.0f} | {median(1, 'latency_us'):,.0f} "
        f"| **{ratio('latency_us'):.2f}** "
        f"| {median(0, 'cpu_us'):,.0f} | {median(1, 'cpu_us'):,.0f}"
    )


def measure_deadline(url: str, seconds: float, calls: int = 20) -> str:
    """How late calls end whose server never answers: median and worst, in milliseconds."""
    import numpy as np

    from pytriton.client import ModelClient
    from pytriton.client.exceptions import PyTritonClientTimeoutError
    from pytriton.model_config.triton_model_config import TensorSpec, TritonModelConfig

    spec = [TensorSpec("x", (-1,), np.float32)]
    config = TritonModelConfig("m", batching=False, inputs=spec, outputs=spec)
    options = {"model_config": config, "ensure_model_is_ready": False}
    late = []
    with ModelClient(url, "m", inference_timeout_s=seconds, **options) as client:
        for _ in range(calls):
            begin = time.perf_counter()
            try:
                client.infer_sample(np.zeros(4, np.float32))
            except PyTritonClientTimeoutError:
                late.append((time.perf_counter() - begin - seconds) * 1e3)
    return f"{statistics.median(late):.1f}, worst {max(late):.1f}"


def print_deadlines() -> None:
    """With a listener whose backlog takes connections and bytes, and nobody behind it."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        for protocol in ("http", "grpc"):
            url = f"{protocol}://127.0.0.1:{silent.getsockname()[1]}"
            print(f"{protocol}: time-out of 100 ms, late by {measure_deadline(url, 0.1)} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", default=sys.executable, help="interpreter with pytriton")
    parser.add_argument("--server", help="interpreter of the server (that of --python)")
    parser.add_argument("--peer", required=True, help="interpreter with nvidia-pytriton")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=["sync", "asyncio"], help="this kind of client")
    options = parser.parse_args()
    if options.only != "asyncio":
        print_deadlines()
    ports = free_ports(3)
    server = start_server(options.server or options.python, ports)
    loops = [Loop(options.python), Loop(options.peer)]
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    columns = ("calls", "ours/s", "PyTriton/s", "ratio", "ours us", "PyTriton us", "ratio")
    print("| " + " | ".join((*columns, "our CPU us", "its CPU us")) + " |")
    print("|---" * (len(columns) + 2) + "|")
    try:
        for kind, elements, calls, target in CELLS:
            if options.only not in (None, kind):
                continue
            for protocol, port in (("http", ports[0]), ("grpc", ports[1])):
                url = f"{protocol}://127.0.0.1:{port}"
                command = {"kind": kind, "url": url, "elements": elements, "calls": calls}
                row = compare(loops, options.rounds, command)
                what = f"{kind} {protocol}, {elements * 4:,} bytes (to reach: {target}x)"
                print(f"| {what} | {row} |", flush=True)
    finally:
        for loop in loops:
            loop.close()
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
