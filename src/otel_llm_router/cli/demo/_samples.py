"""Samples of a Prometheus text exposition, to be summed by name and labels.

Room: `cli`. The text of a scrape comes in, or OTLP metrics under their Prometheus names; sums go out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from prometheus_client.parser import text_string_to_metric_families


class Samples:
    """Values of one moment, by sample name."""

    def __init__(self) -> None:
        self._samples: dict[str, list[tuple[Mapping[str, str], float]]] = defaultdict(list)

    @classmethod
    def of_text(cls, text: str) -> Samples:
        """Read a scrape."""
        samples = cls()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                samples.add(sample.name, sample.labels, sample.value)
        return samples

    def add(self, name: str, labels: Mapping[str, str], value: float) -> None:
        """Add one sample."""
        self._samples[name].append((labels, value))

    def sum(self, name: str, **labels: str | Iterable[str]) -> float:
        """Return the sum of the samples called ``name`` whose labels have the given values.

        A label given several values matches any of them.
        """
        wanted = {key: {value} if isinstance(value, str) else set(value) for key, value in labels.items()}
        return sum(
            value
            for found, value in self._samples.get(name, ())
            if all(found.get(key) in values for key, values in wanted.items())
        )

    def has(self, name: str) -> bool:
        """Return whether there is a sample called ``name``."""
        return bool(self._samples.get(name))

    def series(self, name: str) -> dict[frozenset[tuple[str, str]], float]:
        """Return every sample called ``name`` by its labels."""
        return {frozenset(labels.items()): value for labels, value in self._samples.get(name, ())}

    def quantile(self, name: str, q: float) -> float | None:
        """Return a quantile of histogram ``name`` by linear interpolation, as PromQL's does; None without records."""
        totals: dict[float, float] = defaultdict(float)
        for labels, value in self._samples.get(f"{name}_bucket", ()):
            totals[float(labels["le"])] += value
        bounds = sorted(totals)
        if not bounds or not totals[bounds[-1]]:
            return None
        rank, lower, below = q * totals[bounds[-1]], 0.0, 0.0
        for bound in bounds:
            if totals[bound] >= rank:
                if bound == float("inf"):
                    return lower
                inside = totals[bound] - below
                return lower + (bound - lower) * ((rank - below) / inside if inside else 1.0)
            lower, below = bound, totals[bound]
        return lower
