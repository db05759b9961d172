"""Batches of spans as OTLP's bytes, at a fraction of the stock encoder's price.

Room: `export`. Ended spans of any scope come in; the bytes of an ``ExportTraceServiceRequest`` go
out, without secrets. It says what the stock encoder says of the rest. Whatever is out of the ordinary is left to that one, span
by span: it decides what becomes of a value that cannot be encoded, and its versions differ there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import INVALID_SPAN_CONTEXT

from otel_llm_router.export import _redacting
from otel_llm_router.export._span_message import SpanMessages
from otel_llm_router.export._wire import field, varint

_MAX_HEADERS: Final = 256
"""Pairs of resource and scope whose bytes are kept."""

_MAX_PREFIX: Final = 4096
"""Bytes of the longest span whose length is kept encoded."""

_AFRESH: Final = 256
"""Batches after which what is kept is forgotten."""

_Group = list[bytes]


class StockEncoderError(Exception):
    """The stock encoder cannot encode a span either."""


class SpanEncoder:
    """Encodes batches of spans, and keeps what comes again.

    Attributes:
        left: Spans that were left to the stock encoder.
    """

    def __init__(self) -> None:
        self.left = 0
        self.restart()

    def restart(self) -> None:
        """Begin again with nothing kept."""
        self._batches = 0
        self._early: tuple[Resource, InstrumentationScope | None] | None = None
        self._messages = SpanMessages()
        self._headers: dict[tuple[int, int], tuple[bytes, bytes, Resource, InstrumentationScope | None]] = {}
        self._prefixes: dict[int, bytes] = {}

    def early(self, span: ReadableSpan) -> bytes | None:
        """Return an ended span as its field in a request, to be given to `encode` in its place.

        None when that cannot be: spans of one resource and scope only, those of the first one, are encoded early.

        Raises:
            StockEncoderError: the span cannot be encoded.
        """
        if self._early is None:
            self._early = span.resource, span.instrumentation_scope
        if span.resource is not self._early[0] or span.instrumentation_scope is not self._early[1]:
            return None
        encoded = self._span(span)
        return (self._prefixes.get(len(encoded)) or self._prefix(len(encoded))) + encoded

    def encode(self, spans: Sequence[ReadableSpan | bytes]) -> bytes:
        """Return the bytes of a request with ``spans``, grouped by resource and scope.

        Args:
            spans: Spans, and what `early` made of others.

        Raises:
            StockEncoderError: there is a span that cannot be encoded.
        """
        # By equality, as the stock encoder groups; what finds a group again is identity, which costs nothing.
        groups: dict[Resource, dict[InstrumentationScope | None, _Group]] = {}
        headers: dict[int, tuple[bytes, bytes]] = {}
        found: dict[tuple[int, int], tuple[_Group, object, object]] = {}
        prefixes = self._prefixes
        self._batches += 1
        if self._batches % _AFRESH == 0:
            self._messages.forget()
        for span in spans:
            resource, scope = self._of(span)
            known = found.get((id(resource), id(scope)))
            if known is None:
                group = groups.setdefault(resource, {}).setdefault(scope, [])
                found[id(resource), id(scope)] = group, resource, scope
                if not group:
                    headers[id(group)] = self._header(resource, scope)
            else:
                group = known[0]
            if isinstance(span, bytes):
                group.append(span)
                continue
            encoded = self._span(span)
            length = len(encoded)
            group += (prefixes.get(length) or self._prefix(length), encoded)
        message: list[bytes] = []
        for scopes in groups.values():
            of = b""
            parts: list[bytes] = []
            for group in scopes.values():
                of, by = headers[id(group)]
                parts.append(field(b"\x12", by + b"".join(group)))
            message.append(field(b"\x0a", of + b"".join(parts)))
        return b"".join(message)

    def _of(self, span: ReadableSpan | bytes) -> tuple[Resource, InstrumentationScope | None]:
        if isinstance(span, bytes) and self._early is not None:
            return self._early
        return span.resource, span.instrumentation_scope  # type: ignore[union-attr]  # bytes come from `early` only

    def _prefix(self, length: int) -> bytes:
        prefix = b"\x12" + varint(length)
        if length < _MAX_PREFIX:
            self._prefixes[length] = prefix
        return prefix

    def _header(self, resource: Resource, scope: InstrumentationScope | None) -> tuple[bytes, bytes]:
        """Return resource and scope without what is in them, as the stock encoder writes them."""
        key = id(resource), id(scope)
        known = self._headers.get(key)
        if known is None:
            bare = ReadableSpan("", INVALID_SPAN_CONTEXT, resource=resource, instrumentation_scope=scope)
            of = encode_spans([bare]).resource_spans[0]
            by = of.scope_spans.pop()
            del by.spans[:]
            if len(self._headers) >= _MAX_HEADERS:
                self._headers.clear()
            known = self._headers[key] = of.SerializeToString(), by.SerializeToString(), resource, scope
        return known[0], known[1]

    def _span(self, span: ReadableSpan) -> bytes:
        try:
            return self._messages.encode(span)
        except Exception:  # noqa: BLE001  # whatever the reason, the stock encoder knows what to do
            self.left += 1
            return _as_stock(span)


def _as_stock(span: ReadableSpan) -> bytes:
    try:
        return encode_spans([_redacting.span(span)]).resource_spans[0].scope_spans[0].spans[0].SerializeToString()
    except Exception as error:
        raise StockEncoderError from error
