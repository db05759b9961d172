"""The hooks on LiteLLM's Router: requests, tries, decisions, cache, streams, cost, cool-downs.

Room: `instrumentation`. Each hook is called by LiteLLM in place of a method of its own, calls that
method, and tells `telemetry` what happened. What the method returns or raises passes through.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from otel_llm_router import telemetry
from otel_llm_router.instrumentation.litellm import _cost, _deployments, _handover, _streams
from otel_llm_router.instrumentation.litellm._calls import Call, Level, calling, current_call, current_level, entered
from otel_llm_router.instrumentation.litellm._deployments import known
from otel_llm_router.instrumentation.litellm._watch import Watch
from otel_llm_router.telemetry.instrumenting import attached, guard, probe_of

Wrapped = Callable[..., Any]
Arguments = tuple[Any, ...]
Keywords = dict[str, Any]


class Hooks:
    """The hooks, by the names of `_targets`.

    Args:
        watch: Told of each hook that fires, so that one that does not can be noticed.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch

    # --- requests -------------------------------------------------------------------------------

    async def request(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``Router.async_function_with_fallbacks``: a request, or one of its fallbacks."""
        level: Level | None = None
        owned = False
        hop: telemetry.Fallback | None = None
        with guard("litellm.request"):
            self._watch.fired("request")
            level, owned, hop = _begin_level(instance, kwargs)
        if level is None:
            return await wrapped(*args, **kwargs)
        request = level.request
        block = attached(request.context) if owned else nullcontext()
        try:
            with entered(level), block:
                response = await wrapped(*args, **kwargs)
        except BaseException as error:
            with guard("litellm.request.failed"):
                if hop is not None:
                    hop.end("error" if isinstance(error, Exception) else "aborted")
                if owned:
                    request.fail(error)
            raise
        with guard("litellm.request.answered"):
            if hop is not None:
                hop.end("success")
            if owned:
                return self._answer(request, response)
            if hop is None and _streams.is_stream(response):
                return self._measured(response)
        return response

    def _answer(self, request: telemetry.Request, response: Any) -> Any:
        if not _streams.is_stream(response):
            if request.cached:
                request.hit(response)
            request.end()
            return response
        return request.stream(self._measured(response))

    def _measured(self, response: Any) -> Any:
        """Return a stream of the Router's that carries a probe, for a request to end with."""
        self._watch.streamed()
        if probe_of(response) is not None:  # the Router returned the provider's stream as it is
            return response
        return _streams.watch(response, _streams.LiteLLMProbe())

    def sync_request(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``Router.function_with_fallbacks``: may run the request in a thread of its own."""
        with guard("litellm.sync_request"):
            _handover.remember(kwargs)
        return wrapped(*args, **kwargs)

    async def call(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``Router.make_call``: one try."""
        call: Call | None = None
        with guard("litellm.call"):
            self._watch.fired("call")
            level = current_level.get()
            if level is not None and not level.request.ended:
                level.calls += 1
                call = Call(level)
            else:
                self._watch.orphan("request")
        if call is None:
            return await wrapped(*args, **kwargs)
        with calling(call):
            try:
                response = await wrapped(*args, **kwargs)
            except BaseException as error:
                with guard("litellm.call.failed"):
                    if call.attempt is not None:
                        call.attempt.fail(error)
                raise
            with guard("litellm.call.answered"):
                self._answered(call, response)
        return response

    def _answered(self, call: Call, response: Any) -> None:
        if call.calls_next:  # it was called and no hook saw it begin
            self._watch.missed("upstream")
            call.begin_attempt({}, began=call.ready)
        attempt = call.attempt
        if attempt is None or attempt.streaming:
            return
        attempt.response(response)
        _cost.of_response(attempt, response)
        attempt.end()

    # --- decisions ------------------------------------------------------------------------------

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
            call = current_call.get()
            if call is None or call.deciding is not None:  # some strategies choose through the other method
                return None
            call.deciding = call.level.request.decision(strategy=_strategy(instance))
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

    async def candidates(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
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

    # --- the moments before a deployment is called -----------------------------------------------

    async def cache(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``LLMCachingHandler.async_get_cache``: asked before every call to a provider."""
        found = await wrapped(*args, **kwargs)
        self._cache_answered(found, kwargs)
        return found

    def sync_cache(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``LLMCachingHandler.sync_get_cache``."""
        found = wrapped(*args, **kwargs)
        self._cache_answered(found, kwargs)
        return found

    def _cache_answered(self, found: Any, kwargs: Mapping[str, Any]) -> None:
        with guard("litellm.cache"):
            self._watch.fired("cache")
            call = current_call.get()
            if call is None or not call.calls_next:
                return
            arguments = _deployments.mapping(kwargs.get("kwargs"))
            answer = _cached_answer(found)
            cache = _looked_up(found, kwargs, arguments)
            if cache is not None:
                lookup = telemetry.cache(cache)
                if answer is None:
                    lookup.miss()
                else:
                    lookup.hit(answer, model=call.target.model if call.target is not None else None)
            if answer is not None:
                call.hit = True
                call.level.request.cached = True
            else:
                call.begin_attempt(arguments)

    def upstream(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``Logging.pre_call``: the last thing before a provider is called, cached or not looked up."""
        with guard("litellm.upstream"):
            self._watch.fired("upstream")
            call = current_call.get()
            if call is not None and call.calls_next:
                call.begin_attempt({"model": kwargs.get("model") or getattr(instance, "model", None)})
        return wrapped(*args, **kwargs)

    def stream(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``CustomStreamWrapper.__init__``: the first one made during an attempt is the attempt's."""
        result = wrapped(*args, **kwargs)
        with guard("litellm.stream"):
            self._watch.fired("stream")
            call = current_call.get()
            if call is None or call.attempt is None or call.stream_tagged or call.attempt.ended:
                return result
            call.stream_tagged = True
            probe = _streams.LiteLLMProbe(attempt=call.attempt, chunks=getattr(instance, "chunks", None))
            _streams.watch(instance, probe)
            _cost.expect(call.attempt, getattr(instance, "logging_obj", None))
        return result

    # --- cost and cool-downs --------------------------------------------------------------------

    async def cost(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``Logging.async_success_handler``: knows the cost of a stream."""
        try:
            return await wrapped(*args, **kwargs)
        finally:
            with guard("litellm.cost"):
                self._watch.fired("cost")
                _cost.learn(instance)

    def sync_cost(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``Logging.success_handler``: the same for the synchronous API."""
        try:
            return wrapped(*args, **kwargs)
        finally:
            with guard("litellm.sync_cost"):
                _cost.learn(instance)

    def cooldown(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``CooldownCache.add_deployment_to_cooldown``: a deployment leaves the rotation."""
        result = wrapped(*args, **kwargs)
        with guard("litellm.cooldown"):
            names = ("model_id", "original_exception", "exception_status", "cooldown_time")
            given = {**dict(zip(names, args, strict=False)), **kwargs}
            seconds = given.get("cooldown_time")
            if seconds is None:
                seconds = getattr(instance, "default_cooldown_time", None)
            error = given.get("original_exception")
            telemetry.cooldown(
                str(given.get("model_id")),
                seconds=seconds,
                error=error if isinstance(error, BaseException) else None,
            )
        return result


def _begin_level(instance: Any, kwargs: Mapping[str, Any]) -> tuple[Level, bool, telemetry.Fallback | None]:
    """Return the level that begins, whether it begins a request of its own, and the move it is part of."""
    group = kwargs.get("model")
    group = group if isinstance(group, str) else ""
    operation = _deployments.operation(kwargs)
    current, level = telemetry.current(), current_level.get()
    depth = kwargs.get("fallback_depth")
    if current is not None and isinstance(depth, int) and depth > 0:
        failed = level.group if level is not None and level.request is current else current.model
        last = current.last_attempt
        hop = current.fallback(failed, group, last.error_type if last is not None else "")
        return Level(current, group, operation, fallback=True), False, hop
    if current is not None:
        call = current_call.get()
        if call is not None and call.deciding is not None:
            return Level(current, group, operation, routing=True), False, None
        if level is None or level.request is not current:  # begun by the application: join it
            current.strategy = current.strategy or _strategy(instance)
            return Level(current, group, operation), False, None
    user = kwargs.get("user")
    with _handover.recalled(kwargs):
        request = telemetry.request(group, strategy=_strategy(instance), user=user if isinstance(user, str) else None)
    return Level(request, group, operation), True, None


def _strategy(instance: Any) -> str:
    if "get_available_deployment" in vars(instance):
        return "custom"
    # The public name warns in 1.109 and newer, where the Router's own code reads the other one.
    strategy = getattr(instance, "_core_routing_strategy", None) or getattr(instance, "routing_strategy", "")
    return str(getattr(strategy, "value", strategy))


def _cached_answer(found: Any) -> Any:
    """Return the cached answer inside what the cache handler found, or None."""
    if getattr(found, "embedding_all_elements_cache_hit", False):
        return getattr(found, "final_embedding_cached_response", None)
    if getattr(found, "final_embedding_cached_response", None) is not None:
        return None  # part of a batch is cached, the rest is still asked for
    return getattr(found, "cached_result", None)


def _looked_up(found: Any, kwargs: Mapping[str, Any], arguments: Mapping[str, Any]) -> str | None:
    """Return the type of the cache that was asked, or None when none was."""
    litellm: Any = sys.modules["litellm"]  # it is loaded: we are called by it
    cache: Any = litellm.cache
    if found is None or cache is None:
        return None
    supported = getattr(cache, "supported_call_types", None)
    name = getattr(kwargs.get("original_function"), "__name__", "")
    if supported is not None and name not in {str(getattr(kind, "value", kind)) for kind in supported}:
        return None
    if not cache.should_use_cache(**arguments):
        return None
    kind = getattr(cache, "type", None)
    return str(getattr(kind, "value", kind) or "local")
