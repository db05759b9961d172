"""One HTTP request to the router, which is a routed request unless something inside it begins one.

Room: `telemetry`. A server's instrumentation makes an `Inbound` for each HTTP request and puts it into the
context. It is lazy: where LiteLLM's instrumentation, a hook or the application begins a `Request` of its own
inside, that one is the request, and the inbound one is not counted. Calls to providers that nobody else has a
request for join it as its attempts.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from opentelemetry.context import Context

from otel_llm_router.signals import attributes
from otel_llm_router.signals.instruments import requests
from otel_llm_router.telemetry import _context, _guard, _log_events
from otel_llm_router.telemetry._recorder import nothing
from otel_llm_router.telemetry._request import Request
from otel_llm_router.telemetry._tally import Tally

if TYPE_CHECKING:
    from otel_llm_router.telemetry._telemetry import Telemetry

_joining: Final = threading.Lock()
"""Held while a request is begun: calls in several threads may be the first of one inbound request."""


class Inbound:
    """One HTTP request to the router.

    Args:
        telemetry: What it is recorded on.
        model: Returns the model that the client asks for, as far as that can be said; asked when a request begins.
    """

    ended = False
    taken = False
    asks_for_model = False
    request: Request | None = None

    def __init__(self, telemetry: Telemetry, model: Callable[[], str]) -> None:
        self.telemetry = telemetry
        self.began = time.perf_counter_ns()
        self.wall = time.time_ns()
        self.tally = Tally()
        self._model = model
        self._leave_flight: Callable[[], None] | None = None
        self.context: Context = _context.with_inbound(self, Context())
        self.inside: Context = self.context

    # --- what is found out about it -------------------------------------------------------------

    def enter(self) -> None:
        """Take what is current for the context that the application runs in: the request's span is its child.

        From here on this inbound request is current too. Who made the current context, a server's span in it, takes
        it away again.
        """
        if not self.ended:
            self.began, self.wall = time.perf_counter_ns(), time.time_ns()  # not before the server's span
            self.inside = _context.with_inbound(self, _context.current())
            _context.step_in(self.inside)

    def recognise(self) -> None:
        """State that the client asks for a model: whatever happens inside, this is a request."""
        with _guard.guard("inbound.recognise"):
            if not (self.asks_for_model or self.taken or self.ended):
                self.asks_for_model = True
                self._fly()

    def join(self) -> Request:
        """Return the request that a call made inside belongs to; it begins with the first.

        Where another request has been begun inside, the calls outside of that are attempts all the same, of a
        request that is not counted.
        """
        with _joining:
            if self.request is None:
                self.request = self._begin()
            return self.request

    def give_way(self) -> None:
        """Leave the counting to a request that was begun inside."""
        with _guard.guard("inbound.give_way"), _joining:
            if self.taken or self.ended:
                return
            self.taken = True
            if self.request is not None:
                self.request.uncount()
            elif self._leave_flight is not None:
                self._leave_flight()
            self._leave_flight = None

    @property
    def of_interest(self) -> bool:
        """Whether what the client is given is to be looked at."""
        return not self.taken and (self.asks_for_model or self.request is not None)

    # --- the end --------------------------------------------------------------------------------

    def end(
        self,
        outcome: str = attributes.SUCCESS,
        error_type: str = "",
        *,
        at: int,
        streaming: bool = False,
        component: str = "router",
    ) -> None:
        """End with the last byte; every call but the first does nothing.

        Args:
            outcome: How it ended for the client.
            error_type: Why, if it failed or was aborted.
            at: When, by ``perf_counter_ns``.
            streaming: Whether the client was given a stream.
            component: Whose fault an error is.
        """
        with _guard.guard("inbound.end"):
            if self.ended:
                return
            if self.asks_for_model and not self.taken:
                self.join()
            self.ended = True
            request = self.request
            if request is not None and not request.ended:
                request.streaming = streaming
                request.component = component
                if self.tally.chunks:
                    request.follow(self.tally)
                request.end(outcome, error_type, at=at)
            self._let_go()

    def drop(self) -> None:
        """End without having been a request, unless calls were made in it."""
        with _guard.guard("inbound.drop"):
            if self.request is not None:
                self.end(at=time.perf_counter_ns())
                return
            self.ended = True
            if self._leave_flight is not None:
                self._leave_flight()
            self._let_go()

    def _let_go(self) -> None:
        """Hold no context any more, nor the request: together they would stay until the garbage collector comes by."""
        self.request = None
        self._leave_flight = None
        self.context = self.inside = Context()

    def _fly(self) -> Callable[[], None]:
        if self._leave_flight is None:
            self._leave_flight = self.telemetry.recorder.enter(requests.REQUESTS_IN_FLIGHT)
        return self._leave_flight

    def _begin(self) -> Request:
        model = ""
        with _guard.guard("inbound.model"):
            model = self._model()
        request = Request(self.telemetry, model=model, counted=False, door=self)
        if not self.taken:
            request.counted = True
            request.leave_flight = nothing
            with _guard.guard("inbound.begin"):
                request.leave_flight = self._fly()
                _log_events.started(request)
        return request
