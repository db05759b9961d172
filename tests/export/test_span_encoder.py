"""Our span encoder against the stock one: whatever a span holds, the messages are equal."""

# protobuf's messages have no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import enum
import logging
import math
import tracemalloc
from collections.abc import Generator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from otel_llm_router import telemetry, testing
from otel_llm_router.export._span_encoder import SpanEncoder, StockEncoderError


class Number(enum.IntEnum):
    ONE = 1


class Text(str):
    __slots__ = ()


TEXTS = st.one_of(st.sampled_from(["", "a", "model", "1", "é", "\0", "x" * 300]), st.text(max_size=8))
SCALARS = st.one_of(
    TEXTS,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([0, 1, -1, 127, 128, 2**14, 2**63 - 1, -(2**63), Number.ONE, Text("a")]),
    st.floats(),
    st.sampled_from([0.0, -0.0, 1.0, math.nan, math.inf]),
    st.binary(max_size=4),
)
ODD = st.sampled_from([None, 2**63, -(2**63) - 1, "\ud800", object(), {1, 2}, (None,), [1, None], {"a": None}])
VALUES = st.recursive(
    st.one_of(SCALARS, SCALARS, SCALARS, SCALARS, ODD),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(tuple),
        st.lists(TEXTS, max_size=3).map(tuple),
        st.dictionaries(st.one_of(TEXTS, st.integers(0, 3)), inner, max_size=3),
    ),
    max_leaves=6,
)
PLAIN = st.dictionaries(TEXTS, VALUES, max_size=6)
ODD_KEYS: Any = st.dictionaries(
    st.one_of(TEXTS, st.sampled_from([1, b"a", Text("a"), "\ud800", None])), SCALARS, max_size=4
)


def bounded(attributes: Mapping[str, Any], dropped: int) -> BoundedAttributes:
    found = BoundedAttributes(attributes=attributes)
    found.dropped = dropped
    return found


ATTRIBUTES = st.one_of(
    PLAIN,
    PLAIN,
    ODD_KEYS,
    st.none(),
    PLAIN.map(MappingProxyType),
    st.builds(bounded, st.dictionaries(TEXTS, SCALARS, max_size=4), st.integers(0, 300)),
)
TIMES = st.one_of(st.integers(0, 2**64 - 1), st.just(1_700_000_000_000_000_000))
STATES = st.sampled_from([None, TraceState(), TraceState([("vendor", "1"), ("other", "a b")])])
CONTEXTS = st.builds(
    SpanContext, st.integers(0, 2**128 - 1), st.integers(0, 2**64 - 1), st.booleans(), st.just(TraceFlags(1)), STATES
)
EVENTS = st.builds(Event, TEXTS, ATTRIBUTES, TIMES)
LINKS = st.builds(Link, CONTEXTS, ATTRIBUTES)


def limited(items: Sequence[Any], dropped: int) -> BoundedList[Any]:
    found: BoundedList[Any] = BoundedList(None)
    found.extend(items)
    found.dropped = dropped
    return found


def several(items: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = st.lists(items, max_size=2)
    return st.one_of(lists, lists.map(tuple), st.builds(limited, lists, st.integers(0, 300)))


STATUSES = st.one_of(
    st.sampled_from([Status(), Status(StatusCode.OK), Status(StatusCode.ERROR), None]),
    TEXTS.map(lambda text: Status(StatusCode.ERROR, text)),
)
RESOURCE = Resource({"service.name": "a"})
RESOURCES = st.sampled_from(
    [
        Resource({"service.name": "a", "list": ("a", "b")}),
        Resource({"service.name": "a", "list": ("a", "b")}),  # equal, and another
        Resource({"service.name": "b"}, "https://example.com"),
        Resource({}),
    ]
)
SCOPES = st.sampled_from(
    [
        InstrumentationScope("a", "1"),
        InstrumentationScope("a", "1"),
        InstrumentationScope("a", "1", "https://example.com", {"k": 1}),
        InstrumentationScope("a", "1", "https://example.com", {"k": True}),  # equal, and said in another way
        InstrumentationScope("a", "1", "https://example.com", {"k": 2}),
        InstrumentationScope(""),
        None,
    ]
)


class Shown(ReadableSpan):
    """A span whose properties say something else, as of an application that hides values."""

    @property
    def name(self) -> str:
        return "hidden"


def spans_of(kind: type[ReadableSpan]) -> st.SearchStrategy[ReadableSpan]:
    return st.builds(
        kind,
        name=TEXTS,
        context=CONTEXTS,
        parent=st.one_of(st.none(), CONTEXTS),
        resource=RESOURCES,
        attributes=ATTRIBUTES,
        events=several(EVENTS),
        links=several(LINKS),
        kind=st.sampled_from(SpanKind),
        status=STATUSES,
        start_time=st.one_of(TIMES, st.none()),
        end_time=st.one_of(TIMES, st.none()),
        instrumentation_scope=SCOPES,
    )


SPANS = st.one_of(*[spans_of(ReadableSpan)] * 9, spans_of(Shown))


@pytest.fixture(autouse=True)
def quiet() -> Generator[None]:
    """The stock encoder logs a traceback for each value that it cannot encode."""
    logger = logging.getLogger("opentelemetry")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)


def canonical(request: Any) -> bytes:
    """Bytes are compared, not messages: a NaN does not equal itself."""
    return request.SerializeToString(deterministic=True)


ENCODER = SpanEncoder()
"""One for all examples: what it keeps of one batch must be right in the next."""


def assert_same(spans: Sequence[ReadableSpan], *encoders: SpanEncoder) -> None:
    stock = canonical(encode_spans(spans))
    for encoder in encoders:
        assert canonical(ExportTraceServiceRequest.FromString(encoder.encode(spans))) == stock


def with_attributes(*attributes: Mapping[str, Any]) -> list[ReadableSpan]:
    context = SpanContext(1, 2, is_remote=False)
    return [ReadableSpan("s", context, None, RESOURCE, one, start_time=1, end_time=2) for one in attributes]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(SPANS, max_size=6))
def test_the_message_is_the_stock_encoders(spans: list[ReadableSpan]) -> None:
    encoder = SpanEncoder()
    assert_same(spans, ENCODER, encoder, encoder)


def test_values_that_equal_each_other_are_told_apart() -> None:
    values = [1, True, 1.0, Number.ONE, 0, False, 0.0, -0.0, "1", b"1", Text("1"), ("1",), (1,), (True,), [1], (1.0,)]
    for one in values:
        for other in values:
            assert_same(with_attributes({"k": one}, {"k": other}), SpanEncoder())


def test_lengths_of_every_size() -> None:
    keys = ["k" * length for length in (1, *range(90, 132))]
    values = [*("v" * length for length in (0, 1, 20, 21, 22, 23, 119, 120, 121, 122, 123, 126, 127, 128, 16_500)), 0.5]
    values += [sign * (2**bits + step) for bits in range(0, 63, 7) for step in (-1, 0) for sign in (1, -1)]
    for value in [*values, 63, 64, 2**63 - 1, -(2**63)]:
        assert_same(with_attributes(dict.fromkeys(keys, value)), encoder := SpanEncoder())
        assert encoder.left == 0


def test_what_is_kept_is_right_after_it_was_forgotten() -> None:
    encoder, spans = SpanEncoder(), with_attributes({"k": "a", "n": 1}, {"k": "b"})
    contents = {encoder.encode(spans) for _ in range(600)}
    assert_same(spans, encoder)
    assert len(contents) == 1


def test_what_the_sdk_makes_of_spans_is_ordinary() -> None:
    exporter, provider = InMemorySpanExporter(), limited_provider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("scope", "1", "https://example.com", {"of": "scope"})
    remote = SpanContext(5, 6, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("v", "s")]))
    above = set_span_in_context(NonRecordingSpan(remote))
    many = {"text": "a", "true": True, "int": -5, "float": 0.5, "list": ["a", "b"], "more": 1, "most": 2}
    links = [Link(remote, many), Link(remote), Link(remote)]
    with tracer.start_as_current_span("outer", above, SpanKind.SERVER, many, links) as outer:
        for name in ("first", "second", "third"):
            outer.add_event(name, many)
        with pytest.raises(ValueError, match="bad"), tracer.start_as_current_span("inner", attributes=many):
            raise ValueError("bad")
    inner, outer = spans = exporter.get_finished_spans()
    assert (outer.dropped_attributes, outer.dropped_events, outer.dropped_links) == (2, 1, 1)
    assert inner.status.description == "ValueError: bad"
    encoder = SpanEncoder()
    assert_same(spans, encoder, encoder)
    assert encoder.left == 0


def limited_provider() -> TracerProvider:
    limits = SpanLimits(max_span_attributes=5, max_events=2, max_links=2, max_event_attributes=5, max_link_attributes=5)
    return TracerProvider(span_limits=limits, shutdown_on_exit=False)


def test_our_own_spans_are_ordinary() -> None:
    with testing.capture(fast_path=True) as found:
        for number in range(3):
            with telemetry.request("gpt", strategy="simple-shuffle") as request:
                with request.decision(["a", "b"]) as decision:
                    decision.select("a", reason="cheapest", score=0.5)
                with request.attempt("openai", "gpt-4o-mini", deployment="d1") as attempt:
                    attempt.cost(0.001 * number)
        spans = found.spans()
    assert len(spans) == 6
    encoder = SpanEncoder()
    assert_same(spans, encoder, encoder)
    assert encoder.left == 0


def test_what_is_out_of_the_ordinary_is_left_to_the_stock_encoder() -> None:
    encoder = SpanEncoder()
    assert_same(with_attributes({"k": "a"}, {"k": 2**63, "other": 1}, {"k": "b"}, {"k": {"nested": object()}}), encoder)
    assert encoder.left == 2


def test_a_span_that_the_stock_encoder_cannot_encode() -> None:
    (span,) = with_attributes({})
    broken = ReadableSpan("\ud800", span.context, resource=span.resource)
    with pytest.raises(UnicodeEncodeError):
        encode_spans([span, broken])
    with pytest.raises(StockEncoderError):
        SpanEncoder().encode([span, broken])


def test_what_is_kept_is_bounded_whatever_comes() -> None:
    encoder = SpanEncoder()

    def flood(numbers: range) -> int:
        for number in numbers:
            unique = {"id": f"id {number}", f"key {number}": number, "cost": number / 7}
            encoder.encode(with_attributes({"same": "a", **unique}))
        return tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    before = flood(range(1500))
    after = flood(range(1500, 6000))
    tracemalloc.stop()
    assert after - before < 200_000
