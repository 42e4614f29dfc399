"""Repositories under load, at full size, as tables: `python bench/reloads.py [--quick]`.

64 closed-loop clients on one model while it is reloaded (EXPLICIT, failures mixed in) and while
versions flip (POLL), with an identity model and with a model.py; a copy that comes file by file;
cycles of a large model; a thousand tiny models. The clients (60 of pytriton-load, 4 of Python's)
check every value, and that the content that answers was served between request and answer.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from changing_load import Load
from load_tool import LoadTool, build
from rows import head, row

from reload.repository import CONFIG, Repository, RepositoryServer

EXPLICIT = ("--model-control-mode", "explicit")
POLL = ("--model-control-mode=poll", "--repository-poll-secs=1")
QUICK_POLL = (*POLL, "--repository-settle-secs=0.1")
QUIET_ROUNDS = 12
PYTHON_CONFIG = CONFIG.replace("identity", "python").replace("{more}", "")
PYTHON_MODEL = """
import os
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def initialize(self, args):
        folder = os.path.join(args["model_repository"], args["model_version"])
        with open(os.path.join(folder, "content.txt")) as file:
            self.parameters = {"content": file.read()}
        size = int(os.path.exists(os.path.join(folder, "ballast"))) * (200 << 20)
        self.ballast = np.ones(size, np.uint8)

    def execute(self, requests):
        return [
            pb_utils.InferenceResponse(
                [pb_utils.Tensor("y", pb_utils.get_input_tensor_by_name(one, "x").as_numpy())],
                parameters=self.parameters,
            )
            for one in requests
        ]
"""


# What is done to a repository under a load; says what it was.
Change = Callable[[RepositoryServer, Repository, Load], str]


class Model:
    """How the model `m` of a scenario is written."""

    def __init__(self, backend: str):
        self.backend = backend

    def write(self, repository: Repository) -> None:
        if self.backend == "identity":
            return repository.write_model("m", content="1")
        repository.write_model("m", content="1")
        (repository.path / "m" / "1" / "model.py").write_text(PYTHON_MODEL)
        repository.write_config("m", PYTHON_CONFIG.format())
        return None

    def add_version(self, repository: Repository, version: int) -> None:
        if self.backend == "identity":
            return repository.add_version("m", version, str(version))
        staged = repository.path.parent / "version"
        staged.mkdir()
        (staged / "content.txt").write_text(str(version))
        (staged / "model.py").write_text(PYTHON_MODEL)
        staged.rename(repository.path / "m" / str(version))
        return None

    def break_it(self, repository: Repository) -> None:
        repository.write_config("m", CONFIG.format(more="no_such_field: 1"))

    def mend_it(self, repository: Repository) -> None:
        config = CONFIG.format(more="") if self.backend == "identity" else PYTHON_CONFIG.format()
        repository.write_config("m", config)


@dataclass(frozen=True)
class Outcome:
    """Changes under load once; rates in answers a second, times in ms."""

    changes: str
    seconds: float
    answers: int
    faults: int
    quiet_rate: float
    quiet_p99: float
    rate: float
    p99: float

    @property
    def ratio(self) -> float:
        return self.p99 / self.quiet_p99


def run_changes(tool: LoadTool, model: Model, options: tuple[str, ...], changes: Change) -> Outcome:
    """Quiet rounds, then the changes under the same load."""
    folder = Path(tempfile.mkdtemp(prefix="pytriton-bench-"))
    repository = Repository(folder / "models")
    model.write(repository)
    server = RepositoryServer(folder, repository, *options).wait_ready()
    load = Load(tool, server, "1", 64)
    try:
        load.wait_rounds(2)  # warm
        quiet_begin = time.perf_counter()
        load.wait_rounds(QUIET_ROUNDS)
        begin = time.perf_counter()
        count = changes(server, repository, load)
        end = time.perf_counter()
        load.wait_rounds(1)
        quiet, during = load.within(quiet_begin, begin), load.within(begin, end)
    finally:
        answers, faults = load.stop()
        server.stop()
    return Outcome(count, end - begin, answers, faults, *quiet, *during)


def measure(what: str, runs: int, run: Callable[[], Outcome]) -> None:
    """A row: sums of answers and faults, medians of what was measured."""
    outcomes = [run() for _ in range(runs)]
    ratios = sorted(one.ratio for one in outcomes)
    medians = (
        statistics.median(getattr(one, name) for one in outcomes)
        for name in ("quiet_rate", "rate", "quiet_p99", "p99")
    )
    quiet_rate, rate, quiet_p99, p99 = medians
    row(
        what,
        outcomes[0].changes,
        f"{statistics.median(one.seconds for one in outcomes):.1f}",
        sum(one.answers for one in outcomes),
        sum(one.faults for one in outcomes),
        f"{quiet_rate:.0f}",
        f"{rate:.0f}",
        f"{quiet_p99:.2f}",
        f"{p99:.2f}",
        f"{statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})",
    )


def reloads(model: Model, count: int, failures: int) -> Change:
    def change(server: RepositoryServer, repository: Repository, load: Load) -> str:
        for number in range(2, count + 2):
            load.serving(number)
            repository.write_content("m", str(number))
            status, text = server.load("m")
            assert status == 200, text
            load.settled(number)
            if number % (count // failures) == 0:
                model.break_it(repository)
                assert server.load("m")[0] == 500
                model.mend_it(repository)
        return f"{count} + {failures} failed"

    return change


def flips(model: Model, count: int) -> Change:
    def change(server: RepositoryServer, repository: Repository, load: Load) -> str:
        for version in range(2, count + 2):
            load.serving(version)
            model.add_version(repository, version)
            server.wait_content("m", str(version))
            load.settled(version)
            repository.remove_version("m", version - 1)
        return str(count)

    return change


def slow_copy(seconds: float) -> None:
    """Files come one by one over `seconds`, then one is edited once more."""
    folder = Path(tempfile.mkdtemp(prefix="pytriton-bench-"))
    repository = Repository(folder / "models")
    server = RepositoryServer(folder, repository, *POLL).wait_ready()
    seen = set()
    model = repository.path / "m"
    (model / "1").mkdir(parents=True)
    steps = int(seconds / 0.1)
    for step in range(steps):
        time.sleep(0.1)
        if step == steps // 2:
            (model / "config.pbtxt").write_text(CONFIG.format(more=""))
        (model / "1" / ("content.txt" if step == 2 else f"weights-{step}")).write_text("part")
        seen.add(server.ask())
    (model / "1" / "content.txt").write_text("whole")
    begin = time.perf_counter()
    while (answer := server.ask()) != (200, "whole"):
        seen.add(answer)
        time.sleep(0.01)
    row(f"{seconds:.0f}", f"{time.perf_counter() - begin:.2f}", sorted(seen))
    server.stop()


def cycles(backend: str, count: int, megabytes: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="pytriton-bench-"))
    repository = Repository(folder / "models")
    if backend == "identity":
        size = f'parameters {{ key: "load_bytes" value {{ string_value: "{megabytes << 20}" }} }}'
        repository.write_model("m", more=size)
    else:
        Model(backend).write(repository)
        (repository.path / "m" / "1" / "ballast").write_text("")
    server = RepositoryServer(folder, repository, *EXPLICIT).wait_ready()
    resident = []
    load_s = []
    unload_s = []
    for _ in range(count):
        begin = time.perf_counter()
        assert server.load("m")[0] == 200
        loaded = time.perf_counter()
        assert server.unload("m")[0] == 200
        load_s.append(loaded - begin)
        unload_s.append(time.perf_counter() - loaded)
        text = server.get("/metrics", port=server.metrics)[1].decode()
        resident.append(float(text.split("\npytriton_unload_resident_after_bytes ")[1].split()[0]))
    half = resident[len(resident) // 2 :]
    slope = statistics.linear_regression(range(len(half)), half).slope
    row(
        backend,
        count,
        megabytes,
        f"{resident[0] / 2**20:.1f}",
        f"{resident[-1] / 2**20:.1f}",
        f"{slope:.0f}",
        f"{statistics.median(load_s):.3f}",
        f"{statistics.median(unload_s):.3f}",
    )
    server.stop()


def many(count: int) -> None:
    folder = Path(tempfile.mkdtemp(prefix="pytriton-bench-"))
    repository = Repository(folder / "models")
    for number in range(count):
        repository.write_model(f"m{number}")
    begin = time.perf_counter()
    server = RepositoryServer(folder, repository, *EXPLICIT, "--load-model=*").wait_ready()
    start = time.perf_counter() - begin
    times = []
    for _ in range(5):
        begin = time.perf_counter()
        assert len(server.index()) == count
        times.append(time.perf_counter() - begin)
    begin = time.perf_counter()
    server.stop()
    end = time.perf_counter() - begin
    best, worst = (f"{moment * 1000:.1f}" for moment in (min(times), max(times)))
    row(count, f"{start:.2f}", best, worst, f"{end:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--only", default="", help="parts: reloads,flips,copy,cycles,many")
    parser.add_argument("--runs", type=int, default=3, help="of reloads and flips (3)")
    given = parser.parse_args()
    part = 10 if given.quick else 1

    def wants(name: str) -> bool:
        return not given.only or name in given.only.split(",")

    if wants("reloads") or wants("flips"):
        tool = LoadTool(build())
        head(
            "what",
            "changes",
            "in s",
            "answers",
            "failed or wrong",
            "answers/s quiet",
            "during",
            "p99 ms quiet",
            "during",
            "ratio (of all runs)",
        )
    for backend in ("identity", "python"):
        model = Model(backend)
        if wants("reloads"):
            change = reloads(model, 200 // part, 50 // part)
            options = (*EXPLICIT, "--load-model=m")
            run = partial(run_changes, tool, model, options, change)
            measure(f"EXPLICIT reloads, {backend}", given.runs, run)
        if wants("flips"):
            run = partial(run_changes, tool, model, QUICK_POLL, flips(model, 100 // part))
            measure(f"POLL flips, {backend}", given.runs, run)
    if wants("copy"):
        head("seconds of the copy", "served s after the last edit", "answers before")
        slow_copy(5)
    if wants("cycles"):
        head(
            "load/unload cycles of",
            "cycles",
            "MB",
            "MB resident after the first",
            "after the last",
            "bytes a cycle",
            "load s",
            "unload s",
        )
        for backend in ("identity", "python"):
            cycles(backend, 400 // part, 200)  # after 100 the slope is still that of warming up
    if wants("many"):
        head("models", "start s", "index with scan ms, best", "worst", "end s")
        many(1000 // part)


if __name__ == "__main__":
    main()
