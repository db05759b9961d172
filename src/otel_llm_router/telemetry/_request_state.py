"""What is known of a routed request while it goes on, and what may be said of it.

Room: `telemetry`. The base of `Request`, which makes decisions and attempts and ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span

from otel_llm_router.signals import SpanEvent, attributes
from otel_llm_router.telemetry import _guard, _usage
from otel_llm_router.telemetry._block import Block
from otel_llm_router.telemetry._caller import Caller
from otel_llm_router.telemetry._recorder import nothing
from otel_llm_router.telemetry._tally import Tally, together
from otel_llm_router.telemetry._values import add_event, set_attributes

if TYPE_CHECKING:
    from otel_llm_router.telemetry._attempt import Attempt
    from otel_llm_router.telemetry._sdk_call import SdkCall
    from otel_llm_router.telemetry._streams import StreamProbe


class RequestState(Block):
    """What is known of a routed request."""

    # What every request begins with stands on the class: an instance holds what differs.
    id = ""
    ended = False
    cached = False
    outcome = ""
    error_type = ""
    component = "router"
    attempts: int = 0
    answered_model: str | None = None
    cached_output = 0
    delivered = 0
    streaming = False
    waited: int = 0
    last_attempt: Attempt | None = None
    span: Span = INVALID_SPAN
    leave_flight: Callable[[], None] = staticmethod(nothing)
    front: StreamProbe | None = None
    _tallies: tuple[Tally, ...] = ()
    _waiting_since = 0
    _keep_open = False
    _driven = False
    ends_with_attempt = False
    _sdk_call: SdkCall | None = None
    _previous: Context | None = None

    def hit(self, response: Any = None, *, model: str | None = None) -> None:
        """State that the answer comes from a cache of the router's.

        Args:
            response: The answer; token usage, and the model unless given, are read from it.
            model: Model that had answered.
        """
        with _guard.guard("request.hit"):
            self.cached = True
            found = model or self.answered_model or _usage.get(response, "model")
            if isinstance(found, str) and found:
                self.answered_model = found
            self.cached_output = _usage.read(_usage.find(response)).output or 0

    def attribute(self, caller: Caller) -> None:
        """State who asks, once it is known; what was known before is replaced."""
        with _guard.guard("request.attribute"):
            self.caller = caller
            set_attributes(self.span, caller.attributes())

    def event(self, event: SpanEvent, values: dict[attributes.Attribute, object]) -> None:
        """Add a declared event to the route span."""
        with _guard.guard("request.event"):
            add_event(self.span, event, values)

    def follow(self, tally: Tally) -> None:
        """Take the chunks that ``tally`` counts, from their first, for chunks that the client was given."""
        if tally not in self._tallies:
            self._tallies = (*self._tallies, tally)

    @property
    def stream_chunks(self) -> int:
        """Chunks with content that the client was given so far."""
        return together(self._tallies).chunks

    @property
    def first_token(self) -> int | None:
        """When the client was given the first of them, by ``perf_counter_ns``."""
        return together(self._tallies).first

    @property
    def last_token(self) -> int | None:
        """When the client was given the last of them."""
        return together(self._tallies).last

    def keep_open(self) -> None:
        """Let a stream end the request, not the block or call that began it."""
        self._keep_open = True
        self.streaming = True

    def drive(self) -> None:
        """Let a generator that is itself the stream to the client end the request; called by `route`."""
        self._driven = True
        self.keep_open()

    def end_with_attempt(self, call: SdkCall | None = None, *, yes: bool = True) -> None:
        """Let the next end of an attempt be the request's, or not any more.

        Args:
            call: Call of an SDK that may try again when an attempt fails.
            yes: Whether it is.
        """
        self.ends_with_attempt = yes
        self._sdk_call = call

    def uncount(self) -> None:
        """Be no traffic after all."""
        self.counted = False
        leave, self.leave_flight = self.leave_flight, nothing
        leave()
