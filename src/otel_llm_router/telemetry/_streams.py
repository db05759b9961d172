"""Streams on their way to the client: measured chunk by chunk, ended exactly once.

Room: `telemetry`. A provider's stream and the request and attempt it belongs to come in; a stream
that behaves the same comes out. Our context is current only while the provider's side produces a
chunk, never while the consumer holds one.
"""

from __future__ import annotations

import inspect
import time
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from opentelemetry.context import Context

from otel_llm_router.signals import attributes
from otel_llm_router.telemetry import _chunks, _deferred, _guard, _usage
from otel_llm_router.telemetry._drive import async_driver, sync_driver
from otel_llm_router.telemetry._tally import Tally

if TYPE_CHECKING:
    from otel_llm_router.telemetry._attempt import Attempt
    from otel_llm_router.telemetry._request import Request

T = TypeVar("T")

PROBE: Final = "_otel_llm_router_probe"
"""Where a stream object carries the lifeline of its probe."""
_TRIES: Final = 3
"""Chunks with content that a stream may learn a quick look from: shapes of which none is plain stop costing then."""


class StreamProbe:
    """Measures one stream for its request, its attempt, or both.

    Args:
        request: The request that ends with the stream.
        attempt: The attempt that ends with the stream.

    Both are open to be read; ``usage`` is the last usage object that a chunk carried, and ``stepping``
    is for whoever drives the stream to say that the next chunk is being produced. ``inside`` is what should
    be current meanwhile; None without an owner, and once the stream has ended. ``looks`` is whether it wants to
    see the chunks; ``plain`` accounts for a chunk if it is a plain one, and says whether, for `examine` to see
    the others.

    What a chunk costs was a choice. Kept until the end and looked at then, chunks would cost the same later,
    be held beyond their time, and say what their consumer has made of them. So each is looked at when it comes,
    quickly: of a plain one, which is nearly every one after the first, are kept the time and the number.
    """

    looks_of_its_own: Sequence[_chunks.MakeLook] = ()
    """Quick looks at what a library's chunks look like, tried first."""

    def __init__(self, *, request: Request | None = None, attempt: Attempt | None = None) -> None:
        self.request = request
        self.attempt = attempt
        self.tally = Tally()
        self.inside: Context | None = self.context
        self.looks = True
        self.plain: _chunks.Look = _chunks.never
        self._content = None if attempt is None else attempt.content_kept
        self._tries = _TRIES if self._content is None else 0  # it wants to see each chunk
        self._open = [True]
        self._estimable = True
        self.complete = False
        self.stepping = False
        self._first_usage: Any = None
        self.usage: Any = None
        if attempt is not None:
            attempt.keep_open(self.settle)

    @property
    def context(self) -> Context | None:
        """The context of the attempt, else of the request."""
        owner = self.attempt or self.request
        return owner.context if owner is not None else None

    def behind(self) -> Context | None:
        """Return what to make current after a step that ends the stream, if not what was before it."""
        return None

    def adopt(self, request: Request | None) -> None:
        """Let ``request``, which gives the stream to its client, end with it."""
        self.request = request
        self.inside = self.context
        if self.tally.chunks:
            self.report()

    @property
    def live(self) -> bool:
        """Whether the stream has not ended."""
        return bool(self._open)

    def chunk(self, chunk: Any) -> None:
        """Account for one chunk."""
        if not self.plain(chunk):
            self.examine(chunk)

    def examine(self, chunk: Any) -> None:
        """Account for a chunk that is not `plain`."""
        with _guard.guard("stream.chunk"):
            self.inspect(chunk, time.perf_counter_ns())
            if self._content is not None:
                self._content.chunk(chunk)

    def inspect(self, chunk: Any, now: int) -> None:
        """Look at a chunk closely, which arrived at ``now`` (``perf_counter_ns``)."""
        if _chunks.has_content(chunk):
            self.count(chunk, now)
            self._estimable = self._estimable and _chunks.counts_tokens(chunk)
        self.complete = self.complete or _chunks.is_last(chunk)
        found = _usage.find(chunk)
        if found is not None:
            if self._first_usage is None:
                self._first_usage = found
            self.usage = found
        self.tell(chunk)

    def count(self, chunk: Any, now: int) -> None:
        """Count a chunk with content, and learn from it how to see the next."""
        tally = self.tally
        tally.last = now
        tally.chunks += 1
        if tally.first is None:
            tally.first = now
            self.report()
        if self.plain is _chunks.never and self._tries:
            self._tries -= 1
            self.plain = _chunks.learn(chunk, tally, self.looks_of_its_own)

    def report(self) -> None:
        """Say to whom the chunks belong that are counted; called at the first."""
        if self.attempt is not None:
            self.attempt.follow(self.tally)
        if self.request is not None:
            self.request.follow(self.tally)

    def tell(self, chunk: Any) -> None:
        """Tell the attempt what a chunk says of the answer."""
        attempt = self.attempt
        if attempt is not None and (self.complete or attempt.response_model is None):
            attempt.complete = self.complete
            attempt.describe(chunk)

    def whole(self, answer: Any) -> None:
        """End with an answer that turned out to be no stream."""
        with _guard.guard("stream.whole"):
            if self.request is not None:
                self.request.streaming = False
            if self.attempt is not None:
                self.attempt.streaming = False
                self.attempt.describe(answer)
                self.attempt.content(answered=answer)
            self.usage = _usage.find(answer)
        self.finish()

    def finish(self) -> None:
        """End at the stream's natural end."""
        self._end(attributes.SUCCESS, "", time.perf_counter_ns())

    def fail(self, error: BaseException) -> None:
        """End with an exception that the stream raised."""
        with _guard.guard("stream.fail"):
            if self._close():
                if self.attempt is not None:  # which settles
                    self.attempt.fail(error)
                if self.request is not None:
                    self.request.fail(error)

    def abort(self, error_type: str = "client_disconnect") -> None:
        """End because the consumer stopped reading, which is a success once the answer was complete."""
        if self.stepping:  # the stream closes itself on its way to an exception, which will say more
            return
        # Closing a dropped generator happens in the garbage collector: see `_deferred`.
        _deferred.defer(partial(self._end, attributes.ABORTED, error_type, time.perf_counter_ns()))

    def __del__(self) -> None:
        if self._open:
            self.abort("stream_abandoned")

    def _close(self) -> bool:
        try:
            self._open.pop()
        except IndexError:
            return False
        self.closed()
        return True

    def closed(self) -> None:
        """Take note of the end; called once."""
        self.inside = None

    def settle(self) -> None:
        """Hand the usage seen so far over to the attempt; called before its end, whoever brings that about."""
        attempt = self.attempt
        if attempt is None:
            return
        if self.usage is not None:
            attempt.read_usage(self.usage, earlier=self._first_usage)
        if self._estimable:
            attempt.estimate_from_chunks()

    def _end(self, outcome: str, error_type: str, at: int) -> None:
        with _guard.guard("stream.end"):
            if self._close():
                if self.complete:
                    outcome, error_type = attributes.SUCCESS, ""
                if self.attempt is not None:  # which settles
                    self.attempt.end(outcome, error_type, at=at)
                if self.request is not None:
                    self.request.end(outcome, error_type, at=at)


class Lifeline:
    """What a stream holds of its probe, and nothing else does: with the stream it goes, and tells the probe.

    The probe itself lives on with its attempt, which may end in the same sweep of the garbage collector
    and then still wants the usage that the probe has seen.
    """

    __slots__ = ("probe",)

    def __init__(self, probe: StreamProbe) -> None:
        self.probe = probe

    def __del__(self) -> None:
        if self.probe.live:
            self.probe.abort("stream_abandoned")

    def __deepcopy__(self, _memo: dict[int, Any]) -> Lifeline:
        return self  # a copied stream object is still the one stream


def track(stream: T, probe: StreamProbe) -> T:
    """Return a stream like ``stream`` that ``probe`` measures; an answer that is no stream ends the probe."""
    tracked: Any
    lifeline = Lifeline(probe)
    if inspect.isasyncgen(stream):
        tracked = async_driver(lambda: (stream, probe.context, lifeline.probe))()
    elif inspect.isgenerator(stream):
        tracked = sync_driver(lambda: (stream, probe.context, lifeline.probe))()
    elif is_stream(stream):
        from otel_llm_router.telemetry._stream_proxy import proxy  # noqa: PLC0415  # wrapt only where it is needed

        tracked = proxy(stream, lifeline)
    else:
        probe.whole(stream)
        tracked = stream
    return tracked


def is_stream(answer: Any) -> bool:
    """Whether an answer comes in pieces; a complete one can often be iterated too, over its fields."""
    cls: type[object] = type(answer)  # pyright: ignore[reportUnknownVariableType]
    if hasattr(cls, "__next__") or hasattr(cls, "__anext__"):
        return True
    if isinstance(answer, (Mapping, Sequence, AbstractSet)) or any(
        base.__module__.partition(".")[0] == "pydantic" for base in cls.__mro__
    ):
        return False
    return hasattr(cls, "__iter__") or hasattr(cls, "__aiter__")


def carry(stream: Any, probe: StreamProbe) -> bool:
    """Let a stream object carry the probe that an instrumentation measures it with; False if it cannot."""
    try:
        object.__setattr__(stream, PROBE, Lifeline(probe))  # asking for its dictionary would slow the object down
    except (AttributeError, TypeError):
        return False
    return True


def probe_of(stream: Any) -> StreamProbe | None:
    """Return the probe that a stream carries, as long as the stream has not ended."""
    lifeline = getattr(stream, PROBE, None)
    return lifeline.probe if isinstance(lifeline, Lifeline) and lifeline.probe.live else None
