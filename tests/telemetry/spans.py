"""How tests tell recorded spans apart."""

from __future__ import annotations

from opentelemetry.sdk.trace import ReadableSpan


def span_id(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id
