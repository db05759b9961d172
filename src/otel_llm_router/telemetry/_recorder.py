"""Records on declared signals: the only place that touches OpenTelemetry's API objects.

Room: `telemetry`. Declarations, values and raw labels come in; measurements, spans and log events
go to whatever providers are set. With none set, all of it is OpenTelemetry's no-op.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from time import monotonic
from typing import Any, Final
from weakref import WeakSet

from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import LoggerProvider, LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import SpanKind, TracerProvider

from otel_llm_router import _sanitize, signals
from otel_llm_router._version import __version__
from otel_llm_router.signals import INSTRUMENTS, Attribute, Instrument, Kind, LogEvent
from otel_llm_router.signals.attributes import OTHER
from otel_llm_router.signals.instruments import self_telemetry
from otel_llm_router.telemetry import _deferred, _guard
from otel_llm_router.telemetry._bounds import IDLE, REMEMBERED, LabelBounds
from otel_llm_router.telemetry._deferred import at_a_safe_moment
from otel_llm_router.telemetry._sources import Label, Source, Sources
from otel_llm_router.telemetry._values import as_they_are, attribute_value, attribute_values

SCOPE = "otel_llm_router"
"""Name of our instrumentation scope."""

_Bound = tuple[Callable[[float], None], float]
"""What records a value, and the least value that it takes."""

_PLAIN: Final = 10**9
"""Values up to it need no second look: a sum of them does not overflow."""

_PLAIN_LABELS: Final = frozenset({str, type(None)})

_MAX_BOUND: Final = 10_000
"""Label sets whose handles are remembered."""

_BOUND_SECONDS: Final = REMEMBERED
"""How long a handle is used before the bounds see its values again."""

Records = list[tuple[Instrument, float, tuple[Label, ...]]]
"""What is recorded at once: instrument, value and labels in declared order."""

Describe = Callable[[], tuple[str, dict[str, Any]]]
"""Gives a span's name and its attributes, `as_they_are`."""

_OBSERVABLE = {Kind.OBSERVABLE_COUNTER, Kind.OBSERVABLE_GAUGE}
_SEVERITY = {"INFO": SeverityNumber.INFO, "WARN": SeverityNumber.WARN, "ERROR": SeverityNumber.ERROR}
_SPAN_KIND = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}


_all: WeakSet[Recorder] = WeakSet()


def _in_child() -> None:
    # Handles of an aggregation that began again add to nothing that is seen.
    for recorder in list(_all):
        recorder.forget_series()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


class Recorder:
    """Owns our meter, tracer and logger, and one instrument for each declaration in use.

    Args:
        meter_provider: Where metrics go; the global provider by default.
        tracer_provider: Where spans go; the global provider by default.
        logger_provider: Where log events go; the global provider by default.
        label_limit: See option ``label_limit``.
        label_idle: See option ``label_idle``.
    """

    def __init__(
        self,
        *,
        meter_provider: MeterProvider | None = None,
        tracer_provider: TracerProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        label_limit: int = 0,
        label_idle: float = IDLE,
    ) -> None:
        self._meter = metrics.get_meter(SCOPE, __version__, meter_provider)
        self._tracer = trace.get_tracer(SCOPE, __version__, tracer_provider)
        self._logger = _logs.get_logger(SCOPE, __version__, logger_provider)
        self._instruments: dict[Instrument, Any] = {}
        self._sources = Sources(self)
        self._series: dict[tuple[Instrument, tuple[Label, ...]], tuple[Callable[[float], None], float, float]] = {}
        self._lock = threading.Lock()
        self._later: Callable[..., None] | None = getattr(self._meter, "later", None)
        self._begin: Callable[..., trace.Span] | None = getattr(self._tracer, "begin", None)
        self.bounds = LabelBounds(
            limit=label_limit,
            idle=label_idle,
            on_overflow=self._overflowed,
            # Only where a series can end: the SDK keeps it for good, and so its label values keep their slots.
            reclaim=self._reclaim if hasattr(self._meter, "retire") else None,
        )
        self._labelled: dict[str, set[tuple[str, str]]] = {}
        for instrument in INSTRUMENTS:
            if instrument.kind not in _OBSERVABLE:
                self._label(instrument.name, instrument.attributes)
        _all.add(self)
        # All of them now, with nothing to say yet: to register one, the SDK takes a lock that it also holds while
        # it calls the callbacks; a request that came to register one would wait for a collection, or for ever.
        for instrument in INSTRUMENTS:
            if instrument.kind in _OBSERVABLE:
                with _guard.guard(f"observe {instrument.name}"):
                    self._create(instrument)

    # --- metrics --------------------------------------------------------------------------------

    def record(self, instrument: Instrument, value: float, *labels: Label) -> None:
        """Record ``value`` with ``labels`` in the order of the declaration; None leaves a label out.

        A value that is not finite, or negative where the kind allows none, is a defect of ours or
        of a caller and goes to the guard.
        """
        if _deferred.collecting():
            _deferred.later(partial(self.record, instrument, value, *labels))
            return
        add, lowest = self._bound(instrument, labels)
        if not lowest <= value <= _PLAIN:
            self._require(instrument, _sanitize.finite(value) is not None and (value >= 0 or lowest < 0))
            value = _sanitize.summand(value)
        add(value)

    def record_all(self, records: Records) -> None:
        """Record several values, each as `record` does, with less work for each."""
        if _deferred.collecting():
            _deferred.later(partial(self.record_all, records))
            return
        now, series = monotonic(), self._series
        for instrument, value, labels in records:
            found = series.get((instrument, labels))
            if found is None or now >= found[2] or not found[1] <= value <= _PLAIN:
                self.record(instrument, value, *labels)
            else:
                found[0](value)

    def forget_series(self) -> None:
        """Look each series up again when it is next recorded."""
        self._series = {}

    def _bound(self, instrument: Instrument, labels: tuple[Label, ...]) -> _Bound:
        now = monotonic()
        try:
            found = self._series[instrument, labels]
            if now < found[2]:
                return found[:2]
        except (KeyError, TypeError):  # not met yet; or a label that is no text
            pass
        return self._bind(instrument, labels, now)

    def _bind(self, instrument: Instrument, raw: tuple[Label, ...], now: float) -> _Bound:
        handle = self._instruments.get(instrument) or self._create(instrument)
        overflows = self.bounds.overflows
        labels = self.labels(instrument.attributes, raw)
        lowest = -_PLAIN if instrument.kind is Kind.UP_DOWN_COUNTER else 0
        bind = getattr(handle, "bind", None)
        if bind is not None:
            add = bind(labels).add
        else:
            add = partial(handle.record if instrument.kind is Kind.HISTOGRAM else handle.add, attributes=labels)
        # A value beyond its bound is counted each time it comes, so that it is looked at each time.
        if overflows == self.bounds.overflows and all(type(label) in _PLAIN_LABELS for label in raw):
            if len(self._series) >= _MAX_BOUND:
                self._series.clear()
            self._series[instrument, raw] = (add, lowest, now + _BOUND_SECONDS)
        return add, lowest

    def finish(self, span: trace.Span, record: Callable[..., object], *arguments: Any) -> None:
        """Make the call that records what has ended, with ``span`` as what its measurements were made in.

        Off the request path where the meter knows how, and in the order of these calls; else now.
        """
        if _deferred.collecting():
            _deferred.later(partial(self.finish, span, record, *arguments))
        elif self._later is not None:
            self._later(span, record, *arguments)
        else:
            record(*arguments)

    def enter(self, instrument: Instrument, *labels: Label) -> Callable[[], None]:
        """Add 1 to an up-down counter and return what takes it away again.

        The labels are those of the entry: a bound may have given the same value another one since.
        """
        add = self._bound(instrument, labels)[0]
        at_a_safe_moment(add, 1)
        return partial(at_a_safe_moment, add, -1)

    @staticmethod
    def _require(instrument: Instrument, condition: bool) -> None:
        if not condition:
            raise ValueError(f"{instrument.name}: a {instrument.kind.value} cannot record this value")

    def labels(self, attributes: tuple[Attribute, ...], raw: tuple[Label, ...]) -> dict[str, str]:
        """Return bounded labels for raw values in declared order."""
        bound = self.bounds.value
        return {
            attribute.key: bound(attribute, value)
            for attribute, value in zip(attributes, raw, strict=True)
            if value is not None
        }

    def observe(self, instrument: Instrument, key: object, source: Source) -> None:
        """Let ``source`` report an observable instrument at each collection; ``key`` replaces an earlier one."""
        self._sources.set(instrument, key, source)

    def forget(self, instrument: Instrument, key: object) -> None:
        """Stop asking the source registered under ``key``."""
        self._sources.remove(instrument, key)

    def _create(self, instrument: Instrument) -> Any:
        meter, kind = self._meter, instrument.kind
        arguments = {"name": instrument.name, "unit": instrument.unit, "description": instrument.description}
        with self._lock:
            if instrument in self._instruments:
                return self._instruments[instrument]
            if kind is Kind.COUNTER:
                handle = meter.create_counter(**arguments)
            elif kind is Kind.UP_DOWN_COUNTER:
                handle = meter.create_up_down_counter(**arguments)
            elif kind is Kind.HISTOGRAM:
                handle = meter.create_histogram(
                    **arguments, explicit_bucket_boundaries_advisory=list(instrument.buckets)
                )
            elif kind is Kind.OBSERVABLE_COUNTER:
                handle = meter.create_observable_counter(**arguments, callbacks=[self._sources.callback(instrument)])
            else:
                handle = meter.create_observable_gauge(**arguments, callbacks=[self._sources.callback(instrument)])
            self._instruments[instrument] = handle
            return handle

    def custom(
        self,
        name: str,
        *,
        kind: Kind,
        unit: str,
        description: str,
        buckets: tuple[float, ...],
        attributes: Iterable[Attribute],
    ) -> Any:
        """Create an instrument that the application declared, outside the catalogue."""
        self._label(name, attributes)
        if kind is Kind.HISTOGRAM:
            return self._meter.create_histogram(
                name, unit, _sanitize.text(description), explicit_bucket_boundaries_advisory=list(buckets) or None
            )
        return self._meter.create_counter(name, unit, _sanitize.text(description))

    def _label(self, name: str, attributes: Iterable[Attribute]) -> None:
        for attribute in attributes:
            if not attribute.values:
                self._labelled.setdefault(attribute.slots, set()).add((name, attribute.key))

    def _reclaim(self, slots: str, value: str) -> None:
        for name, key in self._labelled.get(slots, ()):
            self._meter.retire(name, key, value, OTHER)  # type: ignore[attr-defined]  # found by looking

    def _overflowed(self, key: str) -> None:
        if key != self_telemetry.LABEL_OVERFLOW.attributes[0].key:
            self.record(self_telemetry.LABEL_OVERFLOW, 1, key)

    # --- spans and events -----------------------------------------------------------------------

    def start_span(self, declared: signals.Span, describe: Describe, context: Context, start_time: int) -> trace.Span:
        """Start a span of a declared kind; the caller ends it.

        Args:
            declared: What span it is.
            describe: Gives its name and first attributes: at once, or when it has ended if the tracer can wait.
            context: Its parent's.
            start_time: When it began, in nanoseconds of the epoch.
        """
        kind = _SPAN_KIND[declared.kind]
        if self._begin is not None:
            return self._begin(describe, context, kind, start_time)
        name, attributes = describe()
        return self._tracer.start_span(
            _sanitize.text(name),
            context=context,
            kind=kind,
            attributes={key: attribute_value(value) for key, value in attributes.items()},
            start_time=start_time,
        )

    def emit(
        self,
        event: LogEvent,
        attributes: Mapping[Attribute, object],
        context: Context | None = None,
        at: int | None = None,
        *,
        structured: Mapping[Attribute, list[Any]] | None = None,
    ) -> None:
        """Emit a declared log event.

        Args:
            event: What happened.
            attributes: Attributes of any value; unknown (None) ones are left out.
            context: Where it happened; here by default.
            at: When, in nanoseconds of the epoch; now by default.
            structured: Attributes with lists and mappings in them, which are fit for exporters already.
        """
        record = LogRecord(
            timestamp=time.time_ns() if at is None else at,
            context=context,
            severity_number=_SEVERITY[event.severity],
            severity_text=event.severity,
            body=event.description,
            attributes={**attribute_values(attributes), **as_they_are(structured or {})},
            event_name=event.name,
        )
        at_a_safe_moment(self._logger.emit, record)


def nothing() -> None:
    """Leave what was not entered (see `Recorder.enter`)."""
