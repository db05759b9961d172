"""Hooked decisions, what surrounds calls, and what takes deployments out of use.

Room: `instrumentation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.context import Context, get_current

from otel_llm_router import telemetry
from otel_llm_router.instrumentation.hooks import _frames, _guesses, _requests
from otel_llm_router.instrumentation.hooks._actions import Action, Told
from otel_llm_router.instrumentation.hooks._calls import Call, decisions
from otel_llm_router.telemetry.instrumenting import with_decision


class DecisionAction(Action):
    """One routing decision; calls made inside, also by who knows of no hooks, are part of deciding."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._decision: telemetry.Decision | None = None

    def begin(self) -> Context | None:
        """Begin to decide."""
        self._decision = decision = telemetry.decision(strategy=self.call.text("strategy") or None)
        self.call.request = self.call.request or telemetry.current()
        return with_decision(decision, get_current())

    def end(self, value: Any) -> Any:
        """Count the decision, with what was chosen if anything was."""
        call, decision = self.call, self._decision
        if decision is None:
            return value
        candidates = call.value("candidates")
        if isinstance(candidates, (list, tuple, set, frozenset, Mapping)):
            decision.candidates([name for one in candidates if (name := _guesses.chosen_model(one))])  # pyright: ignore[reportUnknownVariableType]
        provider, model = call.named()
        if not model and not call.has("model") and not call.has("provider_and_model"):
            model = _guesses.chosen_model(value)
        deployment = call.text("deployment") or None
        if model or deployment:
            decision.select(
                model or deployment,
                reason=call.text("reason"),
                score=call.number("score"),
                estimated_cost=call.number("estimated_cost"),
                deployment=deployment,
            )
        decision.end()
        if call.request is not None:
            decisions[call.request] = {
                "model": model or None,
                "provider": provider or None,
                "deployment": deployment,
            }
        return value

    def fail(self, error: BaseException) -> None:  # noqa: ARG002  # the request says what failed
        """Count a decision that found nothing."""
        if self._decision is not None:
            self._decision.end()


class ScopeAction(Action):
    """Something around attempts that knows what they do not."""

    def __init__(self, call: Call) -> None:
        super().__init__(call)
        self._values: dict[str, Any] = {}

    def begin(self) -> Context | None:
        """Take what the call knows before it begins."""
        call = self.call
        provider, model = call.named()
        self._values = {
            "provider": provider or _guesses.provider(call) or None,
            "model": model or _guesses.requested_model(call) or None,
            "deployment": call.text("deployment") or None,
            "name": call.text("name") or None,
        }
        return None

    def shown(self) -> dict[str, Any]:
        """Return what it knows."""
        return self._values


class RefusalAction(Told):
    """Something asked before a call, which may be why it is not made."""

    def end(self, value: Any) -> Any:
        """Take the attempt around back if so."""
        _requests.refused(self.call, value)
        return value


class CooldownAction(Told):
    """A deployment taken out of rotation."""

    def end(self, value: Any) -> Any:
        """Account for it."""
        call = self.call
        provider = call.text("provider") or _frames.outer("provider")
        model = call.text("model") or _frames.outer("model")
        deployment = call.text("deployment") or _frames.outer("deployment") or provider or model
        if deployment:
            telemetry.cooldown(deployment, provider=provider, model=model, seconds=call.number("seconds"))
        return value
