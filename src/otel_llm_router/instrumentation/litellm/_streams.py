"""LiteLLM's streams, measured without becoming other objects.

Room: `instrumentation`. Stream objects that the Router returns or reads from come in; the methods of
their classes are wrapped, and each object that is watched carries its probe. The objects keep their
identity and their type, which LiteLLM and its users check.
"""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, Final, cast

from opentelemetry import context as otel_context

from otel_llm_router import telemetry
from otel_llm_router.telemetry.instrumenting import StreamProbe, Usage, carry, guard, probe_of, track

_WRAPPED: Final = "__otel_llm_router_wrapped__"


class LiteLLMProbe(StreamProbe):
    """A probe that reads usage where LiteLLM keeps it.

    LiteLLM takes the provider's usage off the chunks it passes on, and adds an estimate of its own
    where the provider sent none. What the provider sent stays in the stream's list of raw chunks.
    """

    def __init__(
        self, *, request: telemetry.Request | None = None, attempt: telemetry.Attempt | None = None, chunks: Any = None
    ) -> None:
        super().__init__(request=request, attempt=attempt)
        self._chunks = cast("list[Any]", chunks) if isinstance(chunks, list) else []
        self.ran_out = False

    def chunk(self, chunk: Any) -> None:
        """Account for one chunk, for the attempt and its request alike.

        The Router passes a provider's chunk on in the step in which it arrives, so the stream that it
        returns has nothing left to count unless the answer is cached.
        """
        choices = getattr(chunk, "__dict__", {}).get("choices")
        if not isinstance(choices, list):
            super().chunk(chunk)
            return
        with guard("litellm.stream.chunk"):
            attempt, request = self.attempt, self.request
            if attempt is not None:
                request = attempt.request if attempt.reason != "routing" else None
            elif request is not None and request.attempts:
                request = None
            said = False
            for choice in cast("list[Any]", choices):
                said = said or _says_something(_peek(choice, "delta"))
                self.complete = self.complete or bool(_peek(choice, "finish_reason"))
            if said:
                now = time.perf_counter_ns()
                if attempt is not None:
                    attempt.chunk(now)
                if request is not None:
                    request.chunk(now)
            usage = _peek(chunk, "usage")
            if usage is not None:
                self.usage = usage
            if attempt is not None and (self.complete or attempt.response_model is None):
                attempt.complete = self.complete
                attempt.describe(chunk)

    def finish(self) -> None:
        """End at the stream's natural end."""
        self.ran_out = True
        super().finish()

    def settle(self) -> None:
        """Hand over what the provider reported, else LiteLLM's estimate, else the chunks seen."""
        with guard("litellm.stream.settle"):
            attempt = self.attempt
            if attempt is None:
                return
            reported = [usage for chunk in self._chunks if (usage := _peek(chunk, "usage")) is not None]
            if reported:
                attempt.read_usage(_largest(reported))
            elif self.usage is not None:
                attempt.read_usage(self.usage, "estimated")
                if not attempt.usage.input and not attempt.usage.output:
                    attempt.usage = Usage()  # some releases log 0 for what they could not count
            attempt.estimate_from_chunks()


def _peek(model: Any, name: str) -> Any:
    """Return a field of a pydantic model, or None: asking for one that is not there is slow."""
    own: dict[str, Any] = getattr(model, "__dict__", {})
    if name in own:
        return own[name]
    extra: dict[str, Any] | None = getattr(model, "__pydantic_extra__", None)
    return extra.get(name) if extra else None


def _says_something(delta: Any) -> bool:
    return bool(_peek(delta, "content") or _peek(delta, "tool_calls") or _peek(delta, "reasoning_content"))


def _largest(usages: list[Any]) -> Any:
    """Return one usage object for the partial ones of a stream: providers count up over its chunks."""
    if len(usages) == 1:
        return usages[0]
    merged: dict[str, Any] = {}
    for usage in usages:
        values: dict[str, Any] = usage.model_dump() if hasattr(usage, "model_dump") else usage.__dict__
        for key, value in values.items():
            known = merged.get(key)
            if isinstance(value, int) and isinstance(known, int):
                merged[key] = max(value, known)
            elif value is not None:
                merged[key] = value
    return merged


def watch(stream: Any, probe: StreamProbe) -> Any:
    """Measure ``stream`` with ``probe`` and return it; a plain generator is wrapped in one of its kind."""
    if inspect.isasyncgen(stream) or inspect.isgenerator(stream):
        generator: AsyncGenerator[Any, Any] | Generator[Any, Any, Any] = track(stream, probe)
        return generator
    _wrap_class(type(stream))  # pyright: ignore[reportUnknownArgumentType]
    if not carry(stream, probe):  # no __dict__: it cannot be told apart from others of its class
        probe.finish()
    return stream


def is_stream(response: Any) -> bool:
    """Whether a Router's answer is a stream, as opposed to a complete answer (which can be iterated too)."""
    return hasattr(response, "__anext__") or hasattr(response, "__next__")


# --- the wrapped methods ---------------------------------------------------------------------------

_patched: list[tuple[type, str, Any]] = []


def _wrap_class(cls: type) -> None:
    for name, make in _METHODS.items():
        # LiteLLM makes a new class for each stream of the Router; patching the class that defines a
        # method, not the one that inherits it, keeps the long-lived ones to one patch each.
        owner = next((base for base in cls.__mro__ if name in vars(base)), None)
        if owner is None or owner is object:
            continue
        original = vars(owner)[name]
        if hasattr(original, _WRAPPED) or not inspect.isfunction(original):
            continue
        wrapper = functools.wraps(original)(make(original))
        setattr(wrapper, _WRAPPED, True)
        setattr(owner, name, wrapper)
        if "<locals>" not in owner.__qualname__:
            _patched.append((owner, name, original))


def unwrap_classes() -> None:
    """Give every class its own methods back."""
    while _patched:
        owner, name, original = _patched.pop()
        setattr(owner, name, original)


def _anext(original: Callable[..., Any]) -> Callable[..., Any]:
    async def anext_measured(self: Any) -> Any:
        probe = probe_of(self)
        if probe is None:
            return await original(self)
        before = _enter(probe)
        try:
            chunk = await original(self)
        except StopAsyncIteration:
            _leave(probe, before)
            probe.finish()
            raise
        except BaseException as error:
            _leave(probe, before)
            probe.fail(error)
            raise
        _leave(probe, before)
        probe.chunk(chunk)
        return chunk

    return anext_measured


def _next(original: Callable[..., Any]) -> Callable[..., Any]:
    def next_measured(self: Any) -> Any:
        probe = probe_of(self)
        if probe is None:
            return original(self)
        before = _enter(probe)
        try:
            chunk = original(self)
        except StopIteration:
            _leave(probe, before)
            probe.finish()
            raise
        except BaseException as error:
            _leave(probe, before)
            probe.fail(error)
            raise
        _leave(probe, before)
        probe.chunk(chunk)
        return chunk

    return next_measured


def _aclose(original: Callable[..., Any]) -> Callable[..., Any]:
    async def aclose(self: Any) -> Any:
        try:
            return await original(self)
        finally:
            _abort(self)

    return aclose


def _close(original: Callable[..., Any]) -> Callable[..., Any]:
    def close(self: Any) -> Any:
        try:
            return original(self)
        finally:
            _abort(self)

    return close


def _enter(probe: StreamProbe) -> otel_context.Context:
    before = otel_context.get_current()
    with guard("litellm.stream.enter"):
        probe.stepping = True
        inside = probe.context
        if inside is not None:
            otel_context.attach(inside)
    return before


def _leave(probe: StreamProbe, before: otel_context.Context) -> None:
    with guard("litellm.stream.leave"):
        probe.stepping = False
        otel_context.attach(before)


def _abort(stream: Any) -> None:
    with guard("litellm.stream.close"):
        probe = probe_of(stream)
        if probe is not None:
            probe.abort()


_METHODS: Final[dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]]] = {
    "__anext__": _anext,
    "__next__": _next,
    "aclose": _aclose,
    "close": _close,
}
