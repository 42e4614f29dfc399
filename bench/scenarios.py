"""What is measured beside the cells: start-up, overload, idle and vanishing clients, logging."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import processes
from load_tool import LoadError, LoadTool
from servers import PEER, PYTRITON, Kind, Server

LOG_LEVELS = (0, 1, 4)
LOG_ROUNDS = 4  # loads of one level for each round of the benchmark
IDLE_CONNECTIONS = 1000
VANISHING = 256
SLEEPING_BATCH = 32  # as in servers/triton_server.py
SLEEP_SECONDS = 0.005
SETTLE_SECONDS = 10.0
STEADY_SECONDS = 0.5


@dataclass(frozen=True)
class Bench:
    """What every scenario needs.

    Attributes:
        pythons: interpreter of each kind, by its name.
        rounds: repetitions where a scenario has any.
        seconds: of one load.
        overload_seconds: of the load at twice the capacity.
        say: prints progress.
    """

    tool: LoadTool
    pythons: dict[str, Path]
    rounds: int
    seconds: float
    overload_seconds: float
    say: Callable[[str], None]

    def start(self, kind: Kind, *options: str) -> Server:
        """Starts a server of that kind."""
        return Server(kind, self.pythons[kind.name], options).start(self.tool)


def start_and_memory(bench: Bench, kind: Kind) -> dict:
    """Start to first right answer, PSS after a small load, time to stop; one start a round."""
    starts, memories, stops = [], [], []
    for _ in range(bench.rounds):
        server = bench.start(kind)
        try:
            for protocol in kind.protocols:
                bench.tool.run(server.target(protocol), concurrency=16, duration=1, warmup=0)
            memories.append(processes.pss_bytes(server.pid))
            starts.append(server.start_seconds)
        finally:
            stops.append(server.stop())
    return {
        "start_seconds": statistics.median(starts),
        "pss_bytes": statistics.median(memories),
        "stop_seconds": statistics.median(stops),
    }


def overload(bench: Bench, server: Server, protocol: str) -> dict:
    """Goodput at twice the capacity: 5 ms a batch of 32, at most 64 requests wait."""
    target = server.target(protocol, "Sleep")
    peak = server.measure(bench.tool, target, concurrency=64, duration=bench.seconds, warmup=0.5)
    result = server.measure(
        bench.tool,
        target,
        concurrency=1024,
        rate=round(2 * peak["rate"]),
        duration=bench.overload_seconds,
        warmup=1,
    )
    return {
        "peak_rate": peak["rate"],
        "asked_rate": result["rate_asked"],
        "goodput": result["rate"],
        "share": result["rate"] / peak["rate"] if peak["rate"] else 0.0,
        "refused": result["refused"],
        "not_started": result["not_started"],
        "p50_us": result["p50_us"],
        "p99_us": result["p99_us"],
    }


def sleeping(bench: Bench, server: Server, protocol: str) -> dict:
    """A callable that sleeps 5 ms, 32 in flight: with perfect batches 6,400 a second, p50 5 ms."""
    result = server.measure(
        bench.tool,
        server.target(protocol, "Sleep"),
        concurrency=SLEEPING_BATCH,
        duration=bench.seconds,
        warmup=0.5,
    )
    result["share_of_perfect"] = result["rate"] / (SLEEPING_BATCH / SLEEP_SECONDS)
    return result


def idle_connections(bench: Bench, server: Server) -> dict:
    """HTTP, 64 in flight, alone and beside 1,000 idle keep-alive connections, interleaved."""
    rates: dict[int, list[float]] = {0: [], IDLE_CONNECTIONS: []}
    p99s: dict[int, list[float]] = {0: [], IDLE_CONNECTIONS: []}
    closed = 0
    for _ in range(bench.rounds):
        for idle in rates:
            result = server.measure(
                bench.tool,
                server.target("http"),
                concurrency=64,
                idle_connections=idle,
                duration=bench.seconds,
                warmup=0.5,
            )
            rates[idle].append(result["rate"])
            p99s[idle].append(result["p99_us"])
            closed += result["idle_closed"]
    alone, beside = (statistics.median(values) for values in rates.values())
    return {
        "rate_alone": alone,
        "rate_beside": beside,
        "p99_alone_us": statistics.median(p99s[0]),
        "p99_beside_us": statistics.median(p99s[IDLE_CONNECTIONS]),
        "closed": closed,
    }


def _steady(read: Callable[[], int]) -> int:
    """Reads until the value has stayed the same for half a second, for ten seconds at most."""
    end = time.monotonic() + SETTLE_SECONDS
    value = read()
    same_since = time.monotonic()
    while time.monotonic() < min(end, same_since + STEADY_SECONDS):
        time.sleep(0.05)
        now = read()
        if now != value:
            value, same_since = now, time.monotonic()
    return value


def vanishing(bench: Bench, server: Server, protocol: str) -> dict:
    """Clients that drop their connections with 256 requests under way, again and again."""
    before = _steady(lambda: processes.descriptors(server.pid))
    pss_before = processes.pss_bytes(server.pid)
    totals = {"vanished": 0, "vanish_rounds": 0}
    try:
        for model in ("AddSub", "Sleep"):
            result = server.measure(
                bench.tool,
                server.target(protocol, model),
                concurrency=VANISHING,
                connections=4,
                vanish_after=3,
                duration=bench.seconds,
            )
            for name in totals:
                totals[name] += result[name]
    except LoadError as error:
        return {**totals, "is_alive": False, "fault": str(error)}
    after = _steady(lambda: processes.descriptors(server.pid))
    return {
        **totals,
        "is_alive": True,
        "descriptors_left": after - before,
        "pss_growth_bytes": processes.pss_bytes(server.pid) - pss_before,
    }


def logging_cost(bench: Bench) -> dict:
    """Requests per second at each --log-verbose level, servers side by side, interleaved.

    One load tells nothing here: two of the same server differ by more than the cost in question. So
    the loads are short and many, and their order changes from round to round.
    """
    servers: dict[int, Server] = {}
    rates: dict[tuple[str, int], list[float]] = {}
    spent: dict[tuple[str, int], list[float]] = {}
    try:
        for level in LOG_LEVELS:
            servers[level] = bench.start(PYTRITON, "--log-verbose", str(level))
        for turn in range(LOG_ROUNDS * bench.rounds):
            first = turn % len(LOG_LEVELS)
            for protocol in ("grpc", "http"):
                for level in LOG_LEVELS[first:] + LOG_LEVELS[:first]:
                    result = servers[level].measure(
                        bench.tool,
                        servers[level].target(protocol),
                        concurrency=64,
                        duration=bench.seconds / LOG_ROUNDS,
                        warmup=0.1,
                    )
                    rates.setdefault((protocol, level), []).append(result["rate"])
                    spent.setdefault((protocol, level), []).append(result["server_cpu"])
    finally:
        for server in servers.values():
            server.stop()
    costs = {}
    for (protocol, level), values in rates.items():
        cpu, quiet_cpu = (statistics.median(spent[(protocol, at)]) for at in (level, 0))
        costs[f"{protocol} level {level}"] = {
            "rate": statistics.median(values),
            "cost": 1 - statistics.median(values) / statistics.median(rates[(protocol, 0)]),
            "cpu_cost": cpu / quiet_cpu - 1,
        }
    return costs


Record = Callable[[str, Kind, Callable[[], dict]], None]


def _run_on_one_server(bench: Bench, kind: Kind, record: Record) -> None:
    """The scenarios that share a server with the bounded model."""
    with bench.start(kind, "--slow-model") as server:
        for protocol in ("grpc", "http"):
            record(f"sleep {protocol}", kind, lambda p=protocol: sleeping(bench, server, p))
            record(f"overload {protocol}", kind, lambda p=protocol: overload(bench, server, p))
        record("idle", kind, lambda: idle_connections(bench, server))
        for protocol in ("http", "grpc"):  # gRPC last: Triton 2.51 may not survive it
            record(f"vanish {protocol}", kind, lambda p=protocol: vanishing(bench, server, p))


def run_all(bench: Bench) -> dict:
    """Every scenario for pytriton and, where it says something, for PyTriton.

    Returns:
        By scenario, then by server: its figures, or `fault` with the reason why there are none.
    """
    results: dict[str, dict] = {}

    def record(name: str, kind: Kind, measured: Callable[[], dict]) -> None:
        bench.say(f"  {name}, {kind.name}")
        try:
            results.setdefault(name, {})[kind.name] = measured()
        except LoadError as error:
            results[name][kind.name] = {"fault": str(error)}

    kinds = [kind for kind in (PYTRITON, PEER) if kind.name in bench.pythons]
    for kind in kinds:
        record("start", kind, lambda kind=kind: start_and_memory(bench, kind))
    for kind in kinds:
        try:
            _run_on_one_server(bench, kind, record)
        except LoadError as error:
            results.setdefault("server", {})[kind.name] = {"fault": str(error)}
    record("log", PYTRITON, lambda: logging_cost(bench))
    return results
