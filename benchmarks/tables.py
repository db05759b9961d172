"""A run's results as tables: plain text for the terminal, Markdown for the documentation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from benchmarks.configurations import CONFIGURATIONS, WORKLOADS
from benchmarks.stats import estimate, percentile

Row = Sequence[str]
TITLES: Final = {one.name: one.title for one in CONFIGURATIONS}
ROUTER_HEADER: Final = (
    "configuration",
    "event loop, us",
    "process, us",
    "x lightest peer",
    "p50, ms",
    "p99, ms",
    "spans",
    "logs",
)


def interval(one: Mapping[str, float | None], digits: int = 0) -> str:
    """Return a figure with its interval."""

    def number(value: float | None) -> str:
        return "inf" if value is None else f"{value:.{digits}f}"

    return f"{number(one['value'])} ({number(one['low'])} to {number(one['high'])})"


def router_rows(cell: Mapping[str, Any], delivered: Mapping[str, Mapping[str, float]]) -> Iterator[Row]:
    """Return the rows of one kind and concurrency: what each adds, or why it has no figures."""
    for name, row in cell["rows"].items():
        title = TITLES[name] + (" (lightest peer)" if name == cell["lightest"] else "")
        if "reason" in row:
            yield title, f"not measured: {row['reason']}"
            continue
        latencies = f"{row['p50_us'] / 1e3:.2f}", f"{row['p99_us'] / 1e3:.2f}"
        arrived = delivered.get(name, {})
        counts = tuple(f"{arrived[kind]:.2g}" if arrived.get(kind) else "-" for kind in ("spans", "logs"))
        if "added_loop_us" not in row:
            yield title, f"= {row['loop_us']:.0f}", f"= {row['process_us']:.0f}", "", *latencies, *counts
            continue
        times = interval(row["times_lightest"], 2) if "times_lightest" in row else ""
        yield title, interval(row["added_loop_us"]), interval(row["added_process_us"]), times, *latencies, *counts


def memory_rows(memory: Mapping[str, Mapping[str, Any]]) -> Iterator[Row]:
    """Return resident memory, and what it is above ``none`` of the same environment."""
    environments = {one.name: one.environment for one in CONFIGURATIONS}
    for name, row in memory.items():
        if "reason" in row:
            yield TITLES[name], f"not measured: {row['reason']}"
            continue
        base = memory.get(f"none@{environments[name]}", {})
        added = (
            "" if name.startswith("none@") or "last_mib" not in base else f"{row['last_mib'] - base['last_mib']:+.1f}"
        )
        grown = row["last_mib"] - row["first_mib"]
        yield TITLES[name], f"{row['first_mib']:.1f}", f"{row['last_mib']:.1f}", f"{grown:+.1f}", added


STATES: Final = {
    "none": "none",
    "up": "otel-llm-router, collector up",
    "refused": "otel-llm-router, collector refuses",
    "hanging": "otel-llm-router, collector hangs",
}


def stall_rows(stalls: Mapping[str, Mapping[str, Any]]) -> Iterator[Row]:
    """Return the gaps of the event loop by the state of the collector."""
    for state, row in stalls.items():
        if "reason" in row:
            yield STATES[state], f"not measured: {row['reason']}"
            continue
        figures = percentile(row["longest"], 0.5), max(row["longest"])
        late = sum(row["late"]) / len(row["late"])
        yield STATES[state], *(f"{one:.1f}" for one in figures), f"{late:.1f}", str(len(row["longest"]))


def micro_rows(micro: Mapping[str, list[float]]) -> Iterator[Row]:
    """Return the figures of the micro benchmarks with their intervals."""
    for name, passes in micro.items():
        yield name, interval(estimate([passes]).as_dict(), 3), unit_of(name)


def unit_of(name: str) -> str:
    """Return the unit of a micro benchmark's figure."""
    units = {
        "idle CPU": "% of a core",
        "idle resident": "MiB",
        "idle threads": "threads",
        "idle wakes": "a second",
        "import": "ms",
        "redaction": "us per KB",
        "resident": "MiB",
        "start-up": "ms",
        "scrape": "us per sample",
    }
    return next((unit for begin, unit in units.items() if name.startswith(begin)), "us")


def verdict_rows(verdicts: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Return every goal with what was found, the misses first."""
    order = ("MISSED", "not resolved", "reached")
    for one in sorted(verdicts, key=lambda verdict: order.index(verdict["verdict"])):
        said = one["verdict"] + ("" if one["sure"] else ", within the spread")
        yield one["goal"], interval(one["found"], 2), f"{one['limit']:.4g} {one['unit']}", said


def sections(results: Mapping[str, Any]) -> Iterator[tuple[str, Row, list[Row]]]:
    """Return the title, header and rows of every table of a run."""
    for workload, cells in results["workloads"].items():
        for cell in cells:
            title = f"{WORKLOADS[workload]}: {cell['kind']}, concurrency {cell['concurrency']}"
            yield title, ROUTER_HEADER, list(router_rows(cell, results["delivered"][workload]))
    if results["stalls"]:
        header = ("configuration", "longest gap, ms, median", "of all", "beats over 5 ms late", "windows")
        yield "Stalls of the event loop", header, list(stall_rows(results["stalls"]))
    if results["memory"]:
        requests = next((row["requests"] for row in results["memory"].values() if "requests" in row), ["?", "?"])
        header = ("configuration", f"MiB after {requests[0]}", f"MiB after {requests[1]}", "growth", "above none")
        yield "Resident memory, plain requests", header, list(memory_rows(results["memory"]))
    if results["micro"]:
        yield "Micro", ("operation", "median (95 %)", "unit"), list(micro_rows(results["micro"]))
    if results["verdicts"]:
        yield "Goals", ("goal", "found (95 %)", "limit", "verdict"), list(verdict_rows(results["verdicts"]))


def text(results: Mapping[str, Any]) -> str:
    """Return the run's tables as text."""
    parts: list[str] = [
        "CPU is what a request adds to none of the same environment (= is none itself); (95 % interval)"
    ]
    for title, header, rows in sections(results):
        full = [row for row in (header, *rows) if len(row) == len(header)]
        widths = [max(len(row[column]) for row in full) for column in range(len(header))]
        lines = [f"\n{title}"]
        for row in (header, *rows):
            first = f"{row[0]:<{max(widths[0], 40)}}"
            lines.append(
                "  ".join([first, *(f"{one:>{width}}" for one, width in zip(row[1:], widths[1:], strict=False))])
            )
        parts.append("\n".join(line.rstrip() for line in lines))
    return "\n".join(parts)


def markdown(results: Mapping[str, Any]) -> str:
    """Return the run's tables as Markdown."""
    parts: list[str] = []
    for title, header, rows in sections(results):
        lines = [f"### {title}", "", _line(header), _line(["---", *["---:"] * (len(header) - 1)])]
        lines += [_line([*row, *[""] * (len(header) - len(row))]) for row in rows]
        parts.append("\n".join(lines))
    return "\n\n".join(parts)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
