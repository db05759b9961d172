"""One routing decision: candidates, the chosen one, why, and how long it took.

Room: `telemetry`. Begun by a request or by application code; counted at its end.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from opentelemetry.context import Context
from opentelemetry.context import get_current as current_context
from opentelemetry.trace import INVALID_SPAN

from otel_llm_router import _sanitize
from otel_llm_router.signals import Attribute, attributes, spans
from otel_llm_router.signals.instruments import routing
from otel_llm_router.telemetry import _context, _guard
from otel_llm_router.telemetry._block import Block
from otel_llm_router.telemetry._values import add_event, set_attributes

if TYPE_CHECKING:
    from otel_llm_router.telemetry._request import Request
    from otel_llm_router.telemetry._telemetry import Telemetry

T = TypeVar("T")

MAX_CANDIDATES: Final = 20
"""Candidates named on a span; all are counted."""

NONE_AVAILABLE: Final = "none_available"


class Decision(Block):
    """One routing decision, as a context manager around the deciding.

    Args:
        telemetry: What it was begun on.
        request: The request that is routed, if there is one.
        candidates: What could be chosen; any objects, named by ``str``.
        strategy: Routing strategy.
    """

    def __init__(
        self, telemetry: Telemetry, request: Request | None, candidates: Iterable[Any], *, strategy: str
    ) -> None:
        self._telemetry = telemetry
        self._request = request
        self._strategy = strategy
        self._began = time.perf_counter_ns()
        self._values: dict[Attribute, object] = {}
        self._label = ""
        self._reason = ""
        self._ended = False
        self._inside: Context | None = None
        self._outside: Context | None = None
        if request is not None:
            request.deciding.add(self)
        self.candidates(candidates)

    @property
    def open(self) -> bool:
        """Whether nothing has been selected yet: calls made meanwhile are made in order to decide."""
        return not self._ended and attributes.CHOSEN not in self._values

    def candidates(self, candidates: Iterable[Any]) -> None:
        """State what can be chosen, where that is known only after the decision began."""
        with _guard.guard("decision.candidates"):
            names = [_sanitize.text(candidate) for candidate in candidates]
            if names:
                self._values[attributes.CANDIDATES] = names[:MAX_CANDIDATES]
                self._values[attributes.CANDIDATE_COUNT] = len(names)

    def filtered(self, reason: str, number: int = 1) -> None:
        """State that ``number`` candidates were left out for ``reason``."""
        with _guard.guard("decision.filtered"):
            if number > 0:
                self._telemetry.recorder.record(
                    routing.DECISION_FILTERED, number, self._strategy or attributes.UNKNOWN, reason
                )

    def select(
        self,
        model: T,
        *,
        reason: str = "",
        score: float | None = None,
        estimated_cost: float | None = None,
        deployment: str | None = None,
    ) -> T:
        """Name what was chosen, and return it.

        Args:
            model: The chosen model, or any object whose ``str`` names it.
            reason: Why, in words of which there are few: it is a metric label.
            score: What the strategy computed for it.
            estimated_cost: What the router expects the request to cost, in USD.
            deployment: The chosen deployment, when the model alone does not say.
        """
        with _guard.guard("decision.select"):
            self._label = _sanitize.text(model)
            self._no_longer_deciding()
            self._reason = reason
            self._values[attributes.CHOSEN] = deployment or self._label
            self._values[attributes.DECISION_REASON] = reason or None
            self._values[attributes.DECISION_SCORE] = _sanitize.finite(score)
            self._values[attributes.DECISION_COST] = _sanitize.finite(estimated_cost)
        return model

    def end(self) -> None:
        """End the decision; every call but the first does nothing."""
        with _guard.guard("decision.end"):
            if self._ended:
                return
            self._ended = True
            self._no_longer_deciding()
            now = time.perf_counter_ns()
            span = INVALID_SPAN if self._request is None else self._request.span
            self._telemetry.recorder.finish(span, self._record, max(0, now - self._began), time.time_ns(), self._values)
            if self._request is not None:
                self._request.decided(now)

    @_guard.guarded("decision.record")
    def _record(self, elapsed: int, at: int, values: dict[Attribute, object]) -> None:
        recorder, strategy = self._telemetry.recorder, self._strategy or attributes.UNKNOWN
        chosen = attributes.CHOSEN in values
        recorder.record(routing.DECISIONS, 1, strategy, self._label, self._reason if chosen else NONE_AVAILABLE)
        recorder.record(routing.DECISION_DURATION, elapsed / 1e9, strategy)
        if self._request is not None:
            add_event(self._request.span, spans.DECISION_EVENT, values, at)
            set_attributes(self._request.span, values)

    def _no_longer_deciding(self) -> None:
        if self._request is not None:
            self._request.deciding.discard(self)

    def _begin(self) -> None:
        with _guard.guard("decision.enter"):
            self._inside = _context.with_decision(self, current_context())
            self._outside = _context.enter(self._inside)

    def _finish(self, error: BaseException | None) -> None:  # noqa: ARG002  # without a choice it says so itself
        with _guard.guard("decision.exit"):
            if self._inside is not None and self._outside is not None:
                _context.leave(self._inside, self._outside)
                self._inside = self._outside = None  # it holds the decision in its turn
        self.end()
