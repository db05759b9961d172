"""The one cumulative aggregation of our own scope, which every door reads.

Room: `aggregation`. Measurements come in through bound handles; snapshots go out. Bounded: an
instrument keeps `MAX_SERIES` label sets, and what is beyond them goes to one overflow series, unless
some of them were not used for long and make room.
"""

from __future__ import annotations

import logging
import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import nsmallest
from time import monotonic
from typing import Any, Final, Literal, NamedTuple
from weakref import WeakSet

from opentelemetry.metrics import CallbackOptions, Observation

from otel_llm_router.aggregation._cells import GaugePoint, Histogram, HistogramPoint, Point, Sum, SumPoint, together
from otel_llm_router.aggregation._handles import HistogramSeries, Moved, Series
from otel_llm_router.aggregation._points import Labels, Numbers
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

MAX_ENDED: Final = 500
"""Label sets of one instrument that have made room and whose counts are kept, where that is asked for."""

Shape = Literal["counter", "up_down_counter", "histogram", "gauge"]

Callback = Callable[[CallbackOptions], Iterable[Observation]]


@dataclass(frozen=True, kw_only=True)
class Description:
    """What an instrument is: its name and how its points read."""

    name: str
    shape: Shape
    unit: str = ""
    description: str = ""
    bounds: tuple[float, ...] = ()
    merge: str = "sum"
    """How the values of several processes become one; see `signals.Merge`."""


Snapshot = Mapping[Description, Mapping[Labels, Point]]
"""Every instrument that has a point, and its points by labels."""


class Whole(NamedTuple):
    """All that one process has to say."""

    recorded: Snapshot
    """What was recorded."""
    observed: Snapshot
    """What callbacks know."""
    ended: Snapshot
    """Counts of series that have made room, as far as they are kept."""


Handle = Series | HistogramSeries


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
        self._start = 0
        self._series: dict[Labels, Handle] = {}
        self._keys: dict[frozenset[tuple[str, str]], Labels] = {}
        self._ended: dict[Labels, SumPoint | HistogramPoint] = {}
        self.keep_ended = False

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
        """End the series of label sets that were not used for long, the longest ago first."""
        now = self._clock()
        if not self._idle or now < self._look:
            return False
        latest = now - self._idle - HELD
        level = self.description.shape == "up_down_counter"  # something is under way where it is not 0
        idle = [
            (series.used, labels)
            for labels, series in self._series.items()
            if series.used <= latest and labels != OVERFLOW and not (level and _sum(series).value)
        ]
        for _, labels in nsmallest(BATCH, idle):
            self._end(labels, OVERFLOW)
        self._look = now + LOOK
        return bool(idle)

    def retire(self, key: str, value: str, into: str) -> None:
        """End every series with label ``key=value``; see `Aggregation.retire`."""
        old, new = (key, value), (key, into)
        with self._lock:
            for labels in [labels for labels in self._series if old in labels]:
                self._end(labels, tuple(new if label == old else label for label in labels))

    def _end(self, labels: Labels, into: Labels) -> None:
        series = self._series.pop(labels)
        del self._keys[frozenset(labels)]
        target = self._at(into)
        if self.description.shape == "up_down_counter":
            target.cell.add(_sum(series).value)
        elif self.keep_ended:
            self._keep(labels, series.cell.point())  # type: ignore[union-attr]  # pyright: ignore[reportAttributeAccessIssue]  # of a live series
        series.cell = Moved(target)

    def _keep(self, labels: Labels, point: SumPoint | HistogramPoint) -> None:
        """Keep what a series had counted, the latest `MAX_ENDED` of them."""
        labels = tuple(sorted(labels))
        before = self._ended.pop(labels, None)
        self._ended[labels] = point if before is None else together(before, point)
        if len(self._ended) > MAX_ENDED:
            del self._ended[next(iter(self._ended))]

    def _new(self) -> Handle:
        self._start = max(time.time_ns(), self._start + 1)  # whatever the clock does, no two series begin at once
        if self.description.shape == "histogram":
            return HistogramSeries(Histogram(self._start, self.description.bounds), self._lock, self._clock())
        return Series(Sum(self._start), self._lock, self._clock())

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

    def pulse(self) -> float:
        """Return a number that changes when something is counted."""
        with self._lock:
            cells: list[Any] = [one.cell for one in self._series.values()]
        shape = self.description.shape
        return sum(cell.count if shape == "histogram" else cell.value for cell in cells)

    def points(self) -> Mapping[Labels, Point]:
        """Return what was recorded; see `read`."""
        return self.read()[0]

    def read(self) -> tuple[Mapping[Labels, Point], Mapping[Labels, Point]]:
        """Return what was recorded, and what series had counted that have made room.

        A thread that records waits for one series at the most: sums are read without the lock, since one
        is one number, and histograms with the lock for each. Only what can go from one series to another is
        read at once.
        """
        shape = self.description.shape
        with self._lock:
            found = list(self._series)
            cells: list[Any] = [one.cell for one in self._series.values()]
            levels = [cell.value for cell in cells] if shape == "up_down_counter" else None
            ended = dict(self._ended)
        if shape != "histogram":
            values = levels or [cell.value for cell in cells]
            return Numbers(found, values, lambda: [cell.start for cell in cells]), ended
        points: dict[Labels, Point] = {}
        for labels, cell in zip(found, cells, strict=True):
            with self._lock:
                points[labels] = cell.point()
        return points, ended

    def clear(self) -> None:
        """Forget every series; handles that were given out before add to nothing that is seen."""
        self._series.clear()
        self._keys.clear()
        self._ended.clear()


def _sum(series: Handle) -> Sum:
    """Return the cell of a live series of sums."""
    return series.cell  # type: ignore[return-value]  # pyright: ignore[reportReturnType]


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
        self._keep_ended = False
        self._started = time.time_ns()
        _all.add(self)

    def family(self, description: Description) -> Family:
        """Return the instrument called so; a second one of that name with another description is the first."""
        with self.lock:
            family = self._families.get(description.name)
            if family is None:
                family = self._families[description.name] = Family(description, self.lock, self._idle, self._clock)
                family.keep_ended = self._keep_ended
        if family.description != description:
            _logger.warning(
                "otel-llm-router: instrument %s is declared twice, as %s and as %s; the first one holds",
                description.name,
                family.description,
                description,
            )
        return family

    def retire(self, name: str, key: str, value: str, into: str) -> None:
        """End every series of instrument ``name`` with label ``key=value``, since the value makes room.

        What a counter or a histogram counted ends with it: added to another series it would look like new
        there. An up-down counter is a level, which goes to the series with ``key=into``. What handles of an
        ended series still record goes there too. The same labels, when they come again, are a new series that
        begins at 0, later.
        """
        family = self._families.get(name)
        if family is not None:
            family.retire(key, value, into)

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

    def keep_ended(self) -> None:
        """Keep what series have counted that make room from now on: another process may have them still.

        Their sum over processes would fall otherwise. Bounded: the latest `MAX_ENDED` of each instrument.
        """
        with self.lock:
            self._keep_ended = True
            for family in self._families.values():
                family.keep_ended = True

    def pulse(self) -> Sequence[float]:
        """Return numbers that change when something is counted; far cheaper than to read all of it."""
        return [one.pulse() for one in self._all() if not one.callbacks and one.description.shape != "up_down_counter"]

    def whole(self, settle: Callable[[], None] = lambda: None, *, observe: bool = True) -> Whole:
        """Return what was recorded, what callbacks know, and what series had counted that have made room.

        Args:
            settle: See `snapshot`.
            observe: Whether the callbacks are asked.
        """
        observed: dict[Description, Mapping[Labels, Point]] = {}
        if observe:
            observed = {family.description: family.observe(self._started) for family in self._all() if family.callbacks}
        settle()
        recorded: dict[Description, Mapping[Labels, Point]] = {}
        ended: dict[Description, Mapping[Labels, Point]] = {}
        for family in self._all():
            if not family.callbacks:
                recorded[family.description], ended[family.description] = family.read()
        return Whole(*({one: points for one, points in part.items() if points} for part in (recorded, observed, ended)))

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
