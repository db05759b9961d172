"""The deployments a router knows, and which of them are cooling down.

Room: `telemetry`. Cool-downs come in as they begin; since none reports its end, whether one is
over is computed when a door collects.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from otel_llm_router import _sanitize
from otel_llm_router.signals import attributes, events, spans
from otel_llm_router.signals.instruments import routing
from otel_llm_router.telemetry import _context, _deferred, _errors

if TYPE_CHECKING:
    from otel_llm_router.telemetry._recorder import Recorder
    from otel_llm_router.telemetry._sources import Label

MAX_DEPLOYMENTS: Final = 1000


@dataclass(slots=True)
class _State:
    provider: str
    model: str
    until: float = 0.0
    error_type: str = ""
    left: bool = True
    seconds: float = 0.0


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
            self._recorder.observe(routing.COOLDOWN_REMAINING, "deployments", self._remaining)

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
        error_type = _errors.classify(error) if error is not None else ""
        with self._lock:
            state = self._states.get(deployment)
            if state is not None:
                state.until, state.seconds = time.monotonic() + length, length
                state.error_type, state.left = error_type, False
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

    def _remaining(self) -> list[tuple[float, tuple[Label, ...]]]:
        now = time.monotonic()
        with self._lock:
            return [
                (state.until - now, (deployment, state.provider, state.model, state.error_type))
                for deployment, state in self._states.items()
                if state.until > now
            ]

    def _say_left(self, deployment: str, seconds: float) -> None:
        self._recorder.emit(
            events.COOLDOWN_LEFT, {attributes.DEPLOYMENT_SPAN: deployment, attributes.COOLDOWN_SECONDS: seconds}
        )

    def _read(self) -> list[tuple[float, tuple[Label, ...]]]:
        now = time.monotonic()
        with self._lock:
            for deployment, state in self._states.items():
                if not state.left and state.until <= now:
                    state.left = True
                    _deferred.later(partial(self._say_left, deployment, state.seconds))
            return [
                (1.0 if state.until > now else 0.0, (deployment, state.provider, state.model))
                for deployment, state in self._states.items()
            ]
