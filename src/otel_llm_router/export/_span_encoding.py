"""Our span encoder in the standard OTLP exporters.

Room: `export`. An exporter encodes with ours what it would encode with the stock one; compression,
retries, headers and time limits stay its own. Before the first batch ours has to agree with the
stock encoder of the OpenTelemetry that is installed. The stock one takes every batch that ours cannot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from otel_llm_router.export import _redacting
from otel_llm_router.export._forks import restarted_in_children
from otel_llm_router.export._span_encoder import SpanEncoder, StockEncoderError

Guard = Callable[[], AbstractContextManager[Any]]
"""Makes the guard that errors of ours end in."""


class DifferentEncodingError(Exception):
    """Ours and the installed stock encoder say different things."""


class Encoded:
    """What an exporter for HTTP does with a message, done.

    Args:
        content: The message's bytes.
    """

    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    def SerializePartialToString(self) -> bytes:  # noqa: N802  # protobuf's name
        """Return the bytes."""
        return self._content

    SerializeToString = SerializePartialToString


class SpanEncoding:
    """Encodes an exporter's batches, in place of ``encode_spans``.

    Args:
        guard: For errors of ours.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._encoder = SpanEncoder()
        self._agrees: bool | None = None
        restarted_in_children(self)

    def early(self, span: ReadableSpan) -> bytes | None:
        """Return an ended span encoded, to wait for its batch so; None when it has to wait as it is."""
        with self._guard():
            if self._ready():
                try:
                    return self._encoder.early(span)
                except StockEncoderError:  # it is the batch that fails, as it does with the stock encoder
                    return None
        return None

    def content(self, spans: Sequence[ReadableSpan | bytes]) -> bytes:
        """Return the bytes of a request.

        Raises:
            Exception: what the stock encoder raises for these spans.
        """
        return self.for_http(spans).SerializePartialToString()

    def restart(self) -> None:
        """Forget what is kept; for a forked process, whose parent may have been about to write it."""
        self._encoder.restart()

    def for_http(self, spans: Sequence[ReadableSpan | bytes]) -> Any:
        """Return what can be asked for the bytes of a request.

        Raises:
            Exception: what the stock encoder raises for these spans.
        """
        with self._guard():
            if (content := self._encode(spans)) is not None:
                return Encoded(content)
        return self._as_stock(spans)

    def for_grpc(self, spans: Sequence[ReadableSpan | bytes]) -> Any:
        """Return the message of a request: the stub serializes nothing else.

        Raises:
            Exception: what the stock encoder raises for these spans.
        """
        with self._guard():
            if (content := self._encode(spans)) is not None:
                return ExportTraceServiceRequest.FromString(content)
        return self._as_stock(spans)

    def _as_stock(self, spans: Sequence[ReadableSpan | bytes]) -> Any:
        message = encode_spans([_redacting.span(span) for span in spans if not isinstance(span, bytes)])
        early = [span for span in spans if isinstance(span, bytes)]
        if early:
            message.MergeFromString(self._encoder.encode(early))
        return message

    def _encode(self, spans: Sequence[ReadableSpan | bytes]) -> bytes | None:
        """Return the bytes of a request, or None when they are the stock encoder's to make."""
        if not self._ready():
            return None
        try:
            return self._encoder.encode(spans)
        except StockEncoderError:
            return None

    def _ready(self) -> bool:
        """Whether ours may be used.

        Raises:
            DifferentEncodingError: it says something else than the stock one; said once.
        """
        if self._agrees is None:
            self._agrees = False  # until it is known
            self._agrees = agrees(SpanEncoder())
            if not self._agrees:
                raise DifferentEncodingError
        return self._agrees


def agrees(encoder: SpanEncoder) -> bool:
    """Whether an encoder says what the stock one says, of spans with a bit of everything, and by itself."""
    spans = _samples()
    stock = encode_spans(spans)
    # Twice: the second time from what it kept.
    same = all(ExportTraceServiceRequest.FromString(encoder.encode(spans)) == stock for _ in range(2))
    return same and encoder.left == 0


_START: Final = 1_700_000_000_000_000_000


def _samples() -> list[ReadableSpan]:
    resource = Resource({"service.name": "sample", "process.pid": 1}, "https://example.com/resource")
    scope = InstrumentationScope("sample", "1", "https://example.com/scope", {"of": "scope"})
    parent = SpanContext(1 << 100, 1 << 60, is_remote=True, trace_state=TraceState([("vendor", "state")]))
    flags = TraceFlags(TraceFlags.SAMPLED)
    child = SpanContext(parent.trace_id, 2, is_remote=False, trace_flags=flags, trace_state=parent.trace_state)
    values = {"text": "é", "true": True, "int": -1, "float": 0.5, "bytes": b"\0", "texts": ("a", "b"), "ints": (1, 2)}
    kept = BoundedAttributes(attributes={"kept": 1})
    events: BoundedList[Event] = BoundedList(None)
    events.append(Event("event", kept, _START))
    links: BoundedList[Link] = BoundedList(None)
    links.extend([Link(parent), Link(child, kept)])
    kept.dropped, events.dropped, links.dropped = 1, 2, 3
    whole = ReadableSpan(
        "child",
        child,
        parent,
        resource,
        kept,
        events,
        links,
        SpanKind.CLIENT,
        status=Status(StatusCode.ERROR, "failed"),
        start_time=_START,
        end_time=_START + 1,
        instrumentation_scope=scope,
    )
    root = SpanContext(3, 4, is_remote=False, trace_flags=flags)
    event = Event("event", values, _START)
    plain = ReadableSpan("root", root, None, resource, values, [event], start_time=_START, end_time=_START)
    inner = ReadableSpan("inner", child, root, resource, instrumentation_scope=scope)
    return [whole, plain, inner]
