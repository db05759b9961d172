"""The hooks on how LiteLLM's Router decides: which deployment, out of which, by which strategy.

Room: `instrumentation`. Each hook is called by LiteLLM in place of a method of its own, calls that
method, and tells `telemetry` what happened. What the method returns or raises passes through.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from otel_llm_router import telemetry
from otel_llm_router.instrumentation.litellm import _deployments
from otel_llm_router.instrumentation.litellm._calls import current_call, current_level
from otel_llm_router.instrumentation.litellm._deployments import known
from otel_llm_router.instrumentation.litellm._watch import Watch
from otel_llm_router.telemetry.instrumenting import guard

Wrapped = Callable[..., Any]
Arguments = tuple[Any, ...]
Keywords = dict[str, Any]


class DecisionHooks:
    """The hooks on decisions, by the names of `_targets`.

    Args:
        watch: Told of each hook that fires, so that one that does not can be noticed.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    async def decision(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``Router.async_get_available_deployment``: which deployment."""
        decision = self._deciding(instance)
        if decision is None:
            return await wrapped(*args, **kwargs)
        try:
            chosen = await wrapped(*args, **kwargs)
            self._decided(decision, chosen, kwargs)
        finally:
            self._decision_over(decision)
        return chosen

    def sync_decision(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``Router.get_available_deployment``: which deployment, for the synchronous API."""
        decision = self._deciding(instance)
        if decision is None:
            return wrapped(*args, **kwargs)
        try:
            chosen = wrapped(*args, **kwargs)
            self._decided(decision, chosen, kwargs)
        finally:
            self._decision_over(decision)
        return chosen

    def _deciding(self, instance: Any) -> telemetry.Decision | None:
        with guard("litellm.decision"):
            self._watch.fired("decision")
            call, level = current_call.get(), current_level.get()
            if call is None and level is not None:
                self._watch.untried(level)
            if call is None or call.deciding is not None:  # some strategies choose through the other method
                return None
            call.deciding = call.level.request.decision(strategy=strategy_of(instance))
            return call.deciding
        return None

    def _decided(self, decision: telemetry.Decision, chosen: Any, kwargs: Mapping[str, Any]) -> None:
        with guard("litellm.decided"):
            call = current_call.get()
            target = _deployments.from_deployment(chosen, call.level.operation if call is not None else "chat")
            if call is None or target is None:
                return
            known.introduce([chosen])
            call.target = target
            if kwargs.get("specific_deployment"):
                reason = "specific_deployment"
            else:
                reason = "only_candidate" if call.candidates == 1 else "strategy"
            decision.select(target.model, reason=reason, deployment=target.deployment)

    def _decision_over(self, decision: telemetry.Decision) -> None:
        with guard("litellm.decision.over"):
            decision.end()
            call = current_call.get()
            if call is not None:
                call.deciding = None
                call.ready = time.perf_counter_ns()

    async def candidates(
        self,
        wrapped: Wrapped,
        instance: Any,  # noqa: ARG002  # wrapt's signature
        args: Arguments,
        kwargs: Keywords,
    ) -> Any:
        """``Router.async_get_healthy_deployments``: what can be chosen."""
        healthy: Any = await wrapped(*args, **kwargs)
        with guard("litellm.candidates"):
            call = current_call.get()
            if call is not None and call.deciding is not None:
                names = known.introduce(_deployments.listed(healthy))
                call.candidates = len(names)
                call.deciding.candidates(names)
        return healthy

    def custom_strategy(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``Router.set_custom_routing_strategy``: replaces the choosing methods of one Router."""
        result = wrapped(*args, **kwargs)
        with guard("litellm.custom_strategy"):
            own: dict[str, Any] = instance.__dict__
            for name in ("_core_async_get_available_deployment", "async_get_available_deployment"):
                if callable(own.get(name)):
                    own[name] = self._custom_decision(instance, own[name])
            if callable(own.get("get_available_deployment")):
                own["get_available_deployment"] = self._custom_sync_decision(instance, own["get_available_deployment"])
        return result

    def _custom_decision(self, instance: Any, own: Wrapped) -> Wrapped:
        async def choose(*args: Any, **kwargs: Any) -> Any:
            return await self.decision(own, instance, args, kwargs)

        return choose

    def _custom_sync_decision(self, instance: Any, own: Wrapped) -> Wrapped:
        def choose(*args: Any, **kwargs: Any) -> Any:
            return self.sync_decision(own, instance, args, kwargs)

        return choose


def strategy_of(instance: Any) -> str:
    """Return the name of a Router's routing strategy."""
    if "get_available_deployment" in instance.__dict__:
        return "custom"
    # The public name warns in 1.109 and newer, where the Router's own code reads the other one.
    strategy = getattr(instance, "_core_routing_strategy", None) or getattr(instance, "routing_strategy", "")
    return str(getattr(strategy, "value", strategy))
