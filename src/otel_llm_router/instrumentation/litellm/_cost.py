"""Cost as LiteLLM reports it: with the answer, or for streams when its own logging has worked it out.

Room: `instrumentation`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Final, Literal

from otel_llm_router import telemetry
from otel_llm_router.instrumentation.litellm._deployments import mapping, split_model
from otel_llm_router.instrumentation.litellm._probe import LiteLLMProbe
from otel_llm_router.telemetry.instrumenting import defer

_TICKET: Final = "_otel_llm_router_cost_ticket"
_SAVED: Final = "_otel_llm_router_saved"


def of_response(attempt: telemetry.Attempt, response: Any) -> None:
    """Take the cost that a complete answer carries."""
    attempt.cost(mapping(getattr(response, "_hidden_params", None)).get("response_cost"), _source(attempt))


def _source(attempt: telemetry.Attempt) -> Literal["reported", "estimated"]:
    return "estimated" if attempt.usage.source == "estimated" else "reported"


class _Ticket:
    """An attempt whose cost LiteLLM's logging object will know; unpriced if it goes without saying."""

    def __init__(self, attempt: telemetry.Attempt, probe: LiteLLMProbe, unpaid: Callable[[], None]) -> None:
        self._attempt = attempt
        self._probe = probe
        self._unpaid = unpaid
        self._open = True
        self._presented = False
        attempt.await_cost()

    def pay(self, usd: Any) -> None:
        self._presented = True
        source = _source(self._attempt)
        if not usd and source == "estimated":
            return  # LiteLLM could not count the tokens either: nothing times a price is no cost
        if usd is not None and self._open:
            self._open = False
            self._attempt.cost(usd, source)

    def _lost(self) -> None:
        self._attempt.no_cost()
        litellm: Any = sys.modules.get("litellm")
        silenced = getattr(litellm, "disable_streaming_logging", False)
        if not self._presented and not silenced and self._probe.ran_out and self._attempt.usage.source == "reported":
            self._unpaid()

    def __del__(self) -> None:
        if self._open:
            defer(self._lost)


def expect(probe: LiteLLMProbe, logging: Any, unpaid: Callable[[], None]) -> None:
    """Expect LiteLLM's ``Logging`` object to learn the cost of the attempt whose stream ``probe`` measures.

    ``unpaid`` is called when the stream ran to its end, the provider reported its usage, and the object went
    without any hook on the cost having been called.
    """
    if probe.attempt is not None and hasattr(logging, "__dict__"):
        logging.__dict__[_TICKET] = _Ticket(probe.attempt, probe, unpaid)


def learn(logging: Any) -> None:
    """Take what a ``Logging`` object has learned: the cost of a stream, the money a cache hit saved."""
    details = mapping(getattr(logging, "model_call_details", None))
    ticket = logging.__dict__.get(_TICKET)
    if isinstance(ticket, _Ticket):
        ticket.pay(details.get("response_cost"))
    payload = mapping(details.get("standard_logging_object"))
    if payload.get("cache_hit") is True and _SAVED not in logging.__dict__:
        logging.__dict__[_SAVED] = True  # LiteLLM calls its synchronous and asynchronous handlers both
        model = payload.get("model")
        name = split_model(model, None)[1] if isinstance(model, str) else None
        telemetry.saved(payload.get("saved_cache_cost"), by="cache", model=name)
