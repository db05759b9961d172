"""A move to another model (group) after a failure.

Room: `telemetry`. Begun by a request, ended once with how the move turned out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_llm_router.signals import attributes, events, spans
from otel_llm_router.signals.instruments import routing
from otel_llm_router.telemetry import _guard

if TYPE_CHECKING:
    from otel_llm_router.telemetry._request import Request


class Fallback:
    """One move from a model (group) to another.

    Args:
        request: The request that moves.
        from_model: What failed.
        to_model: What is tried next.
        error_type: Class of the failure.
    """

    def __init__(self, request: Request, from_model: str, to_model: str, error_type: str = "") -> None:
        self._request = request
        self._labels = (from_model, to_model)
        self._open = [True]
        request.event(
            spans.FALLBACK_EVENT,
            {
                attributes.FROM_SPAN: from_model,
                attributes.TO_SPAN: to_model,
                attributes.PREVIOUS_ERROR: error_type or None,
            },
        )

    def end(self, outcome: str) -> None:
        """End the move; every call but the first does nothing."""
        with _guard.guard("fallback.end"):
            try:
                self._open.pop()
            except IndexError:
                return
            recorder, (from_model, to_model) = self._request.recorder, self._labels
            recorder.record(routing.FALLBACKS, 1, from_model, to_model, outcome)
            recorder.emit(
                events.FALLBACK,
                {attributes.FROM_SPAN: from_model, attributes.TO_SPAN: to_model, attributes.OUTCOME: outcome},
                self._request.context,
            )
