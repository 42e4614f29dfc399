"""The same model.py in pytriton and in Triton 2.51 (of nvidia-pytriton), interleaved in one run.

    python bench/worker.py [--quick] [--rounds 5] [--seconds 3] [--peer-python PYTHON] [--no-peer]

Prints tables: throughput and latency over gRPC, what loads and unloads cost, what a model pays for
a call of Logger, Metric and is_cancelled, and how a load fares when its workers are killed.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import load_tool
import processes
from load_tool import LoadTool, Target
from repository_servers import (
    RepositoryServer,
    pytriton_command,
    triton_command,
    write_model,
)
from rows import head, row
from servers import PEER, echo_server, install

OURS, TRITON = "pytriton", "triton"
CONFIG = """
backend: "python"
input {{ name: "X" data_type: TYPE_FP32 dims: {dims} }}
output {{ name: "Y" data_type: TYPE_FP32 dims: {dims} }}
instance_group {{ count: {instances} kind: KIND_CPU }}
{more}
"""
PLAIN = CONFIG.format(dims="[ -1, -1 ]", instances=1, more="")
BATCHED = CONFIG.format(dims="[ -1 ]", instances=1, more="max_batch_size: 64 dynamic_batching {}")
KILLED = CONFIG.format(dims="[ -1, -1 ]", instances=2, more="")
MODELS = {
    "plain": ("identity.py", PLAIN),
    "batched": ("identity.py", BATCHED),
    "computed": ("computed.py", PLAIN),
    "costs": ("costs.py", PLAIN),
    "killed": ("identity.py", KILLED),
    "trivial": ("identity.py", PLAIN),
}
LOADED = ("plain", "batched", "computed", "costs")  # from the start; the others by their tests
FLOATS_OF_1_MB = 262144
KILL_SECONDS = 0.5


@dataclass(frozen=True)
class Cell:
    """One load.

    Attributes:
        key: the figure that counts: `rate` or `p50_us`.
        goal: what pytriton's must be, as a multiple of Triton's.
    """

    name: str
    model: str
    concurrency: int
    elements: int
    key: str
    goal: float


CELLS = (
    Cell("16 floats, c=64, no batcher", "plain", 64, 16, "rate", 3),
    Cell("16 floats, c=64, dynamic batcher", "batched", 64, 16, "rate", 8),
    Cell("16 floats, c=1", "plain", 1, 16, "p50_us", 1 / 2),
    Cell("1 MB, c=1", "plain", 1, FLOATS_OF_1_MB, "rate", 4),
    Cell("1 MB, c=4", "plain", 4, FLOATS_OF_1_MB, "rate", 4),
    Cell("1 MB, c=4, computed", "computed", 4, FLOATS_OF_1_MB, "rate", 4),
    Cell("16 MB, c=1", "plain", 1, 16 * FLOATS_OF_1_MB, "rate", 4),
    Cell("16 MB, c=2", "plain", 2, 16 * FLOATS_OF_1_MB, "rate", 4),
    Cell("16 MB, c=2, computed", "computed", 2, 16 * FLOATS_OF_1_MB, "rate", 4),
)
CALLS = ("Logger.log_info", "Logger.log_verbose (off)", "increment", "set", "is_cancelled")
LARGEST_CALL_US = 5.0
GOALS_S = {"load": 0.3, "unload": 0.1}


def met(is_met: bool) -> str:
    return "met" if is_met else "**MISSED**"


def measure(tool: LoadTool, server: RepositoryServer, cell: Cell, seconds: float) -> dict:
    """One load, with the server's CPU seconds for 10,000 requests as `cpu`."""
    before = processes.cpu_seconds(server.pid)
    result = tool.run(
        server.target(cell.model),
        identity="X,Y",
        concurrency=cell.concurrency,
        elements=cell.elements,
        duration=seconds,
        warmup=seconds / 4,
    )
    spent = processes.cpu_seconds(server.pid) - before
    result["cpu"] = spent / max(result["ended"], 1) * 1e4
    return result


@contextmanager
def paused(servers: list[RepositoryServer]) -> Iterator[None]:
    """Idle servers wake up and disturb the one whose turn it is."""
    for server in servers:
        server.pause()
    try:
        yield
    finally:
        for server in servers:
            server.resume()


def echo_rate(tool: LoadTool, port: int, cell: Cell, seconds: float) -> str:
    """Answers a second of a server that only sends back what it gets; "" for small requests."""
    if cell.elements < FLOATS_OF_1_MB:
        return ""
    options = {"identity": "X,Y", "concurrency": cell.concurrency, "elements": cell.elements}
    target = Target("raw", f"127.0.0.1:{port}")
    return f"{tool.run(target, duration=seconds, warmup=seconds / 4, **options)['rate']:,.0f}"


def cells(tool: LoadTool, servers: list[RepositoryServer], rounds: int, seconds: float) -> None:
    texts = [f"{s.name}: answers/s, p50/p99 ms, CPU s/10k" for s in servers]
    head("load", *texts, "bare echo: answers/s", "ratio")
    for cell in CELLS:
        runs: dict[str, list[dict]] = {server.name: [] for server in servers}
        for _ in range(rounds):
            for server in servers:
                with paused([other for other in servers if other is not server]):
                    runs[server.name].append(measure(tool, server, cell, seconds))
        with paused(servers), echo_server() as port:
            echo = echo_rate(tool, port, cell, seconds)
        columns = []
        for results in runs.values():
            rate, p50, p99, cpu = (
                statistics.median(result[key] for result in results)
                for key in ("rate", "p50_us", "p99_us", "cpu")
            )
            columns.append(f"{rate:,.0f}, {p50 / 1e3:.3g}/{p99 / 1e3:.3g}, {cpu:.2f}")
        row(cell.name, *columns, echo, ratio_text(cell, runs))


def ratio_text(cell: Cell, runs: dict[str, list[dict]]) -> str:
    if TRITON not in runs:
        return ""
    pairs = zip(runs[OURS], runs[TRITON])
    ratio = statistics.median(ours[cell.key] / theirs[cell.key] for ours, theirs in pairs)
    if cell.key == "rate":
        return f"{ratio:.1f}x (>= {cell.goal:g}x: {met(ratio >= cell.goal)})"
    return f"p50 {ratio:.2f} of Triton's (<= {cell.goal:g}: {met(ratio <= cell.goal)})"


def loads(servers: list[RepositoryServer], cycles: int) -> None:
    head("trivial model.py", *[f"{s.name}: median (worst) s" for s in servers], "goal")
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(cycles):
        for server in servers:
            times.setdefault(("load", server.name), []).append(server.load("trivial"))
            times.setdefault(("unload", server.name), []).append(server.unload("trivial"))
    for verb, goal in GOALS_S.items():
        columns = []
        for server in servers:
            of_verb = times[verb, server.name]
            columns.append(f"{statistics.median(of_verb):.3f} ({max(of_verb):.3f})")
        ours = statistics.median(times[verb, OURS])
        row(verb, *columns, f"<= {goal} s: {met(ours <= goal)}")


def calls(servers: list[RepositoryServer], count: int) -> None:
    head("call in a model", *[f"{s.name}, us" for s in servers], "goal")
    times = {server.name: server.ask("costs", count) for server in servers}
    for number, name in enumerate(CALLS):
        columns = [f"{times[server.name][number] / 1e3:.2f}" for server in servers]
        is_met = times[OURS][number] / 1e3 < LARGEST_CALL_US
        row(name, *columns, f"< {LARGEST_CALL_US:g} us: {met(is_met)}")


def workers_of(server: RepositoryServer) -> list[int]:
    return [pid for pid in processes.tree(server.pid) if processes.runs(pid, "_worker.py")]


def kills(tool: LoadTool, server: RepositoryServer, seconds: float) -> None:
    """A random worker is killed twice a second; the load tool waits for every answer."""
    for model in LOADED:
        server.unload(model)
    server.load("killed")
    stop = threading.Event()
    count = 0

    def kill() -> None:
        nonlocal count
        while not stop.wait(KILL_SECONDS):
            victims = workers_of(server)
            count += bool(victims) and processes.kill(random.choice(victims))

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        options = {"concurrency": 16, "duration": seconds, "warmup": 0}
        target = server.target("killed")
        result = tool.run(target, may_fail=True, identity="X,Y", **options)
    finally:
        stop.set()
        killer.join()
    head("workers killed", "right answers", "clear errors", "wrong", "p99 ms", "slowest ms")
    times_ms = (f"{result['p99_us'] / 1e3:.1f}", f"{result['max_us'] / 1e3:.0f}")
    errors = result["failed"] + result["refused"]
    row(count, result["right"], errors, result["wrong"], *times_ms)
    if result["first_fault"]:
        print(f"\nThe first error: {result['first_fault']!r}")


@contextmanager
def started(options: argparse.Namespace) -> Iterator[list[RepositoryServer]]:
    """The servers, each with the models loaded that the cells use."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pytriton-bench-")))
        for name, (source, config) in MODELS.items():
            write_model(folder / "models", name, source, config)
        commands = {OURS: pytriton_command()}
        if not options.no_peer:
            peer = Path(options.peer_python) if options.peer_python else install(PEER)
            commands[TRITON] = triton_command(peer, folder)
        servers = []
        for name, (command, environment) in commands.items():
            server = RepositoryServer(name, command, environment, folder / "models")
            servers.append(stack.enter_context(server))
            for model in LOADED:
                server.load(model)
        yield servers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few and short rounds")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of one load")
    parser.add_argument("--peer-python", help="interpreter (3.11) that has nvidia-pytriton")
    parser.add_argument("--no-peer", action="store_true", help="measure pytriton alone")
    parser.add_argument("--only", choices=("cells", "loads", "calls", "kills"))
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = min(options.rounds, 2), min(options.seconds, 1.0)
    tool = LoadTool(load_tool.build())
    with started(options) as servers:
        begin = time.monotonic()
        if options.only in (None, "cells"):
            cells(tool, servers, options.rounds, options.seconds)
        if options.only in (None, "loads"):
            loads(servers, 3 if options.quick else 10)
        if options.only in (None, "calls"):
            calls(servers, 2000)
        if options.only in (None, "kills"):
            kills(tool, servers[0], 4 if options.quick else 20)
        print(f"\n{time.monotonic() - begin:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
