"""Bound handles, through which measurements come in.

Room: `aggregation`. A handle outlives its series: when a series has made room, what is recorded through its
handle counts where the series went, and when that one goes too, on where it went.
"""

from __future__ import annotations

import threading
import time
from contextvars import ContextVar
from typing import Any, Final

from opentelemetry import trace

from otel_llm_router.aggregation._cells import Histogram, Sum

measured_in: ContextVar[tuple[int, int] | None] = ContextVar("otel_llm_router.measured_in")
"""Trace and span id of what is being recorded off its own context; None when it is not sampled."""


class Series:
    """A bound handle: one instrument with one set of labels."""

    __slots__ = ("_lock", "cell", "used")

    def __init__(self, cell: Sum, lock: threading.Lock, used: float) -> None:
        self.cell: Sum | Moved = cell
        """What it adds to; changed with the lock held."""
        self.used = used
        """When it was last handed out, on the aggregation's clock."""
        self._lock = lock

    def add(self, value: float) -> None:
        """Add ``value`` to the sum."""
        with self._lock:
            self.cell.add(value)


class HistogramSeries:
    """A bound handle of a histogram."""

    __slots__ = ("_lock", "cell", "used")

    def __init__(self, cell: Histogram, lock: threading.Lock, used: float) -> None:
        self.cell: Histogram | Moved = cell
        """What it adds to; changed with the lock held."""
        self.used = used
        """When it was last handed out, on the aggregation's clock."""
        self._lock = lock

    def add(self, value: float) -> None:
        """Record ``value``, with the sampled span that it was measured in as exemplar."""
        with self._lock:
            cell = self.cell  # not before: the series may make room
            bucket = cell.add(value)
        ids = measured_in.get(_HERE)
        if ids is _HERE:
            ids = _sampled_span()
        if ids is not None:
            cell.exemplars[bucket] = (value, time.time_ns(), *ids)


class Moved:
    """In the place of a cell, for a handle whose series is gone: adds to what the series ``into`` adds to."""

    __slots__ = ("_into",)

    def __init__(self, into: Series | HistogramSeries) -> None:
        self._into = into

    def add(self, value: float) -> Any:
        """Add to the other series' cell and return what that does. Callers hold the lock."""
        return self._into.cell.add(value)

    @property
    def exemplars(self) -> dict[int, Any]:
        """Return the exemplars of the other series' histogram."""
        return self._into.cell.exemplars  # type: ignore[union-attr]  # a histogram's goes to a histogram


_HERE: Final = (0, 0)


def _sampled_span() -> tuple[int, int] | None:
    context = trace.get_current_span().get_span_context()
    return (context.trace_id, context.span_id) if context.trace_flags.sampled and context.is_valid else None
