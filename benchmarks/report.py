"""``docs/overhead.md``: one run's method, machine, tables and misses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

from benchmarks import tables
from benchmarks.processes import ROOT

METHOD: Final = """\
# Overhead

What otel-llm-router costs, beside its peers, measured in one run. This page is generated: `scripts/bench --json
results.json`, then `scripts/bench --report results.json`. Figures of another machine differ; ratios within one run are
what travels.

## Method

- **Isolated.** A hollow Router: the real objects and classes of LiteLLM and the openai SDK, in which the bodies of the
  functions that telemetries hook were replaced, before anything hooked them, by ones that call each other with the same
  arguments and give the same answer each time. LiteLLM's callbacks get the calls that they got for one real request; what
  making these calls costs is the row of the no-op callback. What LiteLLM does to prepare them is not in it.
- **Gateways.** FastAPI called as a server calls it, without a socket; the upstream is another process. `wire` has no LiteLLM
  and calls its upstream with httpx.
- **Stalls.** A task on the event loop of the hollow Router that wants to run every millisecond, 250 requests a second, and
  the longest gap in windows of some seconds, beside a window of none. LiteLLM's own objects are frozen out of garbage
  collection.
- **Load.** In the running Router: the real `litellm.Router`, two deployments of one group, plain requests and streams of 100 chunks, one caller
  and 32 callers; answers come from LiteLLM's `mock_response`, or over HTTP from an OpenAI-compatible upstream in another
  process. Every answer is checked.
- **Turns.** Each configuration has a process of its own in every round. All are alive at the same time, pinned to one CPU
  (receiver and upstream to another), and take turns block by block in an order that changes each time, so that a drift of
  the machine meets all. The first cycle warms up and is discarded.
- **Added CPU.** `time.thread_time` of the event loop's thread and `time.process_time` of the process, until the process has
  come to rest after the last answer; the process's figure includes the export of every span and log record that the
  block caused. What a configuration adds is the difference to *none in the same environment*, block by block: the packages
  that are installed alone move a request by more than a light telemetry costs.
- **Export.** The same for all: batch processors, OTLP over HTTP, uncompressed, to a receiver in another process. (Compression
  is this distribution's default; it has a row of its own.) Metrics are collected at the end, outside the clock; what
  collecting costs is under Micro.
- **Proof.** A configuration counts only if the receiver (for LiteLLM's `prometheus`: the process's registry) has got its
  spans and metrics for every request; otherwise its row says why it has no figures.
- **Spread.** In parentheses: 95 % bootstrap interval over rounds and over the turns within them, resampled in pairs.
- **Memory.** Resident set after a full garbage collection, plain requests at concurrency 32, one process each.
"""

SDK: Final = """\
- **SDK.** The SDK of OpenAI without a router: real httpx and its transport, on a pool of connections within the process that
  answers at once, each event of a stream in a piece of its own. What is added is what watching one call costs at the wire, and
  each chunk; OpenTelemetry's instrumentation of httpx sees the HTTP request alone.
"""

NOT_MEASURED: Final = """\
## What is not measured here

Routers other than LiteLLM and the bare gateway; servers and their sockets; Windows and macOS.
"""

COMMITTED: Final = ROOT / "benchmarks" / "results" / "latest.json"
DOCUMENT: Final = ROOT / "docs" / "overhead.md"
_DIGITS: Final = 4


def write(results: Mapping[str, Any], *, schema: int, root: Path = ROOT) -> list[Path]:
    """Write the page, and beside it the figures that it is rendered from; return the paths.

    Args:
        results: What ``scripts/bench --json`` wrote.
        schema: The schema that this version writes.
        root: Where the repository is.

    Raises:
        ValueError: the results have another schema.
        KeyError: they are no results.
    """
    if results["schema"] != schema:
        raise ValueError(f"it has schema {results['schema']}, this version writes {schema}")
    kept = compact(results)
    written = [root / path.relative_to(ROOT) for path in (COMMITTED, DOCUMENT)]
    for path, text in zip(written, (json.dumps(kept, indent=1) + "\n", document(kept)), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return written


def committed() -> str:
    """Return the page for the figures that are in the repository."""
    return document(json.loads(COMMITTED.read_text(encoding="utf-8")))


def compact(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the page needs of a run: no single blocks, and figures of four digits."""
    return {key: _rounded(value) for key, value in results.items() if key != "blocks"}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_rounded(one) for one in cast("list[Any]", value)]
    return float(f"{value:.{_DIGITS}g}") if isinstance(value, float) else value


def document(results: Mapping[str, Any]) -> str:
    """Return the page for one run's results."""
    return "\n".join(
        [
            METHOD.rstrip("\n"),
            SDK if "sdk" in results["workloads"] else "",
            *_machine(results),
            *_goals(results),
            *_ratios(results),
            tables_of(results),
            NOT_MEASURED,
        ]
    )


def tables_of(results: Mapping[str, Any]) -> str:
    """Return all tables but the goals, which stand at the top."""
    return f"## Results\n\n{tables.markdown({**results, 'verdicts': []})}\n"


def _machine(results: Mapping[str, Any]) -> Iterator[str]:
    machine = results["machine"]
    rounds = ", ".join(f"{count} of {name}" for name, count in results["rounds"].items()) or "none"
    yield "## This run\n"
    yield f"- {results['date']}, {results['minutes']} minutes{', quick: wide intervals' if results['quick'] else ''}."
    if results.get("interrupted"):
        yield "- Interrupted: what is missing was not measured."
    yield (
        f"- {machine['cores']} cores, {machine['architecture']}, {machine['system']}, Python {machine['python']}; "
        + ("processes pinned." if machine["pinned"] else "processes not pinned.")
    )
    yield f"- Load average before {machine['load']}, after {machine['load_after']}."
    yield f"- Rounds: {rounds}, {results['seconds_per_round']:g} s each."
    for environment, packages in machine["packages"].items():
        listed = ", ".join(f"{name} {version}" for name, version in packages.items())
        yield f"- Environment {environment}: {listed or 'could not be installed'}."
    yield ""


def _goals(results: Mapping[str, Any]) -> Iterator[str]:
    said = [one["verdict"] for one in results["verdicts"]]
    yield f"## Goals\n\n{', '.join(f'{said.count(one)} {one.lower()}' for one in dict.fromkeys(sorted(said)))}.\n"
    goals: dict[str, Any] = {**results, "workloads": {}, "stalls": {}, "memory": {}, "micro": {}}
    yield tables.markdown(goals).replace("### Goals\n\n", "") + "\n"


def _ratios(results: Mapping[str, Any]) -> Iterator[str]:
    yield "## Against the lightest peer\n"
    yield "Added CPU of the process, as a multiple of the lightest peer's in the same cell.\n"
    yield "| load | lightest peer | its CPU, us | otel-llm-router, us | ratio |\n| --- | --- | ---: | ---: | ---: |"
    for workload, cells in results["workloads"].items():
        for cell in cells:
            lightest, own = cell["lightest"], cell["rows"].get("ours", {})
            if lightest is None or "times_lightest" not in own:
                continue
            peer = tables.interval(cell["rows"][lightest]["added_process_us"])
            ours, times = tables.interval(own["added_process_us"]), tables.interval(own["times_lightest"], 2)
            load = f"{workload}, {cell['kind']}, concurrency {cell['concurrency']}"
            yield f"| {load} | {tables.TITLES[lightest]} | {peer} | {ours} | {times} |"
    yield ""
