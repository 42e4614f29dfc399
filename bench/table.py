"""Turns results into Markdown: each figure beside what it must reach."""

from __future__ import annotations

import statistics

from cells import CELLS, GOODPUT_SHARE, LOG_COST, SMALL_PSS_BYTES, START_SECONDS, Cell
from servers import KINDS, MOSEC, PEER, PYTRITON

Runs = dict[str, dict[str, list[dict]]]  # cell name -> server name -> one result a round


def median(runs: list[dict], key: str) -> float:
    """The middle of that figure over the rounds."""
    return statistics.median(run[key] for run in runs)


def ratio(runs: dict[str, list[dict]], peer: str, key: str) -> float | None:
    """The middle over rounds of pytriton's figure divided by the peer's of the same round."""
    ours, theirs = runs.get(PYTRITON.name, []), runs.get(peer, [])
    pairs = [a[key] / b[key] for a, b in zip(ours, theirs) if b[key] > 0]
    return statistics.median(pairs) if pairs else None


def _judge(is_met: bool) -> str:
    return "met" if is_met else "**MISSED**"


def _at_least(value: float | None, goal: float | None) -> str:
    if value is None:
        return ""
    text = f"{value:.1f}x"
    return text if goal is None else f"{text} (>= {goal:g}x: {_judge(value >= goal)})"


def _cell_row(cell: Cell, runs: dict[str, list[dict]]) -> str:
    columns = [cell.name]
    for kind in KINDS:
        one = runs.get(kind.name)
        if not one:
            columns.append("")
            continue
        columns.append(
            f"{median(one, 'rate'):,.0f}/s, {median(one, 'p50_us') / 1e3:.3g}/"
            f"{median(one, 'p99_us') / 1e3:.3g}"
        )
    columns.append(_at_least(ratio(runs, PEER.name, "rate"), cell.peer_times))
    columns.append(_at_least(ratio(runs, MOSEC.name, "rate"), cell.mosec_times))
    share = ratio(runs, PEER.name, "p50_us")
    text = ""
    if share:
        text = f"1/{1 / share:.1f}"
        if cell.peer_p50_share is not None:
            goal = f"1/{1 / cell.peer_p50_share:.0f}"
            text += f" (<= {goal}: {_judge(share <= cell.peer_p50_share)})"
    columns.append(text)
    cpus = []
    for kind in KINDS:
        one = runs.get(kind.name)
        if not one:
            continue
        cpu = median(one, "server_cpu")
        is_judged = kind is PYTRITON and cell.cpu is not None
        goal = f" (<= {cell.cpu:g}: {_judge(cpu <= cell.cpu)})" if is_judged else ""
        cpus.append(f"{cpu:.3g}{goal}")
    columns.append(" / ".join(cpus))
    return "| " + " | ".join(columns) + " |"


def cells_table(results: Runs) -> str:
    """One row a cell: medians over the rounds, ratios paired within each round."""
    lines = [
        "| cell | pytriton: req/s, p50/p99 ms | nvidia-pytriton 0.7.0 | mosec | rate / PyTriton "
        "| rate / mosec | p50 / PyTriton | server CPU s/10k requests (same order) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [_cell_row(cell, results[cell.name]) for cell in CELLS if results.get(cell.name)]
    return "\n".join(lines)


def load_tool_line(results: Runs) -> str:
    """What the load generator itself cost, so that a reader can judge the ruler."""
    costs = []
    for cell in CELLS:
        runs = results.get(cell.name, {}).get(PYTRITON.name)
        if runs:
            costs.append(f"{cell.name} {median(runs, 'cpu_us_per_request'):.2f}")
    return "Load generator's own CPU, us a request (against pytriton): " + ", ".join(costs)


def _start(one: dict) -> str:
    start, pss = one["start_seconds"], one["pss_bytes"]
    return (
        f"first right answer after {start:.2f} s (< {START_SECONDS} s: "
        f"{_judge(start < START_SECONDS)}), PSS after small load {pss / 1e6:.0f} MB (< "
        f"{SMALL_PSS_BYTES / 1e6:.0f} MB: {_judge(pss < SMALL_PSS_BYTES)}), "
        f"stops in {one['stop_seconds']:.1f} s"
    )


def _overload(one: dict) -> str:
    share = one["share"]
    return (
        f"goodput {one['goodput']:,.0f}/s of {one['peak_rate']:,.0f}/s, {share:.0%} (> "
        f"{GOODPUT_SHARE:.0%}: {_judge(share > GOODPUT_SHARE)}), p50/p99 of accepted "
        f"{one['p50_us'] / 1e3:.1f}/{one['p99_us'] / 1e3:.1f} ms, {one['refused']:,} refused, "
        f"{one['not_started']:,} could not be sent"
    )


def _sleep(one: dict) -> str:
    return (
        f"{one['rate']:,.0f}/s, {one['share_of_perfect']:.0%} of perfect batches, p50/p99 "
        f"{one['p50_us'] / 1e3:.1f}/{one['p99_us'] / 1e3:.1f} ms"
    )


def _idle(one: dict) -> str:
    return (
        f"{one['rate_beside']:,.0f}/s beside them, {one['rate_alone']:,.0f}/s alone; p99 "
        f"{one['p99_beside_us'] / 1e3:.2f} and {one['p99_alone_us'] / 1e3:.2f} ms; "
        f"{one['closed']} closed by the server"
    )


def _vanish(one: dict) -> str:
    done = f"{one['vanished']:,} requests left behind in {one['vanish_rounds']} rounds"
    if not one["is_alive"]:
        return f"{done}, then: {one['fault']} (**MISSED**)"
    is_met = one["descriptors_left"] <= 0
    return (
        f"{done}, alive ({_judge(is_met)}), {one['descriptors_left']} descriptors left open, PSS "
        f"grown by {one['pss_growth_bytes'] / 1e6:.0f} MB"
    )


def _log(one: dict) -> str:
    parts = []
    for name, cost in one.items():
        is_met = cost["cost"] <= LOG_COST
        parts.append(
            f"{name}: {cost['rate']:,.0f}/s, costs {cost['cost']:.1%} of the rate, "
            f"{cost['cpu_cost']:.1%} of the CPU ({_judge(is_met)})"
        )
    return "; ".join(parts)


_SCENARIOS = {
    "start": ("Start and memory", _start),
    "sleep": ("Callable that sleeps 5 ms, 32 in flight", _sleep),
    "overload": ("Twice the capacity, bounded queue", _overload),
    "idle": ("1,000 idle connections beside HTTP c=64", _idle),
    "vanish": ("Clients that vanish with 256 under way", _vanish),
    "log": ("--log-verbose, c=64", _log),
}


def scenarios_list(results: dict[str, dict]) -> str:
    """One line for each scenario and server."""
    lines = []
    for name, by_server in results.items():
        kind, _, protocol = name.partition(" ")
        title, describe = _SCENARIOS.get(kind, (name, None))
        for server, one in by_server.items():
            is_broken = describe is None or ("fault" in one and "is_alive" not in one)
            text = f"{one['fault']} (**MISSED**)" if is_broken else describe(one)
            lines.append(f"- {title}{', ' + protocol if protocol else ''}, {server}: {text}")
    return "\n".join(lines)
