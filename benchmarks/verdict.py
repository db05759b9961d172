"""The goals of the hot path, and whether a run's figures reach them.

A goal is missed when its figure is beyond the limit, whatever the interval says; where the interval has the
limit inside it, that is said. A ratio to a peer whose cost the run cannot tell from nothing is not resolved.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.configurations import CONFIGURATIONS
from benchmarks.router import CHUNKS
from benchmarks.stats import Estimate, estimate, ratio
from benchmarks.summary import per_chunk

OURS: Final = "ours"
PEERS: Final = frozenset(one.name for one in CONFIGURATIONS if one.kind == "peer")


@dataclass(frozen=True)
class Verdict:
    """One goal and what was found.

    Args:
        goal: In words, with its limit.
        found: The figure with its interval.
        limit: What the figure must not be above.
        unit: Of both.
    """

    goal: str
    found: Estimate
    limit: float
    unit: str

    @property
    def verdict(self) -> str:
        """``reached``, ``MISSED`` or ``not resolved``."""
        if math.isinf(self.found.value):
            return "not resolved"
        return "reached" if self.found.value <= self.limit else "MISSED"

    @property
    def sure(self) -> bool:
        """Whether all of its interval is on the same side."""
        return self.found.high <= self.limit or self.found.low > self.limit or math.isinf(self.found.value)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "goal": self.goal,
            "found": self.found.as_dict(),
            "limit": self.limit,
            "unit": self.unit,
            "verdict": self.verdict,
            "sure": self.sure,
        }


_ACROSS: Final = (("value", "value"), ("low", "high"), ("high", "low"))


def verdicts(results: Mapping[str, Any]) -> list[Verdict]:
    """Return every goal that a run has figures for."""
    found: list[Verdict] = []
    for workload, cells in results["workloads"].items():
        found.extend(_router(workload, cells))
    found.extend(_stalls(results["stalls"]))
    found.extend(_memory(results["memory"]))
    found.extend(_micro(results["micro"]))
    return found


def _router(workload: str, cells: list[dict[str, Any]]) -> Iterator[Verdict]:
    rows = {(one["kind"], one["concurrency"]): one["rows"] for one in cells}
    for one in cells:
        own = one["rows"].get(OURS, {})
        where = f"{workload}, {one['kind']}, concurrency {one['concurrency']}"
        if "times_lightest" in own and one["kind"] == "plain":
            yield Verdict(
                f"{where}: added CPU at most 0.25 x the lightest peer's ({one['lightest']})",
                Estimate.of_dict(own["times_lightest"]),
                0.25,
                "x",
            )
        peer = one["rows"].get(one["lightest"], {})
        if one["concurrency"] > 1 and "added_p99_us" in own and "added_p99_us" in peer:
            mine, theirs = own["added_p99_us"], peer["added_p99_us"]
            beyond = ((mine[key] - theirs[other]) / 1e3 for key, other in _ACROSS)  # as wide as both together
            yield Verdict(
                f"{where}: added p99 latency not above the lightest peer's ({one['lightest']}), by how much it is",
                Estimate(*beyond),
                0,
                "ms",
            )
        plain = rows.get(("plain", one["concurrency"]), {}).get(OURS, {})
        if one["kind"] == "stream" and "added_process_us" in own and "added_process_us" in plain:
            yield Verdict(f"{where}: at most 0.5 us per chunk", per_chunk(plain, own, CHUNKS), 0.5, "us")


def _stalls(stalls: Mapping[str, Mapping[str, Any]]) -> Iterator[Verdict]:
    none = stalls.get("none", {}).get("longest", [])
    for state in ("up", "refused", "hanging"):
        longest = stalls.get(state, {}).get("longest", [])
        if longest and len(longest) == len(none):
            beyond = [one - other for one, other in zip(longest, none, strict=True)]
            found = Estimate(statistics.median(beyond), min(beyond), max(beyond))  # of all windows, not resampled
            yield Verdict(f"collector {state}: event loop never stalled over 10 ms by us", found, 10, "ms")


def _memory(memory: Mapping[str, Mapping[str, Any]]) -> Iterator[Verdict]:
    own = memory.get(OURS, {})
    if "last_mib" not in own:
        return
    first, last = own["requests"]
    grown = own["last_mib"] - own["first_mib"]
    yield Verdict(f"memory after {last} requests within 15 MiB of after {first}", _exactly(grown), 15, "MiB")
    added: dict[str, float] = {}
    for one in CONFIGURATIONS:
        row, base = memory.get(one.name, {}), memory.get(f"none@{one.environment}", {})
        if "last_mib" in row and "last_mib" in base:
            added[one.name] = row["last_mib"] - base["last_mib"]
    lightest = min((value for name, value in added.items() if name in PEERS), default=None)
    if lightest is not None:
        yield Verdict("memory added, at most the lightest peer's", _exactly(added[OURS]), lightest, "MiB")


def _micro(micro: Mapping[str, list[float]]) -> Iterator[Verdict]:
    def with_figures(*names: str) -> bool:
        return all(micro.get(name) for name in names)

    own, stock, merge = (f"scrape of 10000, {name}" for name in ("ours", "stock exporter", "merge of 4"))
    if with_figures(own, stock):
        yield Verdict(
            "scrape of 10,000 samples, at most 0.5 x the stock exporter's", _over(micro, own, stock), 0.5, "x"
        )
    if with_figures(own, merge):
        both = [one + other for one, other in zip(micro[own], micro[merge], strict=True)]
        joined = {"both": both, "one": micro[own]}
        yield Verdict(
            "scrape merged over 4 workers, at most 1.5 x one's (a merge and a scrape)",
            _over(joined, "both", "one"),
            1.5,
            "x",
        )
    limits: Mapping[str, tuple[float, str]] = {
        "import, otel_llm_router.telemetry": (50, "ms"),
        "import, otel_llm_router.distro": (50, "ms"),
        "import, entry points": (50, "ms"),
        "idle CPU, otel-llm-router": (0.1, "%"),
    }
    for name, (limit, unit) in limits.items():
        if with_figures(name):
            yield Verdict(f"{name}: under {limit:g} {unit}", estimate([micro[name]]), limit, unit)


def _over(figures: Mapping[str, list[float]], one: str, other: str) -> Estimate:
    return ratio([figures[one]], [figures[other]])


def _exactly(value: float) -> Estimate:
    return Estimate(value, value, value)
