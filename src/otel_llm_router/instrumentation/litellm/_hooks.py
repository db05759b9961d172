"""The hooks on LiteLLM's Router: requests, tries, cache, streams, cost, cool-downs; queues and budgets beside.

Room: `instrumentation`. Each hook is called by LiteLLM in place of a method of its own, calls that
method, and tells `telemetry` what happened. What the method returns or raises passes through.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from otel_llm_router import telemetry
from otel_llm_router.instrumentation.litellm import _cache, _cost, _deployments, _handover, _rejections, _streams
from otel_llm_router.instrumentation.litellm._budgets import BudgetHooks
from otel_llm_router.instrumentation.litellm._callbacks import Callbacks
from otel_llm_router.instrumentation.litellm._callers import current_visit
from otel_llm_router.instrumentation.litellm._calls import Call, Level, calling, current_call, current_level, entered
from otel_llm_router.instrumentation.litellm._decisions import Arguments, DecisionHooks, Keywords, Wrapped, strategy_of
from otel_llm_router.instrumentation.litellm._probe import LiteLLMProbe
from otel_llm_router.instrumentation.litellm._queues import QueueHooks
from otel_llm_router.instrumentation.litellm._watch import Watch
from otel_llm_router.telemetry.instrumenting import Usage, attached, claimed, guard, probe_of


class Hooks(DecisionHooks, QueueHooks, BudgetHooks):
    """All hooks, by the names of `_targets`.

    Args:
        watch: See `DecisionHooks`.
    """

    def __init__(self, watch: Watch) -> None:
        super().__init__(watch)
        self._callbacks = Callbacks()

    # --- requests -------------------------------------------------------------------------------

    async def request(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``Router.async_function_with_fallbacks``: a request, or one of its fallbacks."""
        level: Level | None = None
        owned = False
        hop: telemetry.Fallback | None = None
        with guard("litellm.request"):
            self._watch.fired("request")
            self._callbacks.look()
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
            if not level.moved:
                self._watch.untried(level)
            if owned:
                return self._answer(level, response)
            if hop is None and _deployments.is_stream(response):
                return self._measured(level, response)
        return response

    def _answer(self, level: Level, response: Any) -> Any:
        request = level.request
        if not _deployments.is_stream(response):
            if request.cached:
                request.hit(response)
            request.end()
            return response
        return request.stream(self._measured(level, response))

    def _measured(self, level: Level, response: Any) -> Any:
        """Return a stream of the Router's that carries a probe, for a request to end with."""
        if level.completion:  # others are streams of the provider's kind
            self._watch.streamed()
        if probe_of(response) is not None:  # the Router returned the provider's stream as it is
            return response
        return _streams.watch(response, LiteLLMProbe())

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
            if level is None:
                self._watch.missed("request")
            elif not level.request.ended:
                level.calls += 1
                call = Call(level, asked=kwargs)
        if call is None:
            return await wrapped(*args, **kwargs)
        with calling(call):
            try:
                response = await wrapped(*args, **kwargs)
            except BaseException as error:
                with guard("litellm.call.failed"):
                    if call.attempt is not None:
                        call.attempt.fail(error)
                    elif _rejections.own_limit(error):
                        telemetry.rate_limited("deployment", kind=_rejections.limit_of(error))
                raise
            with guard("litellm.call.answered"):
                self._answered(call, response)
        return response

    def _answered(self, call: Call, response: Any) -> None:
        if call.calls_next and _cache.says_cached(response):  # and no hook saw it looked up
            self._watch.missed("cache")
            call.hit = call.level.request.cached = True
            return
        if call.calls_next:  # it was called and no hook saw it begin
            self._watch.missed("upstream")
            if claimed(call.level.request) is not None:  # but the wire did
                return
            call.begin_attempt({}, began=call.ready)
        attempt = call.attempt
        if attempt is None or attempt.streaming:
            return
        attempt.response(response)
        if call.level.completion and not attempt.usage.input and not attempt.usage.output:
            attempt.usage = Usage(invalid=attempt.usage.invalid)  # LiteLLM says 0 where the provider said nothing
        if call.from_cache is None:
            _cost.of_response(attempt, response)
        else:  # for LiteLLM the answer is a hit, whose cost says nothing of what the provider charges
            _cache.take_out(attempt, response, call.from_cache)
        attempt.end()

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
            arguments = _deployments.mapping(kwargs.get("kwargs"))
            if call is None:
                self._outside_a_call(kwargs.get("logging_obj"), kwargs.get("call_type"), arguments)
            if call is None or not call.calls_next:
                return
            answer = _cache.answer_in(found)
            cache = _cache.looked_up(found, kwargs, arguments)
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
                call.from_cache = _cache.part_in(found)
                call.begin_attempt(arguments)

    def _outside_a_call(self, logging: Any, call_type: Any, arguments: Mapping[str, Any]) -> None:
        """Take a provider call that no call of ours is around as evidence, if a Router made it."""
        level = current_level.get()
        if level is not None:
            self._watch.untried(level)
        elif _deployments.made_by_router(call_type, arguments):
            self._watch.unseen(logging)

    def upstream(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``Logging.pre_call``: the last thing before a provider is called, cached or not looked up."""
        with guard("litellm.upstream"):
            self._watch.fired("upstream")
            call = current_call.get()
            if call is None:
                details = _deployments.mapping(getattr(instance, "model_call_details", None))
                arguments = _deployments.mapping(details.get("litellm_params"))
                self._outside_a_call(instance, getattr(instance, "call_type", None), arguments)
            elif call.calls_next:
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
            probe = LiteLLMProbe(attempt=call.attempt, chunks=getattr(instance, "chunks", None))
            _streams.watch(instance, probe)
            _cost.expect(probe, getattr(instance, "logging_obj", None), self._watch.unpaid)
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
            self._watch.fired("cooldown")
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
    operation, completion = _deployments.operation(kwargs), _deployments.asks_completion(kwargs)
    current, level = telemetry.current(), current_level.get()
    if level is not None:
        level.moved = True
    depth = kwargs.get("fallback_depth")
    if current is not None and isinstance(depth, int) and depth > 0:
        failed = level.group if level is not None and level.request is current else current.model
        last = current.last_attempt
        hop = current.fallback(failed, group, last.error_type if last is not None else "")
        return Level(current, group, operation, completion=completion, fallback=True), False, hop
    if current is not None:
        call = current_call.get()
        if call is not None and call.deciding is not None:
            return Level(current, group, operation, completion=completion, routing=True), False, None
        if level is None or level.request is not current:  # begun by the application: join it
            current.strategy = current.strategy or strategy_of(instance)
            _introduce(current)
            return Level(current, group, operation, completion=completion), False, None
    user = kwargs.get("user")
    with _handover.recalled(kwargs):
        request = telemetry.request(group, strategy=strategy_of(instance), user=user if isinstance(user, str) else None)
    _introduce(request)
    return Level(request, group, operation, completion=completion), True, None


def _introduce(request: telemetry.Request) -> None:
    """Say who asks, where the proxy has found out."""
    visit = current_visit.get()
    if visit is not None:
        visit.request = request
        request.attribute(visit.caller)
