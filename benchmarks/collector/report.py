"""The page about the Collector's measurements, from the results that are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

RESULTS: Final = Path(__file__).resolve().parents[1] / "results" / "collector.json"

_HEAD: Final = """# What the Collector holds and costs

<!-- Written by scripts/generate from benchmarks/results/collector.json; change that, or benchmarks/collector. -->

The files of [collector-config](../collector-config/README.md), on our own small Collector, real sockets and real signals.
`scripts/bench-collector` runs it again and writes this page.
"""
_KILLS: Final = """## Killed under load

A router sends 1,000 log records a second, 50 in a request, and sends again what was not answered with 200. The Collector is killed
with SIGKILL up to a second after it is ready, and started again. It has three back ends: one that takes OTLP and is always there,
one that speaks Elasticsearch's bulk API and is away a quarter of the time, one that is never there. What counts is a record that was
answered with 200 and never arrived.
"""
_AT_START: Final = """### Killed again while it starts

The same, and each start is preceded by one that is killed before it is ready. The Collector takes what was being sent when it was
killed out of its queue before it puts it in again, in two transactions; a second kill between the two loses that, at most what
its `num_consumers` held (4 batches of 2 MiB). This falls short; it is the Collector's own, and no configuration of ours changes it.
"""
_DISK: Final = """## A full disk

The queues are on a file system of 32 MB (tmpfs in a mount namespace of its own), the back end is away, and records of 2 kB come as
fast as they are taken until the disk is full. The Collector is killed there, started again on the full disk, and the back end comes
back. `otel-llm-router collector run` keeps up to 32 MB of the disk free for this start; without that, batches that were being sent are
lost.
"""
_THROUGHPUT: Final = """## CPU and memory

Log records of about 450 bytes with 4 attributes, 50 in a request, over one connection on which one request follows the other; so the
highest rate is what one sender reaches, not the most that a Collector takes. Memory limit, redaction and classification are on,
queues are on disk without fsync, the back ends are a process that reads and answers. Cores are the Collector's own CPU time. Where less
than the rate arrived, the machine had other things to do, or the answers took their time: size by cores for 1,000 records/s.
"""
_MIXTURE: Final = """### What routers send

Three spans to two log records, of about 400 bytes each, in requests of 30 spans and of 20 records in turn, over one connection; else as above. The
gateway asks for a token, and decides on each trace after a second, not 30, and keeps all of them: with a share of them it costs less.
"""


def page(results: Mapping[str, Any]) -> str:
    """Return the page of some results."""
    parts = [_HEAD]
    for name, text in (("kills", _KILLS), ("kills_at_start", _AT_START), ("disk", _DISK)):
        if name in results:
            rows = "\n".join(f"| {key} | {_text(value)} |" for key, value in results[name]["figures"].items())
            parts.append(f"{text}\n| | |\n| --- | --- |\n{rows}\n\n{_when(results[name])}\n")
    for name, text in (("throughput", _THROUGHPUT), ("mixture", _MIXTURE)):
        if name in results:
            figures = results[name]["figures"]
            heads = list(figures[0])
            lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
            lines += [f"| {' | '.join(_text(one[head]) for head in heads)} |" for one in figures]
            parts.append(f"{text}\n" + "\n".join(lines) + f"\n\n{_when(results[name])}\n")
    return "\n".join(parts)


def committed() -> str:
    """Return the page of the results that are kept."""
    return page(json.loads(RESULTS.read_text(encoding="utf-8")))


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{key}: {count}" for key, count in value.items())  # pyright: ignore[reportUnknownVariableType]
    return f"{value:,}" if isinstance(value, int) else str(value)


def _when(result: Mapping[str, Any]) -> str:
    machine = result["machine"]
    load = f", load {machine['load'][0]} at the end" if machine.get("load") else ""
    return f"On {result['on']}, {machine['cores']} cores, {machine['system']} {machine['architecture']}{load}."
