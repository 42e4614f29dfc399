"""The benchmark: pytriton, PyPI's nvidia-pytriton and mosec under the same load, interleaved.

Prints what it does on stderr and the result as Markdown on stdout; keeps all figures as JSON in
bench/results/. bench/README.md explains them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import scenarios
import table
from cells import CELLS, Cell
from load_tool import ROOT, LoadError, LoadTool, build
from servers import KINDS, PYTRITON, Kind, Server, install

RESULTS = ROOT / "bench" / "results"


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--python", default=sys.executable, help="interpreter that has this pytriton [this one]"
    )
    parser.add_argument("--rounds", type=int, help="times each load is run [5, quick 2]")
    parser.add_argument("--seconds", type=float, help="of each load [2, quick 0.5]")
    parser.add_argument("--quick", action="store_true", help="a first impression in two minutes")
    parser.add_argument("--cells", default="", metavar="TEXT", help="only cells with TEXT in it")
    parser.add_argument("--no-cells", action="store_true", help="only the scenarios")
    parser.add_argument("--no-scenarios", action="store_true", help="only the cells")
    parser.add_argument("--no-peers", action="store_true", help="only pytriton")
    arguments = parser.parse_args()
    arguments.rounds = arguments.rounds or (2 if arguments.quick else 5)
    arguments.seconds = arguments.seconds or (0.5 if arguments.quick else 2.0)
    return arguments


def say(text: str) -> None:
    """Progress, for who waits."""
    print(text, file=sys.stderr, flush=True)


def machine() -> dict:
    """Facts about the machine and its state that the figures depend on."""
    model = platform.machine()
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
    congestion = Path("/proc/sys/net/ipv4/tcp_congestion_control")
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "libc": " ".join(platform.libc_ver()),
        "tcp_congestion_control": congestion.read_text().strip() if congestion.exists() else "",
        "load_average": os.getloadavg(),
        "commit": subprocess.run(
            ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"],
            text=True,
            capture_output=True,
            check=False,
        ).stdout.strip(),
    }


def measure_cell(cell: Cell, server: Server, tool: LoadTool, seconds: float) -> dict:
    """One load of that cell; the server goes on for it, and is paused again."""
    protocol = cell.protocol if cell.protocol in server.ports else "raw"
    server.resume()
    try:
        return server.measure(
            tool,
            server.target(protocol),
            elements=cell.elements,
            concurrency=cell.concurrency,
            duration=seconds,
            warmup=min(0.5, seconds / 2),
        )
    finally:
        server.pause()


def run_cells(arguments: argparse.Namespace, tool: LoadTool, pythons: dict[str, Path]) -> dict:
    """Every cell, `rounds` times: the servers stay up and are loaded one after the other.

    The others are paused meanwhile. Idle servers wake up many times a second, and each time may
    move the one that is measured to the core of its client: HTTP c=64 of pytriton made 131,000 a
    second alone, 73,000 beside two idle ones.
    """
    cells = [cell for cell in CELLS if arguments.cells.lower() in cell.name.lower()]
    results: dict[str, dict[str, list[dict]]] = {cell.name: {} for cell in cells}
    with contextlib.ExitStack() as stack:
        servers = {}
        for name, python in pythons.items():
            kind = next(kind for kind in KINDS if kind.name == name)
            server = stack.enter_context(Server(kind, python).start(tool))
            servers[name] = server
            say(f"{name} is up after {server.start_seconds:.2f} s")
            server.pause()
        for round_number in range(1, arguments.rounds + 1):
            for cell in cells:
                line = f"round {round_number}/{arguments.rounds}  {cell.name:11}"
                for kind in cell.servers:
                    if kind.name not in servers:
                        continue
                    try:
                        one = measure_cell(cell, servers[kind.name], tool, arguments.seconds)
                    except LoadError as error:
                        line += f"  {kind.name}: {error}"
                        continue
                    results[cell.name].setdefault(kind.name, []).append(one)
                    line += f"  {kind.name} {one['rate']:,.0f}/s p50 {one['p50_us']:,.0f} us"
                say(line)
    return results


def choose_servers(arguments: argparse.Namespace) -> dict[str, Path]:
    """The interpreter of each server; one that cannot be installed is left out, and said so."""
    pythons = {PYTRITON.name: Path(arguments.python).absolute()}
    wanted: list[Kind] = [] if arguments.no_peers else [k for k in KINDS if k is not PYTRITON]
    for kind in wanted:
        try:
            pythons[kind.name] = install(kind)
        except (OSError, subprocess.CalledProcessError) as error:
            say(f"without {kind.name}: {error}")
    return pythons


def main() -> int:
    """Runs what was asked for."""
    arguments = parse_arguments()
    begin = time.monotonic()
    facts = machine()
    say("building the load generator")
    try:
        tool = LoadTool(build())
        pythons = choose_servers(arguments)
        cells = {} if arguments.no_cells else run_cells(arguments, tool, pythons)
    except LoadError as error:
        say(f"bench: {error}")
        return 1
    others: dict[str, dict] = {}
    if not arguments.no_scenarios and not arguments.cells:
        say("scenarios")
        bench = scenarios.Bench(
            tool=tool,
            pythons=pythons,
            rounds=min(3, arguments.rounds),
            seconds=arguments.seconds,
            overload_seconds=4 if arguments.quick else 20,
            say=say,
        )
        others = scenarios.run_all(bench)

    print("Machine: " + ", ".join(f"{name} {value}" for name, value in facts.items()))
    print(f"Rounds: {arguments.rounds} of {arguments.seconds:g} s, interleaved; medians.\n")
    if cells:
        print(table.cells_table(cells) + "\n\n" + table.load_tool_line(cells) + "\n")
    if others:
        print(table.scenarios_list(others))
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / time.strftime("%Y%m%d-%H%M%S.json")
    path.write_text(json.dumps({"machine": facts, "cells": cells, "scenarios": others}, indent=1))
    say(f"{time.monotonic() - begin:.0f} s; all figures are in {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
