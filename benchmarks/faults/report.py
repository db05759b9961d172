"""The page of the fault matrix, from the results that are kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from benchmarks.faults.rows import Figures, found

RESULTS: Final = Path(__file__).resolve().parents[1] / "results" / "reliability.json"

_HEAD: Final = """# Reliability

<!-- Written by scripts/generate from benchmarks/results/reliability.json; change that, or benchmarks/faults. -->

What becomes of telemetry, and of the application, when things break: each row was tried on real processes and sockets, with
this distribution and with the OpenTelemetry SDK and its exporters as they come, in the same run unless the row says otherwise.
`scripts/faults` runs it again. A row that falls short says so.

How it is meant to be: what waits for the collector is bounded by its bytes (`OTEL_LLM_ROUTER_QUEUE_BYTES`) and sent again
until it arrives, the bound pushes it out, or the process ends (`OTEL_LLM_ROUTER_EXIT_BUDGET`). Delivery is at least once: a
request that was sent whole and not answered may have arrived, and is sent again once the collector answers;
`llm_router_telemetry_resent_total` counts its records, so that many may be there twice. For spans and log records,
`llm_router_telemetry_emitted_total` is the sum of `..._delivered_total` and `..._dropped_total` by reason, once nothing waits.
With a disk behind the queue ([exporting.md](exporting.md)) what waits there, and what was recovered from it, count as well.
"""


def page(results: dict[str, Any]) -> str:
    """Return the page of some results."""
    parts = [_HEAD]
    rows = found()
    summary = ["| Row | Promise | Ours | Stock SDK |", "| --- | --- | --- | --- |"]
    for name, row in rows.items():
        if name in results:
            figures: dict[str, Figures] = results[name]["figures"]
            said = ["reached" if row.reached(figures[subject]) else "falls short" for subject in ("ours", "stock")]
            summary.append(f"| [{name}](#{name.lower()}) | {row.TITLE} | {said[0]} | {said[1]} |")
    parts.append("\n".join(summary) + "\n")
    for name, row in rows.items():
        if name not in results:
            continue
        result = results[name]
        figures = result["figures"]
        lines = [f"## {name}\n", f"**{row.TITLE}.** {row.HOW}.\n", f"To reach: {row.PASS}.\n"]
        lines += ["| | Ours | Stock SDK |", "| --- | --- | --- |"]
        keys = list(dict.fromkeys([*figures["ours"], *figures["stock"]]))
        lines += [f"| {key} | {figures['ours'].get(key, '')} | {figures['stock'].get(key, '')} |" for key in keys]
        if note := result.get("note"):
            lines.append(f"\n{note}")
        lines.append(f"\nOn {result['on']}, Python {result['python']}, OpenTelemetry {result['opentelemetry']}.\n")
        parts.append("\n".join(lines))
    return "\n".join(parts)


def committed() -> str:
    """Return the page of the results that are kept."""
    return page(json.loads(RESULTS.read_text(encoding="utf-8")))
