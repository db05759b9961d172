"""OpenTelemetry's ``Tracer`` for our own scope: identity at once, content when the span has ended.

Room: `aggregation`. A span that begins gets its ids and its sampling decision, which is all that
propagation and children need. Its content is put together off the request path, as the SDK's public
``ReadableSpan``, and goes to the provider's span processors.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Sampler
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import Attributes, AttributeValue

from otel_llm_router import _otel_compat
from otel_llm_router._sanitize import Prose, text

MAX_ATTRIBUTES: Final = 128
MAX_EVENTS: Final = 128
"""What a span keeps; the SDK's own defaults."""

_RANDOM: Final[int] = getattr(TraceFlags, "RANDOM_TRACE_ID", 0)  # OpenTelemetry has it since 1.42
_UNSET: Final = Status(StatusCode.UNSET)

_FOLLOWS: Final = ",localParentSampled:AlwaysOnSampler,localParentNotSampled:AlwaysOffSampler}"
"""End of the description of a sampler whose decision is the local parent's."""

_BLIND: Final = re.compile(
    r"(?:\w+:|ParentBased\{|AlwaysOnSampler|AlwaysOffSampler|TraceIdRatioBased\{[\d.e-]+\}|[,}])+"
)
"""Description of a sampler that looks at nothing but the parent and the trace id."""

_FIT: Final[set[str]] = set()
"""Values that were found fit for exporters: most come again and again."""

_MAX_FIT: Final = 2000

Describe = Callable[[], tuple[str, Mapping[str, Any]]]
"""Gives a span's name and the attributes it began with."""

Later = Callable[..., None]
"""Takes a function and its arguments, to be called soon and in order."""


class Span(trace.Span):
    """A span that is recording."""

    checks_values = True
    """Values of any kind may be set: they are made fit for exporters at the end."""

    __slots__ = (
        "_attributes",
        "_context",
        "_describe",
        "_end",
        "_events",
        "_kind",
        "_links",
        "_name",
        "_parent",
        "_start",
        "_status",
        "_tracer",
    )

    def __init__(
        self,
        tracer: Tracer,
        describe: Describe | None,
        context: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        start: int,
        name: str = "",
        attributes: Mapping[str, Any] | None = None,
        links: Sequence[Link] | None = None,
    ) -> None:
        self._tracer = tracer
        self._describe = describe
        self._name = name
        self._context = context
        self._parent = parent
        self._kind = kind
        self._attributes: dict[str, Any] | None = dict(attributes) if attributes else None
        self._events: list[tuple[str, Mapping[str, Any], int]] | None = None
        self._links = links
        self._start = start
        self._end: int | None = None
        self._status: Status = _UNSET

    def get_span_context(self) -> SpanContext:
        """Return the span's identity."""
        return self._context

    def is_recording(self) -> bool:
        """Whether what is said now is still heard."""
        return self._end is None

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Set one attribute."""
        if self._end is None:
            if self._attributes is None:
                self._attributes = {}
            if len(self._attributes) < MAX_ATTRIBUTES or key in self._attributes:
                self._attributes[key] = value

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Set several attributes."""
        if self._end is None:
            if self._attributes is None:
                self._attributes = {}
            self._attributes.update(attributes)

    def add_event(self, name: str, attributes: Attributes = None, timestamp: int | None = None) -> None:
        """Add an event, now or at ``timestamp``."""
        if self._end is None:
            if self._events is None:
                self._events = []
            if len(self._events) < MAX_EVENTS:
                self._events.append((name, attributes or {}, time.time_ns() if timestamp is None else timestamp))

    def add_link(self, context: SpanContext, attributes: Attributes = None) -> None:
        """Add a link to another span."""
        if self._end is None:
            self._links = [*(self._links or ()), Link(context, attributes)]

    def update_name(self, name: str) -> None:
        """Change the name."""
        if self._end is None:
            self._name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status; once it is OK it stays so."""
        if self._end is None and self._status.status_code is not StatusCode.OK:
            self._status = status if isinstance(status, Status) else Status(status, description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Attributes = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: ARG002  # the API's signature
    ) -> None:
        """Add an event with the class of an exception, and never its message."""
        self.add_event("exception", {"exception.type": type(exception).__qualname__, **(attributes or {})}, timestamp)

    def end(self, end_time: int | None = None) -> None:
        """End the span, now or at ``end_time``; every call but the first does nothing."""
        if self._end is None:
            self._end = time.time_ns() if end_time is None else end_time
            self._tracer.ended(self)

    def readable(self, resource: Resource, scope: InstrumentationScope) -> ReadableSpan:
        """Return the ended span as the exporters read it."""
        attributes, name = self._attributes or {}, self._name
        if self._describe is not None:
            described, first = self._describe()
            self._describe = None  # who describes it knows it: together they would wait for the garbage collector
            name, attributes = name or described, {**first, **attributes}
        if len(attributes) > MAX_ATTRIBUTES:
            attributes = dict(list(attributes.items())[:MAX_ATTRIBUTES])
        return ReadableSpan(
            name=text(name),
            context=self._context,
            parent=self._parent,
            resource=resource,
            attributes=_values(attributes),
            events=[Event(name, _values(values), at) for name, values, at in sorted(self._events or (), key=_moment)],
            links=self._links or (),
            kind=self._kind,
            status=self._status,
            start_time=self._start,
            end_time=max(self._start, self._end or 0),
            instrumentation_scope=scope,
        )


class Tracer(trace.Tracer):
    """Makes spans of one scope.

    Args:
        sampler: Decides before anything is built.
        ids: Makes trace and span ids.
        resource: Who is sending.
        processor: Is given every ended span that is sampled.
        scope: Our scope.
        later: Puts work off the request path.
    """

    def __init__(
        self,
        *,
        sampler: Sampler,
        ids: IdGenerator,
        resource: Resource,
        processor: SpanProcessor,
        scope: InstrumentationScope,
        later: Later,
    ) -> None:
        self._sampler = sampler
        description = sampler.get_description()
        self._follows = description.startswith("ParentBased{") and description.endswith(_FOLLOWS)
        self._blind = type(sampler).__module__ == Sampler.__module__ and _BLIND.fullmatch(description) is not None
        self._ids = ids
        self._random = _RANDOM if getattr(ids, "is_trace_id_random", bool)() else 0
        self._resource = resource
        self._processor = processor
        self._scope = scope
        self._later = later

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: ARG002  # the API's signature
        set_status_on_exception: bool = True,  # noqa: ARG002
    ) -> trace.Span:
        """Start a span, or what passes the context on where the sampler wants none."""
        start = time.time_ns() if start_time is None else start_time
        parent = trace.get_current_span(context).get_span_context()
        if self._follows and parent.is_valid and not parent.is_remote:
            own, record = self._child(parent), parent.trace_flags.sampled
        else:
            parent = parent if parent.is_valid else None
            own, record, attributes = self._ask(parent, context, name, kind, attributes, links)
        if not record:
            return trace.NonRecordingSpan(own)
        return Span(self, None, own, parent, kind, start, name, attributes, links)

    def begin(self, describe: Describe, context: Context, kind: SpanKind, start: int) -> trace.Span:
        """Start a span that is described when it has ended; sooner only for a sampler that may want to know."""
        parent = trace.get_current_span(context).get_span_context()
        if self._follows and parent.is_valid and not parent.is_remote:
            own = self._child(parent)
            if parent.trace_flags.sampled:
                return Span(self, describe, own, parent, kind, start)
            return trace.NonRecordingSpan(own)
        if self._blind:
            parent = parent if parent.is_valid else None
            own, record, added = self._ask(parent, context, "", kind, None, None)
            if not record:
                return trace.NonRecordingSpan(own)
            return Span(self, describe, own, parent, kind, start, "", added)
        name, attributes = describe()
        return self.start_span(name, context, kind, attributes, None, start)

    def _child(self, parent: SpanContext) -> SpanContext:
        # What the sampler would say of a local parent's child, without asking.
        return SpanContext(parent.trace_id, self._ids.generate_span_id(), False, parent.trace_flags, parent.trace_state)

    def _ask(
        self,
        parent: SpanContext | None,
        context: Context | None,
        name: str,
        kind: SpanKind,
        attributes: Attributes,
        links: Sequence[Link] | None,
    ) -> tuple[SpanContext, bool, Mapping[str, Any] | None]:
        """Return the identity the sampler gives, whether it records, and the attributes with those it adds."""
        trace_id = self._ids.generate_trace_id() if parent is None else parent.trace_id
        sampled = self._sampler.should_sample(context, trace_id, name, kind, attributes, links)
        random = self._random if parent is None else parent.trace_flags & _RANDOM
        own = SpanContext(
            trace_id,
            self._ids.generate_span_id(),
            is_remote=False,
            trace_flags=TraceFlags((TraceFlags.SAMPLED if sampled.decision.is_sampled() else 0) | random),
            trace_state=sampled.trace_state,
        )
        added: Mapping[str, Any] = sampled.attributes  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return own, sampled.decision.is_recording(), {**added, **(attributes or {})} if added else attributes

    @_otel_compat.context_manager
    def start_as_current_span(
        self, name: str, *args: Any, end_on_exit: bool = True, **kwargs: Any
    ) -> Iterator[trace.Span]:
        """Start a span and make it current."""
        span = self.start_span(name, *args, **kwargs)
        with trace.use_span(span, end_on_exit=end_on_exit, record_exception=False):
            yield span

    def ended(self, span: Span) -> None:
        """Give an ended span on; called by the span."""
        self._later(self._deliver, span)

    def _deliver(self, span: Span) -> None:
        self._processor.on_end(span.readable(self._resource, self._scope))


def _moment(event: tuple[str, Mapping[str, Any], int]) -> int:
    return event[2]  # what is said of a span off the request path comes late, and not in order


def _values(attributes: Mapping[str, Any]) -> dict[str, AttributeValue]:
    fit = _FIT
    # Most values are text that has come before: those cost no call.
    return {key: value if type(value) is str and value in fit else _value(value) for key, value in attributes.items()}


def _value(value: Any) -> AttributeValue:
    """Return an attribute value that every exporter can encode."""
    kind: type[object] = type(value)  # pyright: ignore[reportUnknownVariableType]
    if kind is str:
        fit = text(value)
        if fit is value and len(_FIT) < _MAX_FIT:
            _FIT.add(value)
        return fit
    if kind is bool or kind is float:
        return value
    if kind is int:
        return value if -(2**63) <= value < 2**63 else str(value)
    if isinstance(value, (list, tuple)):
        items = cast("Sequence[object]", value)
        return tuple(text(item) for item in items)
    return str.__str__(value) if kind is Prose else text(value)
