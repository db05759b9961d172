"""The deployments a router knows, and which of them are cooling down.

Room: `telemetry`. Cool-downs come in as they begin; since none reports its end, whether one is
over is computed when a door collects.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from otel_llm_router import _sanitize
from otel_llm_router.signals import attributes, events, spans
from otel_llm_router.signals.instruments import routing
from otel_llm_router.telemetry import _context, _errors

if TYPE_CHECKING:
    from otel_llm_router.telemetry._recorder import Label, Recorder

MAX_DEPLOYMENTS: Final = 1000


@dataclass(slots=True)
class _State:
    provider: str
    model: str
    until: float = 0.0


class Deployments:
    """State of every known deployment, by its identifier."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._states: dict[str, _State] = {}
        self._lock = threading.RLock()  # a finaliser may come by in the thread that holds it

    def know(self, deployment: str, provider: str, model: str) -> None:
        """State that a deployment exists; it is in rotation until it cools down."""
        deployment, provider, model = _sanitize.text(deployment), _sanitize.text(provider), _sanitize.text(model)
        with self._lock:
            first = not self._states
            if deployment not in self._states and len(self._states) < MAX_DEPLOYMENTS:
                self._states[deployment] = _State(provider, model)
        if first:
            self._recorder.observe(routing.DEPLOYMENT_STATE, "deployments", self._read)

    def cooldown(
        self,
        deployment: str,
        provider: str | None,
        model: str | None,
        *,
        seconds: float | None,
        error: BaseException | None,
    ) -> None:
        """Account for a deployment that was taken out of rotation for ``seconds``."""
        deployment = _sanitize.text(deployment)
        known = self._states.get(deployment)
        provider = provider or (known.provider if known is not None else attributes.UNKNOWN)
        model = model or (known.model if known is not None else attributes.UNKNOWN)
        self.know(deployment, provider, model)
        length = _sanitize.finite(seconds) or 0.0
        with self._lock:
            state = self._states.get(deployment)
            if state is not None:
                state.until = time.monotonic() + length
        error_type = _errors.classify(error) if error is not None else ""
        values: dict[attributes.Attribute, object] = {
            attributes.DEPLOYMENT_SPAN: deployment,
            attributes.ERROR_TYPE_SPAN: error_type or None,
            attributes.COOLDOWN_SECONDS: length,
        }
        self._recorder.record(routing.COOLDOWNS, 1, provider, model, error_type)
        request = _context.current_request()
        if request is not None:
            request.event(spans.COOLDOWN_EVENT, values)
        self._recorder.emit(events.COOLDOWN, values, request.context if request else None)

    def _read(self) -> list[tuple[float, tuple[Label, ...]]]:
        now = time.monotonic()
        with self._lock:
            return [
                (1.0 if state.until > now else 0.0, (deployment, state.provider, state.model))
                for deployment, state in self._states.items()
            ]
