"""What is going on inside one LiteLLM Router call, for the hooks to share.

Room: `instrumentation`. A level is one model group being tried, with its retries; a call is one
try. Both are found through context variables, which follow the task that the Router works in.
LiteLLM's own call ids are no use for it: the proxy shares one over all attempts of a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from opentelemetry import context as otel_context

from otel_llm_router import telemetry
from otel_llm_router.instrumentation.litellm import _deployments
from otel_llm_router.telemetry.instrumenting import current_attempt


@dataclass(slots=True, eq=False)
class Level:
    """One model group of a request being tried: the requested one, or a fallback.

    Args:
        request: The request in flight.
        group: Name of the model group.
        operation: GenAI operation name of what is called.
        fallback: Whether the group is tried because another failed.
        routing: Whether this is a call that the Router makes in order to decide about another.
        completion: Whether completions are asked for, whose streams are LiteLLM's own.
        calls: Tries so far.
        moved: Whether another level was begun inside.
        suspected: Whether it has been taken as evidence of tries that nobody saw.
    """

    request: telemetry.Request
    group: str
    operation: str
    fallback: bool = False
    routing: bool = False
    completion: bool = False
    calls: int = 0
    moved: bool = False
    suspected: bool = False


@dataclass(slots=True, eq=False)
class Call:
    """One try of a level: at most one attempt, none when the answer came from the cache.

    Args:
        level: The level it belongs to.
        deciding: Whether the Router is choosing a deployment right now.
        target: The deployment it chose.
        candidates: How many it chose from.
        attempt: The call to the deployment, once it is made.
        hit: Whether the response cache answered.
        ready: When the deployment was chosen, by ``perf_counter_ns``.
        stream_tagged: Whether the attempt's stream has been recognised.
        from_cache: Usage of the part of the answer that the response cache has, when it has not all.
        asked: Arguments that the Router makes the call with.
    """

    level: Level
    deciding: telemetry.Decision | None = None
    target: telemetry.Target | None = None
    candidates: int | None = None
    attempt: telemetry.Attempt | None = None
    hit: bool = False
    ready: int | None = None
    stream_tagged: bool = False
    from_cache: Any = None
    asked: Any = None

    @property
    def calls_next(self) -> bool:
        """Whether the next thing to happen is the call to the deployment."""
        return self.deciding is None and self.attempt is None and not self.hit

    def begin_attempt(self, kwargs: Mapping[str, Any], began: int | None = None) -> None:
        """Begin the attempt that the Router makes with ``kwargs``, now or as of ``began``."""
        level = self.level
        around = current_attempt()
        if (
            around is not None
            and around.request is level.request
            and not (around.reads_answer or level.request.ends_with_attempt)
        ):
            around.withdraw()  # a block of the application's around the whole Router: the tries count, each once
        target = self.target or _deployments.from_call(kwargs, level.operation)
        if level.routing:
            reason = "routing"
        elif level.calls > 1:
            reason = "retry"
        else:
            reason = "fallback" if level.fallback else "initial"
        self.attempt = level.request.begin_attempt(target, reason=reason, began=began, group=level.group)
        self.attempt.reads_answer = True
        self.attempt.content(self.asked)
        otel_context.attach(self.attempt.context)  # until `calling` ends: what the call does is the attempt's


current_level: ContextVar[Level | None] = ContextVar("otel_llm_router_litellm_level", default=None)
current_call: ContextVar[Call | None] = ContextVar("otel_llm_router_litellm_call", default=None)


class entered:  # noqa: N801  # reads as a statement
    """Make ``level`` the current one, with no call yet."""

    __slots__ = ("_call", "_level", "_previous")

    def __init__(self, level: Level) -> None:
        self._level = level

    def __enter__(self) -> None:
        self._previous, self._call = current_level.get(), current_call.get()
        current_level.set(self._level)
        current_call.set(None)

    def __exit__(self, *_exc: object) -> None:
        current_level.set(self._previous)
        current_call.set(self._call)


class calling:  # noqa: N801  # reads as a statement
    """Make ``call`` the current one."""

    __slots__ = ("_call", "_context", "_previous")

    def __init__(self, call: Call) -> None:
        self._call = call

    def __enter__(self) -> None:
        self._previous, self._context = current_call.get(), otel_context.get_current()
        current_call.set(self._call)

    def __exit__(self, *_exc: object) -> None:
        current_call.set(self._previous)
        otel_context.attach(self._context)
