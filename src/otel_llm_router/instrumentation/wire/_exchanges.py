"""One call to a provider on its way: begun, answered, read to its last byte, ended once.

Room: `instrumentation`. The hooks of each HTTP library tell an `Exchange` what happens; it tells
`telemetry`. Where an upper layer owns the call, the exchange adds what only the wire shows, and neither
a span nor a count of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, MutableMapping
from functools import partial
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otel_llm_router import telemetry
from otel_llm_router.instrumentation._protocols.answers import PLAIN, Piece
from otel_llm_router.instrumentation._protocols.recognition import Call, model_path, recognise
from otel_llm_router.instrumentation.wire import _headers, _propagation
from otel_llm_router.instrumentation.wire._headers import Header
from otel_llm_router.instrumentation.wire._reading import Reading
from otel_llm_router.signals import attributes
from otel_llm_router.telemetry.instrumenting import (
    Attempt,
    Reason,
    StreamProbe,
    Target,
    begin_call,
    defer,
    joined,
    owner_of_call,
    read_usage,
    reading_owner,
)

_WATCHED: Final = otel_context.create_key("otel_llm_router.wire")
_SUPPRESSED: Final = "suppress_instrumentation"


def watched() -> bool:
    """Whether nothing is to be noticed here: a layer above sees the call already, or all of it is suppressed."""
    return bool(otel_context.get_value(_WATCHED) or otel_context.get_value(_SUPPRESSED))


class _ReportedError(Exception):
    """A failure that the provider reported in its answer, where no exception says so."""


class _Probe(StreamProbe):
    """A probe that is told what the events say, not shown them."""

    def __init__(self, attempt: Attempt, *, own_request: bool, estimable: bool, timed: bool) -> None:
        super().__init__(attempt=attempt, request=attempt.request if own_request else None)
        self.timed = timed
        self._estimable = estimable
        if own_request:
            attempt.request.streaming = True

    def take(self, piece: Piece) -> None:
        """Account for one event."""
        attempt, tally = self.attempt, self.tally
        if attempt is None:
            return
        if piece.content:
            tally.chunks += 1
            if self.timed:
                tally.last = time.perf_counter_ns()
                tally.first = tally.first or tally.last
            if tally.chunks == 1:
                self.report()
        if piece.last:
            self.complete = attempt.complete = True
        if piece.usage is not None:
            if self._first_usage is None:
                self._first_usage = piece.usage
            self.usage = piece.usage

    def broken(self, error_type: str) -> None:
        """End with a failure that the provider reports in the stream."""
        if self._close() and self.attempt is not None:
            self.attempt.fail(_ReportedError(), error_type)


class Exchange:
    """One call to a provider, as the wire shows it.

    Args:
        call: What is called.
        retry: Whether the caller says that it has tried before.
    """

    def __init__(self, call: Call, *, retry: bool = False) -> None:
        self._call = call
        self._ended = False
        self._reading: Reading | None = None
        self._probe: _Probe | None = None
        self._cost: Any = None
        self._first_usage: Any = None
        owner = owner_of_call(call.model)
        self._own = owner is None
        if owner is None:
            target = Target(call.provider, call.model, None, call.operation, call.address or None, call.port)
            reason: Reason | None = "retry" if retry else None
            self._attempt = begin_call(target, reason=reason)
            self._own_request = self._attempt.request.ends_with_attempt
            inside = self._attempt.context
        else:
            self._attempt = owner
            self._own_request = False
            inside = joined(owner)
        self._parent: Context = inside
        self.context: Context = otel_context.set_value(_WATCHED, True, inside)

    @property
    def live(self) -> bool:
        """Whether the answer has not ended."""
        return not self._ended

    def inject(self, headers: MutableMapping[str, str]) -> None:
        """Put the trace context into the request's headers."""
        _propagation.inject(headers, self._parent)

    def asked(self, body: Callable[[], Any]) -> None:
        """Take what is asked, where that is asked for."""
        content = self._attempt.content_kept
        if content is not None:
            content.asked_below(body())

    # --- the answer -----------------------------------------------------------------------------

    def answered(self, status: int, header: Header, *, decoded: bool = False, at_once: bool = False) -> None:
        """Take the head of the answer.

        Args:
            status: HTTP status.
            header: Look-up of its headers.
            decoded: Whether the body will come decompressed.
            at_once: Whether the body comes in one piece, whose parts have no times.
        """
        attempt, call = self._attempt, self._call
        take_head(attempt, status, header)
        content = attempt.content_kept
        keep = None if content is None else content.below
        self._reading = Reading(call.dialect, status, header, stream=call.stream, decoded=decoded, keep=keep)
        if self._own and self._reading.in_pieces:
            estimable = call.dialect == "openai" and call.operation != "embeddings"
            self._probe = _Probe(attempt, own_request=self._own_request, estimable=estimable, timed=not at_once)

    def comes_compressed(self) -> None:
        """Correct what `answered` was told: the body does not come decompressed."""
        if self._reading is not None:
            self._reading.decompress()

    def feed(self, data: bytes) -> None:
        """Take bytes of the body."""
        if self._reading is not None and not self._ended:
            for piece in self._reading.feed(data):
                if piece is not PLAIN:
                    self._take(piece)
                elif self._probe is not None:
                    self._probe.take(piece)

    def _take(self, piece: Piece) -> None:
        attempt = self._attempt
        if not self._own:
            if piece.usage is not None:
                self._note(piece.usage)
            return
        if piece.answer and (piece.last or attempt.response_model is None) and not attempt.ended:
            attempt.describe(piece.answer)
        if piece.cost is not None and self._call.provider == "openrouter":  # whose credits are US dollars
            attempt.cost(piece.cost)
        if self._probe is not None:
            self._probe.take(piece)
        elif piece.usage is not None:
            attempt.read_usage(piece.usage)
        if piece.error:
            self._broken(piece.error)

    def _note(self, usage: Any) -> None:
        found = read_usage(usage)
        if found.source != "reported":
            return
        if self._first_usage is None:
            self._first_usage = found
        else:
            found.fill(self._first_usage)
        self._attempt.note_usage(found)

    # --- the end --------------------------------------------------------------------------------

    def finish(self) -> None:
        """End with the last byte."""
        if self._over():
            return
        reading, attempt = self._reading, self._attempt
        if reading is not None:
            if self._probe is not None and reading.at_once:
                self._probe.timed = False
            for piece in reading.end():
                self._take(piece)
        if not self._own:
            return
        if reading is not None and reading.failure:
            attempt.end(attributes.ERROR, reading.failure)
        elif self._probe is not None:
            self._probe.finish()
        else:
            attempt.end()

    def fail(self, error: BaseException) -> None:
        """End with an exception of the HTTP library."""
        if self._over() or not self._own:
            return
        if self._probe is not None:
            self._probe.fail(error)
        else:
            self._attempt.fail(error)

    def abort(self, error_type: str = "client_disconnect") -> None:
        """End because the application stopped reading; may be called by the garbage collector."""
        if self._over() or not self._own:
            return
        if self._reading is not None and self._reading.failure:  # the status was enough for it
            defer(partial(self._attempt.end, attributes.ERROR, self._reading.failure, at=time.perf_counter_ns()))
        elif self._probe is not None:
            self._probe.abort(error_type)
        else:
            defer(partial(self._attempt.end, attributes.ABORTED, error_type, at=time.perf_counter_ns()))

    def _broken(self, error_type: str) -> None:
        """End with a failure that the provider reports inside an answer that began well; reading goes on."""
        if self._probe is not None:
            self._probe.broken(error_type)
        else:
            self._attempt.fail(_ReportedError(), error_type)

    def _over(self) -> bool:
        ended, self._ended = self._ended, True
        return ended


class Bystander:
    """A call whose owner reads the answer itself: what only the headers show is added, and the body left alone.

    Args:
        owner: The attempt in flight.
    """

    def __init__(self, owner: Attempt) -> None:
        self._owner = owner
        self._parent = joined(owner)
        self.context: Context = otel_context.set_value(_WATCHED, True, self._parent)

    def inject(self, headers: MutableMapping[str, str]) -> None:
        """Put the trace context into the request's headers."""
        _propagation.inject(headers, self._parent)

    def answered(self, status: int, header: Header) -> None:
        """Take the head of the answer."""
        take_head(self._owner, status, header)

    def fail(self, error: BaseException) -> None:
        """Leave the end to the owner."""


def take_head(attempt: Attempt, status: int, header: Header) -> None:
    """Tell an attempt what the head of its answer says."""
    attempt.http_status = status
    requests_left, tokens_left = _headers.rate_limit(header)
    if requests_left is not None or tokens_left is not None:
        target = attempt.target
        telemetry.rate_limit(target.provider, target.model, requests_left=requests_left, tokens_left=tokens_left)
    wait = _headers.retry_after(header)
    if wait is not None:
        attempt.details[attributes.RETRY_AFTER] = wait


def notice(
    path: str, host: str, port: int | None, body: Callable[[], Any], *, retry: bool = False
) -> Exchange | Bystander | None:
    """Return the exchange that a POST is the beginning of, or None when it is none or is seen by somebody above.

    Args:
        path: Path of the URL, without the query.
        host: Host of the URL.
        port: Port of the URL, where it says one.
        body: See `recognise`.
        retry: Whether the caller says that it has tried before.
    """
    if watched():
        return None
    owner = reading_owner()
    if owner is not None:
        return Bystander(owner) if model_path(path) else None
    call = recognise(path, host, port, body)
    if call is None:
        return None
    exchange = Exchange(call, retry=retry)
    exchange.asked(body)
    return exchange
