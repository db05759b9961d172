"""The one cumulative aggregation of our own scope, which every door reads.

Room: `aggregation`. Measurements come in through bound handles; snapshots go out. Bounded: an
instrument keeps `MAX_SERIES` label sets, and what is beyond them goes to one overflow series, unless
one of them was not used for long and can go there in its place.
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
from heapq import nsmallest
from time import monotonic
from typing import Any, Final, Literal
from weakref import WeakSet

from opentelemetry import trace
from opentelemetry.metrics import CallbackOptions, Observation

from otel_llm_router.aggregation._cells import GaugePoint, Histogram, Point, Sum, SumPoint
from otel_llm_router.aggregation._folding import Foldable
from otel_llm_router.signals import options

_logger = logging.getLogger("otel_llm_router")

MAX_SERIES: Final = 2000
"""Label sets of one instrument; the SDK's own limit, and its name for what is beyond."""

OVERFLOW: Final = (("otel.metric.overflow", "true"),)

IDLE: Final = float(options.LABEL_IDLE.default)
"""Seconds after which a label set that was not used makes room for another one."""

HELD: Final = 60.0
"""Seconds for which a handle may be used without being asked for again."""

LOOK: Final = 1.0
"""Least seconds between two looks for label sets that were not used for long."""

BATCH: Final = 64
"""Label sets that make room at once."""

Labels = tuple[tuple[str, str], ...]
"""Labels of a series, in the order in which they were first given."""

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


def merge(*snapshots: Snapshot) -> Snapshot:
    """Return several snapshots, of several processes, as one.

    Counts add up from the earliest start; so do gauges, since what two processes hold is held twice. A
    histogram whose bounds differ from the first one's is left out and said.
    """
    merged: dict[Description, dict[Labels, Point]] = {}
    for snapshot in snapshots:
        for description, points in snapshot.items():
            into = merged.setdefault(description, {})
            for labels, point in points.items():
                into[labels] = into[labels] + point if labels in into else point  # type: ignore[operator]  # one shape each
    return merged


class Series(Foldable):
    """A bound handle: one instrument with one set of labels."""

    __slots__ = ("_lock",)

    cell: Sum

    def __init__(self, cell: Sum, lock: threading.Lock) -> None:
        super().__init__()
        self.cell = cell
        self._lock = lock

    def add(self, value: float) -> None:
        """Add ``value`` to the sum."""
        with self._lock:
            self.cell.add(value)


class HistogramSeries(Foldable):
    """A bound handle of a histogram."""

    __slots__ = ("_lock",)

    cell: Histogram

    def __init__(self, cell: Histogram, lock: threading.Lock) -> None:
        super().__init__()
        self.cell = cell
        self._lock = lock

    def add(self, value: float) -> None:
        """Record ``value``, with the sampled span that it was measured in as exemplar."""
        with self._lock:
            cell = self.cell  # not before: a series may become part of another one
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


Handle = Series | HistogramSeries

Handles = Mapping[Description, Mapping[Labels, Handle]]
"""The handle of every point that was not observed, as it was when the point was read."""


class Family:
    """One instrument: its series, or the callbacks that know them.

    Args:
        description: What it is.
        lock: The aggregation's.
        idle: Seconds after which a label set that was not used can make room; 0 for never.
        clock: What those seconds are measured with.
    """

    def __init__(
        self, description: Description, lock: threading.Lock, idle: float = IDLE, clock: Callable[[], float] = monotonic
    ) -> None:
        self.description = description
        self.callbacks: list[Callback] = []
        self._lock = lock
        self._idle = idle
        self._clock = clock
        self._look = 0.0
        self._series: dict[Labels, Handle] = {}
        self._keys: dict[frozenset[tuple[str, str]], Labels] = {}

    def bind(self, labels: Mapping[str, Any]) -> Handle:
        """Return the handle of one set of labels; the same labels have the same handle."""
        key = labels_of(labels)
        series = self._series.get(key)
        if series is None:
            with self._lock:
                series = self._at(key)
        series.used = self._clock()
        return series

    def _at(self, key: Labels) -> Handle:
        key = self._keys.get(frozenset(key), key)  # in another order they are the same labels
        series = self._series.get(key)
        if series is None:
            if len(self._series) - (OVERFLOW in self._series) >= MAX_SERIES and not self._make_room():
                key = OVERFLOW
            series = self._series.get(key) or self._series.setdefault(key, self._new())
            self._keys[frozenset(key)] = key
        return series

    def _make_room(self) -> bool:
        """Let label sets that were not used for long become part of the overflow series, the longest ago first."""
        now = self._clock()
        if not self._idle or now < self._look:
            return False
        latest = now - self._idle - HELD
        held = self.description.shape == "up_down_counter"  # something is under way where it is not 0
        idle = [
            (series.used, labels)
            for labels, series in self._series.items()
            if series.used <= latest and labels != OVERFLOW and not (held and series.cell.point().value)  # type: ignore[union-attr]  # a sum
        ]
        for _, labels in nsmallest(BATCH, idle):
            self._fold(labels, OVERFLOW)
        self._look = now + LOOK
        return bool(idle)

    def fold(self, key: str, value: str, into: str) -> None:
        """Make every series with label ``key=value`` part of the one with ``key=into``."""
        old, new = (key, value), (key, into)
        with self._lock:
            for labels in [labels for labels in self._series if old in labels]:
                self._fold(labels, tuple(new if label == old else label for label in labels))

    def _fold(self, labels: Labels, into: Labels) -> None:
        series = self._series.pop(labels)
        del self._keys[frozenset(labels)]
        target = self._series.get(self._keys.get(frozenset(into), into))
        if target is None:
            target = self._at(into)
            target.cell.start, target.used = series.cell.start, series.used
        series.fold(target)

    def _new(self) -> Handle:
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

    def points(self) -> tuple[dict[Labels, Point], dict[Labels, Handle]]:
        """Return what was recorded, and the handle of each point."""
        with self._lock:
            return {labels: series.cell.point() for labels, series in self._series.items()}, self._series.copy()

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
    """Every instrument of our scope.

    Args:
        idle: Seconds after which a label set that was not used can make room; 0 for never.
        clock: What those seconds are measured with.
    """

    def __init__(self, *, idle: float = IDLE, clock: Callable[[], float] = monotonic) -> None:
        self._idle = idle
        self._clock = clock
        self.lock = threading.Lock()
        self._families: dict[str, Family] = {}
        self._started = time.time_ns()
        _all.add(self)

    def family(self, description: Description) -> Family:
        """Return the instrument called so; a second one of that name with another description is the first."""
        with self.lock:
            family = self._families.get(description.name)
            if family is None:
                family = self._families[description.name] = Family(description, self.lock, self._idle, self._clock)
        if family.description != description:
            _logger.warning(
                "otel-llm-router: instrument %s is declared twice, as %s and as %s; the first one holds",
                description.name,
                family.description,
                description,
            )
        return family

    def fold(self, name: str, key: str, value: str, into: str) -> None:
        """Make the series of instrument ``name`` with label ``key=value`` part of those with ``key=into``.

        Sums over the instrument stay what they are. Handles of the old series add to the new ones; the same
        labels, when they come again, are a new series that begins at 0.
        """
        family = self._families.get(name)
        if family is not None:
            family.fold(key, value, into)

    def snapshot(self, settle: Callable[[], None] = lambda: None) -> Snapshot:
        """Return every point there is now; ``settle`` is as for `read`."""
        return self.read(settle)[0]

    def read(self, settle: Callable[[], None] = lambda: None) -> tuple[Snapshot, Handles]:
        """Return every point there is now, and the handles of those that were recorded.

        Args:
            settle: Called when every callback has been asked, since asking them may bring records about,
                and before what was recorded is read.
        """
        observed = {family: family.observe(self._started) for family in self._all() if family.callbacks}
        settle()
        points: dict[Description, Mapping[Labels, Point]] = {}
        handles: dict[Description, Mapping[Labels, Handle]] = {}
        for family in self._all():
            found = observed.get(family)
            if not found:
                found, handles[family.description] = family.points()
            if found:
                points[family.description] = found
        return points, handles

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
