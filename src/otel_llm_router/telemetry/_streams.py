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
from otel_llm_router.telemetry import _deferred, _guard, _usage
from otel_llm_router.telemetry._drive import Scope, async_driver, sync_driver

if TYPE_CHECKING:
    from otel_llm_router.telemetry._attempt import Attempt
    from otel_llm_router.telemetry._request import Request

T = TypeVar("T")

_PROBE: Final = "_otel_llm_router_probe"


class StreamProbe:
    """Measures one stream for its request, its attempt, or both.

    Args:
        request: The request that ends with the stream.
        attempt: The attempt that ends with the stream.

    Both are open to be read; ``usage`` is the last usage object that a chunk carried, and ``stepping``
    is for whoever drives the stream to say that the next chunk is being produced.
    """

    def __init__(self, *, request: Request | None = None, attempt: Attempt | None = None) -> None:
        self.request = request
        self.attempt = attempt
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
        """What should be current while the next chunk is produced."""
        owner = self.attempt or self.request
        return owner.context if owner is not None else None

    @property
    def live(self) -> bool:
        """Whether the stream has not ended."""
        return bool(self._open)

    def chunk(self, chunk: Any) -> None:
        """Account for one chunk."""
        with _guard.guard("stream.chunk"):
            if _usage.has_content(chunk):
                now = time.perf_counter_ns()
                if self.attempt is not None:
                    self.attempt.chunk(now)
                if self.request is not None:
                    self.request.chunk(now)
                self._estimable = self._estimable and _usage.counts_tokens(chunk)
            self.complete = self.complete or _usage.is_last(chunk)
            found = _usage.find(chunk)
            if found is not None:
                if self._first_usage is None:
                    self._first_usage = found
                self.usage = found
            if self.attempt is not None and (self.complete or self.attempt.response_model is None):
                self.attempt.complete = self.complete
                self.attempt.describe(chunk)

    def whole(self, answer: Any) -> None:
        """End with an answer that turned out to be no stream."""
        with _guard.guard("stream.whole"):
            if self.request is not None:
                self.request.streaming = False
            if self.attempt is not None:
                self.attempt.streaming = False
                self.attempt.describe(answer)
            self.usage = _usage.find(answer)
        self.finish()

    def finish(self) -> None:
        """End at the stream's natural end."""
        self._end(attributes.SUCCESS, "", time.perf_counter_ns())

    def fail(self, error: BaseException) -> None:
        """End with an exception that the stream raised."""
        with _guard.guard("stream.fail"):
            if self._close():
                self.settle()
                if self.attempt is not None:
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
            return self._open.pop()
        except IndexError:
            return False

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
                self.settle()
                if self.complete:
                    outcome, error_type = attributes.SUCCESS, ""
                if self.attempt is not None:
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
        tracked = async_driver(lambda: (stream, Scope(probe.context), lifeline.probe))()
    elif inspect.isgenerator(stream):
        tracked = sync_driver(lambda: (stream, Scope(probe.context), lifeline.probe))()
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
        vars(stream)[_PROBE] = Lifeline(probe)
    except TypeError:
        return False
    return True


def probe_of(stream: Any) -> StreamProbe | None:
    """Return the probe that a stream carries, as long as the stream has not ended."""
    lifeline = getattr(stream, "__dict__", {}).get(_PROBE)
    return lifeline.probe if isinstance(lifeline, Lifeline) and lifeline.probe.live else None
