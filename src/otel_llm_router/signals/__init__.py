"""What exists: every instrument, span, log event, attribute and option, declared once.

Room: `signals`. It imports nothing of ours and does nothing beyond look-up; names on the scrape,
through the Collector, in dashboards, rules and documents are taken from here.
"""

from __future__ import annotations

from types import ModuleType

from otel_llm_router.signals import attributes, events, instruments, options, spans
from otel_llm_router.signals._model import (
    Attribute,
    Instrument,
    Kind,
    LogEvent,
    Merge,
    Option,
    OptionType,
    Span,
    SpanEvent,
    Stability,
    StreamName,
)


def _declared(module: ModuleType) -> tuple[Instrument, ...]:
    return tuple(value for value in vars(module).values() if isinstance(value, Instrument))


INSTRUMENTS: tuple[Instrument, ...] = (
    *_declared(instruments.requests),
    *_declared(instruments.routing),
    *_declared(instruments.resources),
    *_declared(instruments.gen_ai),
    *_declared(instruments.self_telemetry),
)
"""Every instrument, in the order of the catalogue."""

SPANS: tuple[Span, ...] = spans.SPANS
EVENTS: tuple[LogEvent, ...] = events.EVENTS
OPTIONS: tuple[Option, ...] = options.OPTIONS

_BY_NAME = {instrument.name: instrument for instrument in INSTRUMENTS}


def instrument(name: str) -> Instrument:
    """Look an instrument up by its OpenTelemetry name.

    Raises:
        KeyError: no instrument of that name is declared.
    """
    return _BY_NAME[name]


__all__ = [
    "EVENTS",
    "INSTRUMENTS",
    "OPTIONS",
    "SPANS",
    "Attribute",
    "Instrument",
    "Kind",
    "LogEvent",
    "Merge",
    "Option",
    "OptionType",
    "Span",
    "SpanEvent",
    "Stability",
    "StreamName",
    "attributes",
    "events",
    "instrument",
    "instruments",
    "options",
    "spans",
]
