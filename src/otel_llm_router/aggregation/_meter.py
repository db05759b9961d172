"""OpenTelemetry's ``Meter`` on our aggregation.

Room: `aggregation`. Implements the API's abstract classes, so that `telemetry` needs to know nothing
of it. What it offers beyond them, a caller finds by looking: ``bind`` of an instrument gives a
handle for one set of labels, whose ``add`` is all the work of a record.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from opentelemetry import metrics
from opentelemetry.context import Context
from opentelemetry.metrics import CallbackT
from opentelemetry.util.types import Attributes

from otel_llm_router import signals
from otel_llm_router.aggregation._store import Aggregation, Description, Family, HistogramSeries, Series, Shape


class _Instrument:
    """What all instruments share: a family."""

    def __init__(self, family: Family) -> None:
        self._family = family

    def bind(self, attributes: Attributes = None) -> Series | HistogramSeries:
        """Return the handle of one set of labels."""
        return self._family.bind(attributes or {})

    def _take(self, value: float, attributes: Attributes, *, negative: bool = False) -> None:
        # Values that no sum recovers from are dropped here: the API's callers can be anyone.
        if math.isfinite(value) and (negative or value >= 0):
            self.bind(attributes).add(value)


class _Counter(_Instrument, metrics.Counter):
    def add(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:  # noqa: ARG002
        self._take(amount, attributes)


class _UpDownCounter(_Instrument, metrics.UpDownCounter):
    def add(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:  # noqa: ARG002
        self._take(amount, attributes, negative=True)


class _Histogram(_Instrument, metrics.Histogram):
    def record(self, amount: float, attributes: Attributes = None, context: Context | None = None) -> None:  # noqa: ARG002
        self._take(amount, attributes)


class _ObservableCounter(_Instrument, metrics.ObservableCounter):
    pass


class _ObservableUpDownCounter(_Instrument, metrics.ObservableUpDownCounter):
    pass


class _ObservableGauge(_Instrument, metrics.ObservableGauge):
    pass


class Meter(metrics.Meter):
    """Makes instruments on an aggregation.

    Args:
        aggregation: Where their numbers are kept.
        fallback: Meter for the kind of instrument that is not kept here (the synchronous gauge).
        version: Version of the scope.
    """

    def __init__(self, aggregation: Aggregation, fallback: metrics.Meter, name: str, version: str | None) -> None:
        super().__init__(name, version)
        self.aggregation = aggregation
        self._fallback = fallback

    def retire(self, name: str, key: str, value: str, into: str) -> None:
        """End every series of instrument ``name`` with label ``key=value``; see `Aggregation.retire`."""
        self.aggregation.retire(name, key, value, into)

    def _family(self, name: str, shape: Shape, unit: str, description: str, bounds: Sequence[float] = ()) -> Family:
        rule = merge_rule(name)
        return self.aggregation.family(
            Description(name=name, shape=shape, unit=unit, description=description, bounds=tuple(bounds), merge=rule)
        )

    def create_counter(self, name: str, unit: str = "", description: str = "") -> metrics.Counter:
        """Create a counter."""
        return _Counter(self._family(name, "counter", unit, description))

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> metrics.UpDownCounter:
        """Create an up-down counter."""
        return _UpDownCounter(self._family(name, "up_down_counter", unit, description))

    def create_histogram(
        self,
        name: str,
        unit: str = "",
        description: str = "",
        *,
        explicit_bucket_boundaries_advisory: Sequence[float] | None = None,
    ) -> metrics.Histogram:
        """Create a histogram with the advised bounds, or the specification's default ones."""
        bounds = explicit_bucket_boundaries_advisory
        return _Histogram(
            self._family(name, "histogram", unit, description, DEFAULT_BOUNDS if bounds is None else bounds)
        )

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> Any:
        """Create a synchronous gauge, which the SDK keeps."""
        return self._fallback.create_gauge(name, unit, description)

    def create_observable_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> metrics.ObservableCounter:
        """Create an observable counter."""
        return _ObservableCounter(self._observed(name, "counter", callbacks, unit, description))

    def create_observable_up_down_counter(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> metrics.ObservableUpDownCounter:
        """Create an observable up-down counter."""
        return _ObservableUpDownCounter(self._observed(name, "up_down_counter", callbacks, unit, description))

    def create_observable_gauge(
        self, name: str, callbacks: Sequence[CallbackT] | None = None, unit: str = "", description: str = ""
    ) -> metrics.ObservableGauge:
        """Create an observable gauge."""
        return _ObservableGauge(self._observed(name, "gauge", callbacks, unit, description))

    def _observed(
        self, name: str, shape: Shape, callbacks: Sequence[CallbackT] | None, unit: str, description: str
    ) -> Family:
        family = self._family(name, shape, unit, description)
        family.callbacks.extend(callbacks or ())  # pyright: ignore[reportArgumentType]  # no generators of ours
        return family


def merge_rule(name: str) -> str:
    """Return how an instrument of several processes becomes one: as it is declared, else their sum."""
    try:
        return signals.instrument(name).merge.value
    except KeyError:
        return signals.Merge.SUM.value


DEFAULT_BOUNDS = (0.0, 5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0, 10000.0)
"""Bounds that the specification gives to a histogram without advice."""
