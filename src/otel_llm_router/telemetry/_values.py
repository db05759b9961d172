"""Declared attributes with values of any kind, as spans and events take them.

Room: `telemetry`. Attributes and raw values come in; what every exporter can encode goes out, and onto spans.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from opentelemetry import trace
from opentelemetry.util.types import AttributeValue

from otel_llm_router import _sanitize
from otel_llm_router.signals import Attribute, SpanEvent
from otel_llm_router.telemetry._deferred import at_a_safe_moment


def attribute_values(attributes: Mapping[Attribute, object]) -> dict[str, AttributeValue]:
    """Return span or event attributes as OpenTelemetry takes them; unknown (None) ones are left out."""
    return {attribute.key: attribute_value(value) for attribute, value in attributes.items() if value is not None}


def as_they_are(attributes: Mapping[Attribute, object]) -> dict[str, Any]:
    """Return attributes of any value by their keys; unknown (None) ones are left out."""
    return {attribute.key: value for attribute, value in attributes.items() if value is not None}


def _for_span(span: trace.Span, attributes: Mapping[Attribute, object]) -> dict[str, AttributeValue]:
    return as_they_are(attributes) if getattr(span, "checks_values", False) else attribute_values(attributes)


def attribute_value(value: object) -> AttributeValue:
    """Return one attribute value that every exporter can encode."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    if isinstance(value, float):
        return value
    if isinstance(value, (list, tuple)):
        return [_sanitize.text(item) for item in cast("Sequence[object]", value)]
    return str.__str__(value) if isinstance(value, _sanitize.Prose) else _sanitize.text(value)


def add_event(
    span: trace.Span, event: SpanEvent, attributes: Mapping[Attribute, object], at: int | None = None
) -> None:
    """Add a declared event to a span, which happened ``at`` (nanoseconds of the epoch) or now."""
    if span.is_recording():
        moment = time.time_ns() if at is None else at
        at_a_safe_moment(span.add_event, event.name, _for_span(span, attributes), moment)


def set_attributes(span: trace.Span, values: Mapping[Attribute, object]) -> None:
    """Set declared attributes on a span; unknown (None) ones are left out."""
    at_a_safe_moment(span.set_attributes, _for_span(span, values))
