"""One span with ten attributes, from start to end, CPU us.

The request path is the calling thread's; the whole process includes putting the span together and
handing it to a batch processor whose exporter keeps nothing. Ours and the SDK's.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Sequence
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import SpanKind

from benchmarks.micro._passes import Passes, expect
from benchmarks.micro.record import SCOPE
from otel_llm_router import aggregation

ATTRIBUTES: Final = {
    f"gen_ai.attribute.{number}": value for number, value in enumerate(("text", 7, 0.5, True, "more") * 2)
}
LOT: Final = 500
"""Spans between two flushes: less than the batch processor's queue."""


class Counting(SpanExporter):
    """Reads what an exporter would read, and keeps the number."""

    def __init__(self) -> None:
        self.spans = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Take a batch."""
        self.spans += sum(1 for span in spans if span.attributes and len(span.attributes) == len(ATTRIBUTES))
        return SpanExportResult.SUCCESS


def measure(*, quick: bool) -> Passes:
    """Measure; see the module."""
    lots, passes = (4, 5) if quick else (20, 15)
    providers: dict[str, TracerProvider] = {
        "ours": aggregation.TracerProvider(SCOPE, aggregation.Pipeline(), shutdown_on_exit=False),
        "sdk": TracerProvider(shutdown_on_exit=False),
    }
    exporters = {name: Counting() for name in providers}
    found: Passes = {}
    for name, provider in providers.items():
        provider.add_span_processor(BatchSpanProcessor(exporters[name]))
    for number in range(-1, passes):
        for name, provider in providers.items():
            caller, process = _run(provider, lots)
            if number >= 0:
                found.setdefault(f"span, {name}, request path", []).append(caller)
                found.setdefault(f"span, {name}, whole process", []).append(process)
    for name, exporter in exporters.items():
        expect(f"spans of {name}", exporter.spans, LOT * lots * (passes + 1))
    return found


def _run(provider: TracerProvider, lots: int) -> tuple[float, float]:
    tracer = provider.get_tracer(SCOPE)
    gc.collect()
    caller = 0.0
    process = time.process_time()
    for _ in range(lots):
        began = time.thread_time()
        for _ in range(LOT):
            tracer.start_span("chat gpt-4o-mini", kind=SpanKind.CLIENT, attributes=ATTRIBUTES).end()
        caller += time.thread_time() - began
        provider.force_flush()
    process = time.process_time() - process
    return caller / (lots * LOT) * 1e6, process / (lots * LOT) * 1e6
