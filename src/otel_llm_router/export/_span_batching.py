"""Spans that wait for their export as bytes.

Room: `export`. A span of our scope is encoded as soon as it has ended: that is off the request path
already, and thousands of waiting bytes are nothing to the garbage collector, which goes through
waiting spans again and again. Spans of other scopes end on somebody's request path and are encoded
with their batch.
"""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from otel_llm_router import _otel_compat

Early = Callable[[ReadableSpan], "bytes | None"]
"""Encodes a span, if it can."""


class EarlyBatchSpanProcessor(BatchSpanProcessor):
    """The SDK's batch processor, whose exporter takes bytes in place of spans of one scope.

    Args:
        exporter: Takes what ``early`` makes of a span in its place.
        scope: Name of the scope whose spans end off the request path.
        early: Encodes one of them.
    """

    def __init__(self, exporter: SpanExporter, scope: str, early: Early) -> None:
        super().__init__(exporter)
        self._scope = scope
        self._early = early
        self._emit = _otel_compat.emit_of(self)

    def on_end(self, span: ReadableSpan) -> None:
        """Let an ended span wait for its batch."""
        scope, context = span.instrumentation_scope, span.context
        if scope is not None and scope.name == self._scope and context is not None and context.trace_flags.sampled:
            encoded = self._early(span)
            if encoded is not None:
                self._emit(encoded)
                return
        super().on_end(span)
