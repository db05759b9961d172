"""What a LiteLLM stream is measured with: usage where LiteLLM keeps it, one count for two streams.

Room: `instrumentation`. Chunks of LiteLLM's come in. A Router's stream is one of the Router's around one of
the provider's; `_streams` drives both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from opentelemetry.context import Context

from otel_llm_router import telemetry
from otel_llm_router.telemetry.instrumenting import StreamProbe, Tally, Usage, guard, unlike


def _quickly(tally: Tally) -> Callable[[Any], bool]:
    """See LiteLLM's chunks: usage is in the list of raw chunks, whatever these have."""

    def plain(chunk: Any) -> bool:
        try:
            [choice] = chunk.choices
            fields = choice.__pydantic_extra__
            delta = fields["delta"].__pydantic_extra__
            if (delta["content"] or delta["tool_calls"] or delta["reasoning_content"]) and not fields["finish_reason"]:
                tally.last = time.perf_counter_ns()
                tally.chunks += 1
                return True
        except BaseException as error:  # noqa: BLE001
            return unlike(error)
        return False

    return plain


class LiteLLMProbe(StreamProbe):
    """A probe that reads usage where LiteLLM keeps it.

    LiteLLM takes the provider's usage off the chunks it passes on, and adds an estimate of its own
    where the provider sent none. What the provider sent stays in the stream's list of raw chunks.
    """

    looks_of_its_own = (_quickly,)

    def __init__(
        self, *, request: telemetry.Request | None = None, attempt: telemetry.Attempt | None = None, chunks: Any = None
    ) -> None:
        super().__init__(request=request, attempt=attempt)
        self._chunks = cast("list[Any]", chunks) if isinstance(chunks, list) else []
        self.ran_out = False
        self.front: LiteLLMProbe | None = None

    def adopt(self, request: telemetry.Request | None) -> None:
        """Let ``request`` end with it: with the provider's own stream, or with one of the Router's around it."""
        super().adopt(request)
        if request is not None and self.attempt is None:
            request.front = self

    def inspect(self, chunk: Any, now: int) -> None:
        """Look at a chunk closely."""
        if self.attempt is not None and self.front is None:
            self._stand_behind()
        choices = getattr(chunk, "__dict__", {}).get("choices")
        if isinstance(choices, list):
            said = False
            for choice in cast("list[Any]", choices):
                said = said or _says_something(_peek(choice, "delta"))
                self.complete = self.complete or bool(_peek(choice, "finish_reason"))
            if said:
                self.count(chunk, now)
            usage = _peek(chunk, "usage")
            if usage is not None:
                self.usage = usage
            self.tell(chunk)
        else:
            super().inspect(chunk, now)
        if self.complete and self.front is not None:
            self.front.complete = True

    def report(self) -> None:
        """Say to whom the chunks belong that are counted: the attempt and its request alike.

        The Router passes a provider's chunk on in the step in which it arrives, so the stream that it
        returns has nothing left to count unless the answer is cached.
        """
        attempt, request = self.attempt, self.request
        if attempt is not None:
            attempt.follow(self.tally)
            request = attempt.request if attempt.reason != "routing" else None
        elif request is not None and request.attempts and not _seen_below(request):
            request = None
        if request is not None:
            request.follow(self.tally)

    def _stand_behind(self) -> None:
        """Do the work of the Router's stream around this one, for as long as this one gives it its chunks.

        One of the two looks at each chunk and makes a context current, not both.
        """
        attempt = self.attempt
        front = attempt.request.front if attempt is not None and attempt.reason != "routing" else None
        if isinstance(front, LiteLLMProbe) and front.live:
            self.front = front
            front.looks = False
            front.inside = self.inside

    def closed(self) -> None:
        """Let the Router's stream do its own work again."""
        super().closed()
        front, self.front = self.front, None
        if front is not None and front.live:
            front.looks = True
            front.inside = front.context
        if self.request is not None and self.request.front is self:
            self.request.front = None

    def behind(self) -> Context | None:
        """Return what is current in the Router's stream when this one, in its midst, ends."""
        return self.front.context if self.front is not None and self.front.stepping else None

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
            reported = _usages(self._chunks)
            if reported:
                attempt.read_usage(_largest(reported))
            elif self.usage is not None:
                attempt.read_usage(self.usage, "estimated")
                if not attempt.usage.input and not attempt.usage.output:
                    attempt.usage = Usage()  # some releases log 0 for what they could not count
            attempt.estimate_from_chunks()


def _seen_below(request: telemetry.Request) -> bool:
    """Whether the attempt in flight was noticed by the wire, which counts nothing for the request."""
    last = request.last_attempt
    return any(one.seen_below for one in tuple(request.attempts_open)) or (last is not None and last.seen_below)


def _usages(chunks: list[Any]) -> list[Any]:
    """Return the usage objects in raw chunks, of which hardly any has one."""
    with suppress(AttributeError):  # one that is no model
        chunks = [chunk for chunk in chunks if "usage" in chunk.__dict__ or chunk.__pydantic_extra__]
    return [usage for chunk in chunks if (usage := _peek(chunk, "usage")) is not None]


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
