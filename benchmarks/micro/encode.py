"""One span as OTLP's bytes, in batches of 512, process CPU us.

Our encoder and the stock one: spans of our own scope, a route and an attempt for each request, whose
ids, tokens and costs are new each time; and spans of the SDK with twelve attributes and one event. What
gRPC takes is a message, so that there ours is read into one and written again.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Final

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from benchmarks.micro._passes import Passes, expect, turns
from otel_llm_router import telemetry, testing
from otel_llm_router.export._span_encoder import SpanEncoder

BATCH: Final = 512
BATCHES: Final = 8
"""Batches of one pass: values that are new in every span are so in the whole pass."""


def own_spans() -> list[ReadableSpan]:
    """Return a route and an attempt for each request."""
    with testing.capture(fast_path=True) as found:
        for number in range(BATCH * BATCHES // 2):
            usage = {"prompt_tokens": 100 + number % 900, "completion_tokens": number * 7 % 1000}
            answer = {"id": f"chatcmpl-{number:020d}", "model": "gpt-4o-mini-2024-07-18", "usage": usage}
            with telemetry.request("gpt", strategy="simple-shuffle") as request:
                with request.decision(["alpha", "beta", "gamma"]) as decision:
                    decision.select(("alpha", "beta", "gamma")[number % 3], reason="cheapest", score=number / 7)
                with request.attempt("openai", "gpt-4o-mini", deployment="alpha") as attempt:
                    attempt.response(answer)
                    attempt.cost(number * 1.7e-7)
        return found.spans()


def sdk_spans() -> list[ReadableSpan]:
    """Return spans with twelve attributes, of which three are new in every span, and one event."""
    exporter, provider = InMemorySpanExporter(), TracerProvider(resource=Resource.create(), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("benchmarks", "1")
    same = {f"gen_ai.attribute.{number}": value for number, value in enumerate(("text", 7, True) * 3)}
    for number in range(BATCH * BATCHES):
        new = {"gen_ai.response.id": f"chatcmpl-{number:020d}", "tokens": number, "cost": number / 7}
        with tracer.start_as_current_span("chat gpt-4o-mini", kind=SpanKind.CLIENT, attributes=same | new) as span:
            span.add_event("first token", {"number": 1, "text": "a"})
    return list(exporter.get_finished_spans())


def measure(*, quick: bool) -> Passes:
    """Measure; see the module."""
    passes = 5 if quick else 15
    contenders: dict[str, Callable[[], object]] = {}
    for kind, spans in (("our", own_spans()), ("SDK", sdk_spans())):
        expect(f"spans of {kind}", len(spans), BATCH * BATCHES)
        batches = [spans[start : start + BATCH] for start in range(0, len(spans), BATCH)]
        encoder = SpanEncoder()
        for batch in batches:
            same = ExportTraceServiceRequest.FromString(encoder.encode(batch)) == encode_spans(batch)
            expect(f"messages of {kind} spans that are equal", same, 1)
        expect(f"{kind} spans that were left to the stock encoder", encoder.left, 0)
        ways: dict[str, Callable[[Sequence[ReadableSpan]], object]] = {
            "ours": encoder.encode,
            "ours over gRPC": lambda batch, encode=encoder.encode: _again(encode(batch)),
            "stock": lambda batch: encode_spans(batch).SerializeToString(),
        }
        for way, encode in ways.items():
            contenders[f"encode, {kind} span, {way}"] = lambda encode=encode, batches=batches: _all(encode, batches)
    return turns(contenders, passes, divide=BATCH * BATCHES / 1e6)


def _again(content: bytes) -> bytes:
    return ExportTraceServiceRequest.FromString(content).SerializeToString()


def _all(encode: Callable[[Any], object], batches: Sequence[Sequence[ReadableSpan]]) -> None:
    for _ in itertools.starmap(encode, zip(batches, strict=True)):
        pass
