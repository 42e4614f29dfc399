"""Builds and calls pytriton-load, the load generator in bench/load."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "bench-load"


class LoadError(Exception):
    """The load generator could not do its run; the message is what it said."""


@dataclass(frozen=True)
class Target:
    """Where a load goes: protocol is `grpc`, `http` or `raw`."""

    protocol: str
    address: str
    model: str = "AddSub"


def build() -> Path:
    """Builds the load generator where needed; returns the program."""
    source = ROOT / "bench" / "load"
    for command in (
        ["cmake", "-S", str(source), "-B", str(BUILD), "-DCMAKE_BUILD_TYPE=Release"],
        ["cmake", "--build", str(BUILD), "--parallel"],
    ):
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        if done.returncode != 0:
            raise LoadError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return BUILD / "pytriton-load"


class LoadTool:
    """The load generator; each call is one run of it."""

    def __init__(self, program: Path) -> None:
        self._program = program

    def run(self, target: Target, *, may_fail: bool = False, **options: float | str) -> dict:
        """One load; `concurrency=64` is passed as `--concurrency 64`.

        Args:
            target: where it goes.
            may_fail: whether requests that fail are an answer like others.
            options: those of the program.

        Returns:
            The JSON result, with `ended`, `rate` (right answers per second), `p50_us`, ...

        Raises:
            LoadError: the server is not reached, stopped answering, or answered wrongly.
        """
        command = [str(self._program), "--json", "--protocol", target.protocol]
        command += ["--address", target.address, "--model", target.model]
        for name, value in options.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        done = subprocess.run(command, text=True, capture_output=True, check=False)
        if not done.stdout:
            raise LoadError(done.stderr.strip() or f"exit code {done.returncode}")
        result = json.loads(done.stdout)
        if result["wrong"] or (result["failed"] and not may_fail):
            raise LoadError(
                f"{result['wrong']} wrong and {result['failed']} failed of {result['ended']}: "
                f"{result['first_fault']}"
            )
        return result
