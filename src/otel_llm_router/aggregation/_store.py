"""The one cumulative aggregation of our own scope, which every door reads.

Room: `aggregation`. Measurements come in through bound handles; snapshots go out. Bounded: an
instrument keeps `MAX_SERIES` label sets, and what is beyond them goes to one overflow series.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final, Literal
from weakref import WeakSet

from opentelemetry import trace
from opentelemetry.metrics import CallbackOptions, Observation

from otel_llm_router.aggregation._cells import GaugePoint, Histogram, Point, Sum, SumPoint
from otel_llm_router.aggregation._points import Labels, Numbers

_logger = logging.getLogger("otel_llm_router")

MAX_SERIES: Final = 2000
"""Label sets of one instrument; the SDK's own limit, and its name for what is beyond."""

OVERFLOW: Final = (("otel.metric.overflow", "true"),)

Shape = Literal["counter", "up_down_counter", "histogram", "gauge"]

Callback = Callable[[CallbackOptions], Iterable[Observation]]

measured_in: ContextVar[tuple[int, int] | None] = ContextVar("otel_llm_router.measured_in")
"""Trace and span id of what is being recorded off its own context; None when it is not sampled."""


@dataclass(frozen=True, kw_only=True)
class Description:
    """What an instrument is: its name and how its points read."""

    name: str
    shape: Shape
    unit: str = ""
    description: str = ""
    bounds: tuple[float, ...] = ()


Snapshot = Mapping[Description, Mapping[Labels, Point]]
"""Every instrument that has a point, and its points by labels."""


class Series:
    """A bound handle: one instrument with one set of labels."""

    __slots__ = ("_lock", "cell")

    def __init__(self, cell: Sum, lock: threading.Lock) -> None:
        self.cell = cell
        self._lock = lock

    def add(self, value: float) -> None:
        """Add ``value`` to the sum."""
        with self._lock:
            self.cell.add(value)


class HistogramSeries:
    """A bound handle of a histogram."""

    __slots__ = ("_lock", "cell")

    def __init__(self, cell: Histogram, lock: threading.Lock) -> None:
        self.cell = cell
        self._lock = lock

    def add(self, value: float) -> None:
        """Record ``value``, with the sampled span that it was measured in as exemplar."""
        cell = self.cell
        with self._lock:
            bucket = cell.add(value)
        ids = measured_in.get(_HERE)
        if ids is _HERE:
            ids = _sampled_span()
        if ids is not None:
            cell.exemplars[bucket] = (value, time.time_ns(), *ids)


_HERE: Final = (0, 0)


def _sampled_span() -> tuple[int, int] | None:
    context = trace.get_current_span().get_span_context()
    return (context.trace_id, context.span_id) if context.trace_flags.sampled and context.is_valid else None


class Family:
    """One instrument: its series, or the callbacks that know them."""

    def __init__(self, description: Description, lock: threading.Lock) -> None:
        self.description = description
        self.callbacks: list[Callback] = []
        self._lock = lock
        self._series: dict[Labels, Series | HistogramSeries] = {}
        self._keys: dict[frozenset[tuple[str, str]], Labels] = {}

    def bind(self, labels: Mapping[str, Any]) -> Series | HistogramSeries:
        """Return the handle of one set of labels; the same labels have the same handle."""
        key = labels_of(labels)
        series = self._series.get(key)
        if series is None:
            with self._lock:
                key = self._keys.setdefault(frozenset(key), key)  # in another order they are the same labels
                if key not in self._series and len(self._series) >= MAX_SERIES:
                    key = OVERFLOW
                series = self._series.get(key) or self._series.setdefault(key, self._new())
        return series

    def _new(self) -> Series | HistogramSeries:
        start = time.time_ns()
        if self.description.shape == "histogram":
            return HistogramSeries(Histogram(start, self.description.bounds), self._lock)
        return Series(Sum(start), self._lock)

    def observe(self, started: int) -> dict[Labels, Point]:
        """Ask the callbacks; the aggregation began at ``started``."""
        found: dict[Labels, Point] = {}
        gauge = self.description.shape == "gauge"
        for callback in self.callbacks:
            for labels, value in _observed(callback):
                point = GaugePoint(value) if gauge else SumPoint(value, started)
                # Two callbacks may report one series: they are one.
                found[labels] = found[labels] + point if labels in found else point  # type: ignore[operator]  # one shape
        return found

    def points(self) -> Mapping[Labels, Point]:
        """Return what was recorded.

        A thread that records waits for one series at the most: sums are read without the lock, since one
        is one number, and histograms with the lock for each.
        """
        with self._lock:
            found, series = list(self._series), list(self._series.values())
        if self.description.shape != "histogram":
            cells: list[Any] = [one.cell for one in series]
            return Numbers(found, [cell.value for cell in cells], lambda: [cell.start for cell in cells])
        points: dict[Labels, Point] = {}
        for labels, one in zip(found, series, strict=True):
            with self._lock:
                points[labels] = one.cell.point()
        return points

    def clear(self) -> None:
        """Forget every series; handles that were given out before add to nothing that is seen."""
        self._series.clear()
        self._keys.clear()


def _observed(callback: Callback) -> list[tuple[Labels, float]]:
    try:
        return [
            (labels_of(one.attributes or {}), one.value)
            for one in callback(CallbackOptions())
            if math.isfinite(one.value)
        ]
    except Exception:  # one callback must not cost the others their points
        _logger.debug("an observable instrument's callback failed", exc_info=True)
        return []


def labels_of(attributes: Mapping[str, Any]) -> Labels:
    """Return attributes as labels whose text every exporter can encode."""
    return tuple((key, _text(value)) for key, value in attributes.items())


def _text(value: Any) -> str:
    text = value if type(value) is str else str(value)
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


class Aggregation:
    """Every instrument of our scope."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self._families: dict[str, Family] = {}
        self._started = time.time_ns()
        _all.add(self)

    def family(self, description: Description) -> Family:
        """Return the instrument called so; a second one of that name with another description is the first."""
        with self.lock:
            family = self._families.get(description.name)
            if family is None:
                family = self._families[description.name] = Family(description, self.lock)
        if family.description != description:
            _logger.warning(
                "otel-llm-router: instrument %s is declared twice, as %s and as %s; the first one holds",
                description.name,
                family.description,
                description,
            )
        return family

    def snapshot(self, settle: Callable[[], None] = lambda: None) -> Snapshot:
        """Return every point there is now.

        Args:
            settle: Called when every callback has been asked, since asking them may bring records about,
                and before what was recorded is read.
        """
        observed = {family: family.observe(self._started) for family in self._all() if family.callbacks}
        settle()
        found = {family.description: observed.get(family) or family.points() for family in self._all()}
        return {description: points for description, points in found.items() if points}

    def _all(self) -> list[Family]:
        with self.lock:
            return list(self._families.values())

    def restart(self) -> None:
        """Begin again at zero; for a process that was forked, which is another one than what it inherited."""
        self._started = time.time_ns()
        for family in self._families.values():
            family.clear()


_all: WeakSet[Aggregation] = WeakSet()
_held: list[Aggregation] = []


def _before_fork() -> None:
    for aggregation in list(_all):
        aggregation.lock.acquire()
        _held.append(aggregation)


def _after_fork() -> None:
    while _held:
        _held.pop().lock.release()


def _in_child() -> None:
    for aggregation in _held:
        aggregation.restart()
    _after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)
