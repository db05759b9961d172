"""One span as a message of OTLP.

Room: `export`. A span goes in, its bytes come out. Field by field this is what the stock encoder
writes; a field of zero or nothing may be written or left out, which is the same in this format.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import DEFAULT_TRACE_STATE, Link, SpanKind, Status, StatusCode

from otel_llm_router import _otel_compat, redaction
from otel_llm_router.export._wire import Attributes, Kept, field, varint

# Trace id, span id, start and end, each behind its tag.
_identity: Final = struct.Struct("<2s16s2s8scQcQ").pack
_moment: Final = struct.Struct("<cQ").pack

# Flags: that it is known whether the parent is in another process, and that it is.
_HERE: Final = struct.pack("<I", 0x100)
_REMOTE: Final = struct.pack("<I", 0x300)

# Members of an enumeration by their identity, which stays: their own hash is a call.
_KINDS: Final = {id(kind): varint(kind.value + 1) for kind in SpanKind}
_CODES: Final = {id(code): varint(code.value) for code in StatusCode}


class Unusual(Exception):  # noqa: N818  # nothing is wrong with it
    """A span that is left to the stock encoder."""


class SpanMessages:
    """Encodes spans, and keeps what comes again."""

    def __init__(self) -> None:
        self._attributes = Attributes(b"\x4a")
        self._event_attributes = Attributes(b"\x1a")
        self._link_attributes = Attributes(b"\x22")
        self._heads = Kept()
        self._event_names = Kept()

    def encode(self, span: ReadableSpan) -> bytes:
        """Return the message of a span.

        Raises:
            Exception: there is something in it that the stock encoder has to decide about.
        """
        if type(span) is not ReadableSpan:  # its properties may say something else
            raise Unusual
        context, parent, name, kind, status, start, end, attributes, events, links = _otel_compat.span_content(span)
        trace_id, span_id, _, _, state, _ = context  # a tuple, whose properties are calls
        trace, own = trace_id.to_bytes(16, "big"), span_id.to_bytes(8, "big")
        pieces = [_identity(b"\x0a\x10", trace, b"\x12\x08", own, b"\x39", start or 0, b"\x41", end or 0)]
        remote = False
        if parent:
            _, parent_id, remote, _, _, _ = parent
            pieces.append(b"\x22\x08" + parent_id.to_bytes(8, "big"))
        if status.description:
            pieces.append(_head(name, kind, status, remote=remote))
        else:
            what = (name, id(kind), id(status.status_code), remote)
            head = self._heads.get(what)
            pieces.append(head or self._heads.keep(what, kind, _head(name, kind, status, remote=remote)))
        if state is not DEFAULT_TRACE_STATE and state:
            pieces.append(field(b"\x1a", ",".join([f"{key}={value}" for key, value in state.items()]).encode()))
        if attributes is not None:
            pieces += _limited(attributes, self._attributes, b"\x50")
        if events or events.__class__ is BoundedList:
            pieces += _listed(events, self._event, b"\x60")
        if links or links.__class__ is BoundedList:
            pieces += _listed(links, self._link, b"\x70")
        return b"".join(pieces)

    def forget(self) -> None:
        """Forget what was kept: what was usual may not be any more."""
        for kept in (
            self._attributes,
            self._event_attributes,
            self._link_attributes,
            self._heads,
            self._event_names,
        ):
            kept.forget()

    def _event(self, event: Event) -> bytes:
        if type(event) is not Event:
            raise Unusual
        name, timestamp, attributes = _otel_compat.event_content(event)
        named = self._event_names.get(name) or self._event_names.keep(
            name, None, field(b"\x12", str.encode(redaction.text(name)))
        )
        pieces = [_moment(b"\x09", timestamp), named]
        if attributes is not None:
            pieces += _limited(attributes, self._event_attributes, b"\x20")
        return field(b"\x5a", b"".join(pieces))

    def _link(self, link: Link) -> bytes:
        context = link.context
        pieces = [
            b"\x0a\x10" + context.trace_id.to_bytes(16, "big"),
            b"\x12\x08" + context.span_id.to_bytes(8, "big"),
            b"\x35" + (_REMOTE if context.is_remote else _HERE),
        ]
        attributes = link.attributes
        if attributes is not None:
            pieces += _limited(attributes, self._link_attributes, b"\x28")
        return field(b"\x6a", b"".join(pieces))


def _head(name: str, kind: SpanKind, status: Status, *, remote: object) -> bytes:
    """Return name, kind, status and flags."""
    state = b"\x18" + _CODES[id(status.status_code)]
    if status.description:
        state += field(b"\x12", str.encode(redaction.text(status.description)))
    flags = b"\x85\x01" + (_REMOTE if remote else _HERE)
    return field(b"\x2a", str.encode(redaction.text(name))) + b"\x30" + _KINDS[id(kind)] + field(b"\x7a", state) + flags


def _limited(attributes: Mapping[str, Any], encoder: Attributes, tag: bytes) -> list[bytes]:
    """Return attributes, and how many were dropped."""
    if type(attributes) is dict:
        return encoder.fields(cast("dict[str, Any]", attributes))
    if type(attributes) is not BoundedAttributes:
        raise Unusual
    # In a dict: going through the attributes themselves takes several times as long.
    fields = encoder.fields(attributes.copy())
    if attributes.dropped:
        fields.append(tag + varint(attributes.dropped))
    return fields


def _listed(items: Sequence[Any], encode: Callable[[Any], bytes], tag: bytes) -> list[bytes]:
    """Return events or links, and how many were dropped."""
    kind = type(items)
    if kind is not BoundedList:
        if kind is not list and kind is not tuple:
            raise Unusual
        return [encode(item) for item in items]
    fields = [encode(item) for item in items] if len(items) else []
    dropped = cast("BoundedList[Any]", items).dropped
    if dropped:
        fields.append(tag + varint(dropped))
    return fields
