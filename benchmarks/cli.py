"""What the telemetry costs, beside its peers: measures, prints one table, writes JSON, writes the documentation.

Workloads: every configuration runs in a process of its own, all of them alive at the same time and
taking turns, pinned to one CPU; what a request adds is paired with ``none`` in the same environment. A
configuration that does not record is a row with the reason.

Examples:
  scripts/bench                             everything, about 45 minutes on two cores
  scripts/bench --quick                     everything with small numbers, under ten minutes
  scripts/bench --only ours --only openllmetry --json results.json
  scripts/bench --workload isolated         the telemetry's own work on one request
  scripts/bench --only micro                the micro benchmarks alone
  scripts/bench --report results.json       write docs/overhead.md

exit codes: 0 measured, 1 something was not measured (a row says what) or interrupted, 2 wrong arguments
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import machine, memory, report, stalls, tables
from benchmarks.configurations import (
    CONFIGURATIONS,
    ENVIRONMENTS,
    HOME,
    WORKLOADS,
    Configuration,
    Workload,
    chosen,
    taking_part,
)
from benchmarks.processes import ROOT, WorkerError, run_python, serving
from benchmarks.rounds import Outcome, Round, Servers, say
from benchmarks.summary import cells
from benchmarks.verdict import verdicts

SCHEMA: Final = 2
MICRO: Final = tuple(sorted(path.stem for path in (ROOT / "benchmarks" / "micro").glob("[a-z]*.py")))


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured.

    Args:
        rounds: Rounds of each workload that is measured.
        seconds: How long the turns of a round go on.
        memory: Requests after which memory is read a second time.
        stalls: Windows for each state of the collector, and their seconds.
        quick: Whether the micro benchmarks are small.
    """

    rounds: dict[Workload, int]
    seconds: float
    memory: int
    stalls: tuple[int, float]
    quick: bool


_ROUNDS: Final[dict[Workload, int]] = {"isolated": 3, "mock": 2, "http": 2, "sdk": 2, "wire": 2, "gateway": 2}
FULL: Final = Plan(rounds=_ROUNDS, seconds=80, memory=20_000, stalls=(6, 6), quick=False)
QUICK: Final = Plan(rounds={"isolated": 1, "http": 1, "wire": 1}, seconds=15, memory=2_000, stalls=(3, 4), quick=True)


def parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    known = ", ".join(one.name for one in CONFIGURATIONS if not one.name.startswith("none@"))
    made = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument(
        "--quick",
        action="store_true",
        help="small numbers, wide intervals, no variants, no mock, no gateway: under ten minutes",
    )
    made.add_argument("--json", metavar="FILE", type=Path, help="write everything that was measured")
    made.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        default=[],
        help=f"this configuration; can be repeated: {known}; or micro",
    )
    made.add_argument("--workload", choices=tuple(WORKLOADS), help="this workload only")
    made.add_argument("--rounds", type=int, metavar="N", help="rounds of each workload")
    made.add_argument("--seconds", type=float, metavar="S", help="how long the turns of a round go on")
    made.add_argument(
        "--report",
        metavar="FILE",
        type=Path,
        help="measure nothing; write docs/overhead.md from this JSON, and keep the figures in benchmarks/results",
    )
    made.add_argument("--list", action="store_true", help="list the configurations")
    made.add_argument("--environments", action="store_true", help=argparse.SUPPRESS)
    return made


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    made = parser()
    options = made.parse_args(arguments)
    try:
        configurations = chosen(set(options.only) - {"micro"}) if set(options.only) != {"micro"} else ()
    except ValueError as error:
        made.error(str(error))
    if (options.rounds or 1) < 1 or (options.seconds or 0) < 0:
        made.error("--rounds takes 1 or more, --seconds 0 or more")
    if options.quick:
        configurations = tuple(one for one in configurations if one.name in options.only or not one.variant)
    if options.environments:
        measured = not (options.list or options.report)
        needed = {HOME, *(one.environment for one in configurations)} if measured else set[str]()
        print(*(name for name in ENVIRONMENTS if name in needed))
        return 0
    if options.list:
        for one in CONFIGURATIONS:
            print(f"{one.name:<22} {one.title}")
        return 0
    if options.report:
        return _report(made, options.report)
    results = _measure(options, configurations)
    print(tables.text(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    missing = _missing(results)
    for line in missing:
        say(line)
    return 1 if missing or results.get("interrupted") else 0


def _report(made: argparse.ArgumentParser, file: Path) -> int:
    try:
        written = report.write(json.loads(file.read_text()), schema=SCHEMA)
    except (OSError, ValueError, KeyError) as error:
        made.error(f"{file} is no result of scripts/bench --json: {type(error).__name__}: {error}")
    for path in written:
        say(f"wrote {path.relative_to(ROOT)}")
    return 0


def _measure(options: argparse.Namespace, configurations: Sequence[Configuration]) -> dict[str, Any]:
    plan = QUICK if options.quick else FULL
    seconds = plan.seconds if options.seconds is None else options.seconds
    began = time.monotonic()
    results: dict[str, Any] = {
        "schema": SCHEMA,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "quick": options.quick,
        "seconds_per_round": seconds,
        "machine": machine.describe({HOME: None} | dict.fromkeys(one.environment for one in configurations)),
        **{key: {} for key in ("rounds", "workloads", "reasons", "delivered", "blocks", "stalls", "memory", "micro")},
    }
    try:
        _fill(results, options, configurations, plan, seconds)
    except KeyboardInterrupt:
        say("interrupted: what was measured until now is shown")
        results["interrupted"] = True
    results["verdicts"] = [one.as_dict() for one in verdicts(results)]
    results["minutes"] = round((time.monotonic() - began) / 60, 1)
    results["machine"]["load_after"] = [round(one, 1) for one in os.getloadavg()] if hasattr(os, "getloadavg") else []
    return results


def _fill(
    results: dict[str, Any],
    options: argparse.Namespace,
    configurations: Sequence[Configuration],
    plan: Plan,
    seconds: float,
) -> None:
    """Measure everything that is asked for, one workload after the other."""
    if configurations:
        serve = "otel_llm_router.cli.demo._serve"
        with (
            serving(HOME, "-m", "benchmarks.sink") as sink,
            serving(HOME, "-m", serve, "upstream", "alpha") as upstream,
        ):
            servers = Servers(sink=sink, upstream=upstream)
            wanted: list[Workload] = [options.workload] if options.workload else list(plan.rounds)
            for workload in wanted:
                outcome = Outcome()
                results["rounds"][workload] = options.rounds or plan.rounds.get(workload, 1)
                for number in range(results["rounds"][workload]):
                    Round(workload, number, servers, outcome, say).run(configurations, seconds, quick=plan.quick)
                for key in ("reasons", "delivered", "blocks"):
                    results[key][workload] = getattr(outcome, key)
                results["workloads"][workload] = cells(vars(outcome), taking_part(configurations, workload))
            if options.workload in {None, "isolated"} and any(one.name == stalls.OURS for one in configurations):
                results["stalls"] = stalls.measure(servers, *plan.stalls, say)
            if options.workload in {None, "mock"}:
                results["memory"] = memory.measure(configurations, servers, plan.memory, say)
    if "micro" in options.only or not (options.only or options.workload):
        _micro(results, quick=plan.quick)


def _micro(results: dict[str, Any], *, quick: bool) -> None:
    for name in MICRO:
        say(f"micro: {name}")
        try:
            out = run_python(HOME, ["-m", "benchmarks.micro", name, *(["--quick"] if quick else [])])
            results["micro"].update(json.loads(out.splitlines()[-1]))
        except (WorkerError, ValueError) as error:
            results["reasons"].setdefault("micro", {})[name] = str(error)


def _missing(results: dict[str, Any]) -> list[str]:
    """Return what was wanted and not measured, but for what a workload cannot show."""
    known = {one.name: one for one in CONFIGURATIONS}
    missing = [
        f"{workload}: {name} was not measured: {reason}"
        for workload, reasons in results["reasons"].items()
        for name, reason in reasons.items()
        if name not in known or workload not in known[name].absent
    ]
    return missing + [
        f"{kind}: {name} was not measured: {row['reason']}"
        for kind in ("memory", "stalls")
        for name, row in results[kind].items()
        if "reason" in row
    ]
