"""From blocks to figures: what each configuration adds to ``none`` of its environment, and to whom it compares.

Blocks come in (see `benchmarks.rounds.Outcome`); cells go out, one for each kind and concurrency, each
with a row for every configuration. Added CPU is paired block by block; latencies are the middle of the
blocks' percentiles.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.configurations import Configuration
from benchmarks.stats import Estimate, centre, difference, estimate, ratio

Blocks = Sequence[Mapping[str, Any]]
FIELDS = ("loop_us", "process_us", "p50_us", "p99_us")


def nested(blocks: Iterable[Mapping[str, Any]], field: str) -> list[list[float]]:
    """Return one figure of the blocks by rounds, each in the order of its cycles and turns."""
    rounds: dict[int, list[tuple[int, int, float]]] = {}
    for block in blocks:
        rounds.setdefault(block["round"], []).append((block["cycle"], block["turn"], block[field]))
    return [[value for _, _, value in sorted(rounds[number])] for number in sorted(rounds)]


def paired(one: Blocks, other: Blocks, field: str) -> list[list[float]]:
    """Return the differences of ``one`` to ``other`` for the rounds, cycles and turns that both have."""

    def place(block: Mapping[str, Any]) -> tuple[int, int, int]:
        return block["round"], block["cycle"], block["turn"]

    both = {place(block) for block in one} & {place(block) for block in other}
    left, right = (nested((b for b in blocks if place(b) in both), field) for blocks in (one, other))
    return difference(left, right)


def cell(blocks: Blocks, reasons: Mapping[str, str], configurations: Sequence[Configuration]) -> dict[str, Any]:
    """Summarise the blocks of one kind at one concurrency.

    Args:
        blocks: Of this kind and concurrency.
        reasons: Why a configuration has no figures.
        configurations: Rows, in their order.

    Returns:
        The name of the lightest peer (by the process's CPU; None without any), and rows by configuration.
    """
    by_name = {one.name: [b for b in blocks if b["configuration"] == one.name] for one in configurations}
    rows: dict[str, dict[str, Any]] = {}
    added: dict[str, list[list[float]]] = {}
    for one in configurations:
        own, base = by_name[one.name], by_name.get(f"none@{one.environment}", [])
        if not own or not base:
            missing = "its environment's none has no figures" if own else "no figures"
            rows[one.name] = {"reason": reasons.get(one.name, missing)}
            continue
        row: dict[str, Any] = {field: centre(nested(own, field)) for field in FIELDS}
        if own is not base:
            for field in FIELDS:
                row[f"added_{field}"] = estimate(paired(own, base, field)).as_dict()
            added[one.name] = paired(own, base, "process_us")
        rows[one.name] = row
    peers = [one.name for one in configurations if one.kind == "peer" and one.name in added]
    lightest = min(peers, key=lambda name: centre(added[name]), default=None)
    if lightest is not None:
        for name, figures in added.items():
            if _shape(figures) == _shape(added[lightest]):
                rows[name]["times_lightest"] = ratio(figures, added[lightest]).as_dict()
    return {"lightest": lightest, "rows": rows}


def _shape(rounds: Sequence[Sequence[float]]) -> list[int]:
    return [len(cycles) for cycles in rounds]


def cells(outcome: Mapping[str, Any], configurations: Sequence[Configuration]) -> list[dict[str, Any]]:
    """Summarise one workload: a cell for each kind and concurrency that was measured."""
    blocks: Blocks = outcome["blocks"]
    kinds = dict.fromkeys((block["kind"], block["concurrency"]) for block in blocks)
    found: list[dict[str, Any]] = []
    for kind, concurrency in sorted(kinds):
        some = [b for b in blocks if (b["kind"], b["concurrency"]) == (kind, concurrency)]
        found.append({"kind": kind, "concurrency": concurrency, **cell(some, outcome["reasons"], configurations)})
    return found


def per_chunk(plain: Mapping[str, Any], stream: Mapping[str, Any], chunks: int) -> Estimate:
    """Return what each chunk of a stream adds beyond what a plain request adds, us; the interval is the widest.

    Args:
        plain: Row of a configuration for plain requests.
        stream: Its row for streams.
        chunks: Chunks of a stream.
    """
    one, many = plain["added_process_us"], stream["added_process_us"]
    return Estimate(
        (many["value"] - one["value"]) / chunks,
        (many["low"] - one["high"]) / chunks,
        (many["high"] - one["low"]) / chunks,
    )
