"""Our span encoder against the stock one: whatever a span holds, the messages are equal."""

# protobuf's messages have no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import enum
import logging
import math
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from otel_llm_router.export._span_encoder import SpanEncoder


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
def quiet() -> None:
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)


def canonical(request: Any) -> bytes:
    """Bytes are compared, not messages: a NaN does not equal itself."""
    return request.SerializeToString(deterministic=True)


ENCODER = SpanEncoder()
"""One for all examples: what it keeps of one batch must be right in the next."""


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(SPANS, max_size=6))
def test_the_message_is_the_stock_encoders(spans: list[ReadableSpan]) -> None:
    stock = encode_spans(spans)
    for encoder in (SpanEncoder(), ENCODER, ENCODER):
        assert canonical(ExportTraceServiceRequest.FromString(encoder.encode(spans))) == canonical(stock)
