"""Repositories under load, at full size, as tables: `python bench/reloads.py [--quick]`.

64 closed-loop clients on one identity model while it is reloaded (EXPLICIT, failures mixed in) and
while
versions flip (POLL); cycles of a large model; a thousand tiny models.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from e2e.harness import wait_until
from reload.repository import CONFIG, Clients, Repository, RepositoryServer

EXPLICIT = ("--model-control-mode", "explicit")
POLL = ("--model-control-mode=poll", "--repository-poll-secs=1", "--repository-settle-secs=0.1")


def p99_ms(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98] * 1000


def row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def quiet_then(clients: Clients, requests: int) -> float:
    """The p99 of `requests` answers while nothing changes, in ms."""
    clients.wait_answers(requests)
    quiet = p99_ms(clients.seconds)
    clients.seconds.clear()
    return quiet


def explicit(folder: Path, count: int, reloads: int, failures: int) -> None:
    repository = Repository(folder / "models")
    repository.write_model("m")
    server = RepositoryServer(folder, repository, *EXPLICIT, "--load-model=m").wait_ready()
    clients = Clients(server.http, count, "0")
    quiet = quiet_then(clients, 200 * count)
    for number in range(1, reloads + 1):
        clients.serving(str(number))
        repository.write_content("m", str(number))
        assert server.load("m")[0] == 200
        clients.settled(str(number))
        if failures and number % max(1, reloads // failures) == 0:
            repository.write_config("m", CONFIG.format(more="no_such_field: 1"))
            assert server.load("m")[0] == 500
            repository.write_config("m", CONFIG.format(more=""))
    report("EXPLICIT reloads", reloads, clients, quiet)
    server.stop()


def poll(folder: Path, count: int, flips: int) -> None:
    repository = Repository(folder / "models")
    repository.write_model("m", content="1")
    server = RepositoryServer(folder, repository, *POLL).wait_ready()
    clients = Clients(server.http, count, "1")
    quiet = quiet_then(clients, 200 * count)
    for version in range(2, flips + 2):
        clients.serving(str(version))
        repository.add_version("m", version, str(version))
        server.wait_content("m", str(version))
        clients.settled(str(version))
        repository.remove_version("m", version - 1)
    report("POLL version flips", flips, clients, quiet)
    server.stop()


def report(what: str, changes: int, clients: Clients, quiet: float) -> None:
    clients.stop()
    during = p99_ms(clients.seconds)
    cells = (f"{quiet:.2f}", f"{during:.2f}", f"{during / quiet:.2f}")
    row(what, changes, clients.answers, len(clients.wrong), *cells)
    if clients.wrong:
        print(clients.wrong[:3])


def cycles(folder: Path, count: int, megabytes: int) -> None:
    repository = Repository(folder / "models")
    size = f'parameters {{ key: "load_bytes" value {{ string_value: "{megabytes << 20}" }} }}'
    repository.write_model("m", more=size)
    server = RepositoryServer(folder, repository, *EXPLICIT).wait_ready()
    resident = []
    for _ in range(count):
        assert server.load("m")[0] == 200
        assert server.unload("m")[0] == 200
        text = server.get("/metrics", port=server.metrics)[1].decode()
        resident.append(float(text.split("\npytriton_unload_resident_after_bytes ")[1].split()[0]))
    half = resident[len(resident) // 2 :]
    slope = statistics.linear_regression(range(len(half)), half).slope
    row(
        count,
        megabytes,
        f"{resident[0] / 2**20:.1f}",
        f"{resident[-1] / 2**20:.1f}",
        f"{slope:.0f}",
    )
    server.stop()


def many(folder: Path, count: int) -> None:
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
    row(count, f"{start:.2f}", f"{min(times) * 1000:.1f}", f"{max(times) * 1000:.1f}")
    begin = time.perf_counter()
    server.stop()
    wait_until(lambda: server.process.poll() is not None, "the end")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    part = 10 if parser.parse_args().quick else 1
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (4096, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
    )

    def folder() -> Path:
        return Path(tempfile.mkdtemp(prefix="pytriton-bench-"))

    row("what", "changes", "answers", "failed or wrong", "p99 ms quiet", "p99 ms during", "ratio")
    row(*["---"] * 7)
    explicit(folder(), 64, 200 // part, 50 // part)
    poll(folder(), 64, 100 // part)
    print()
    row("load/unload cycles", "MB", "MB resident after first", "after last", "bytes a cycle")
    row(*["---"] * 5)
    cycles(folder(), 100 // part, 200)
    print()
    row("models", "start s", "index with scan ms, best", "worst")
    row(*["---"] * 4)
    many(folder(), 1000 // part)


if __name__ == "__main__":
    main()
