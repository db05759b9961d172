"""What one chunk of a stream says: output, an end, both or neither.

Room: `telemetry`. Chunks of the OpenAI, Anthropic, Responses and Ollama shapes come in, as objects or
mappings. Looking everywhere where something could be takes microseconds. Nearly every chunk of a stream is
*plain*, a piece of output and nothing else, and looks like the one before; so a stream learns from a chunk
with content how to see that quickly, and only the others are looked at closely. A quick look never guesses:
it finds the output, no end and no usage, and counts the chunk, or it leaves it alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from otel_llm_router.telemetry._tally import Tally
from otel_llm_router.telemetry._usage import choices_of, get

Look = Callable[[Any], bool]
"""Counts a chunk and says True if it sees that the chunk is plain. Raises nothing."""
MakeLook = Callable[[Tally], Look]


def has_content(chunk: Any) -> bool:
    """Whether a streamed chunk carries output, as opposed to a role, usage or the end of a choice."""
    if chunk is None:
        return False
    if isinstance(chunk, (str, bytes)):
        return bool(chunk)
    choices = choices_of(chunk)
    if choices is None:
        return _event_has_content(chunk)
    for choice in choices:
        delta = get(choice, "delta")
        if delta is None:
            if get(choice, "text"):
                return True
            continue
        if get(delta, "content") or get(delta, "tool_calls") or get(delta, "reasoning_content"):
            return True
    return False


_ANTHROPIC_EVENTS: Final = frozenset(
    {"message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop", "ping", "error"}
)


def _event_has_content(chunk: Any) -> bool:
    kind = get(chunk, "type")
    if isinstance(kind, str) and (kind in _ANTHROPIC_EVENTS or kind.startswith("response.")):
        return kind.endswith(".delta")
    if get(chunk, "done") is True:  # Ollama's last chunk carries counts and, as a rule, nothing else
        return bool(get(get(chunk, "message"), "content") or get(chunk, "response"))
    return True  # a shape we do not know: its first chunk is the first we can know of


def counts_tokens(chunk: Any) -> bool:
    """Whether chunks of this shape are one token each, near enough for an estimate (OpenAI's are)."""
    return not isinstance(chunk, (str, bytes)) and choices_of(chunk) is not None


_LAST_EVENTS: Final = frozenset({"response.completed", "response.incomplete", "message_stop"})


def is_last(chunk: Any) -> bool:
    """Whether a streamed chunk says that the answer is complete (usage may still follow)."""
    choices = choices_of(chunk)
    if choices:
        return any(get(choice, "finish_reason") for choice in choices)
    kind = get(chunk, "type")
    return (isinstance(kind, str) and kind in _LAST_EVENTS) or get(chunk, "done") is True


# --- the quick looks -------------------------------------------------------------------------------
# Each is written out, time and count included: a call costs a tenth of what a chunk may.


def never(_chunk: Any) -> bool:
    """Take no chunk for plain: what a stream begins with."""
    return False


def learn(chunk: Any, tally: Tally, looks: Sequence[MakeLook] = ()) -> Look:
    """Return the quick look that sees that ``chunk`` is plain, for those that follow it; `never` when none does.

    Args:
        chunk: A chunk with content.
        tally: What counts them.
        looks: Looks to try before those of this module.
    """
    if isinstance(chunk, (str, bytes)):
        known = (_text,)
    elif isinstance(chunk, Mapping):
        known = (_mapping, _event_mapping)
    elif hasattr(chunk, "__pydantic_extra__"):
        known = (_model, _object, _event)
    else:
        known = (_object, _namespace, _event)
    found = next((look for look in (*looks, *known) if look(Tally())(chunk)), None)
    return never if found is None else found(tally)


def unlike(error: BaseException) -> bool:
    """Take what a quick look ran into for a chunk of another shape, unless it is the application's to see."""
    if isinstance(error, (KeyboardInterrupt, SystemExit)):
        raise error
    return False


_TEXTS: Final = (str, bytes)


def _text(tally: Tally) -> Look:
    def plain(chunk: Any) -> bool:
        try:
            if chunk.__class__ in _TEXTS and chunk:
                tally.last = time.perf_counter_ns()
                tally.chunks += 1
                return True
        except BaseException as error:  # noqa: BLE001
            return unlike(error)
        return False

    return plain


def _object(tally: Tally) -> Look:
    """OpenAI's: every field can be asked for."""

    def plain(chunk: Any) -> bool:
        try:
            [choice] = chunk.choices
            delta = choice.delta
            if (
                (delta.content or delta.tool_calls or delta.reasoning_content)
                and not choice.finish_reason
                and chunk.usage is None
            ):
                tally.last = time.perf_counter_ns()
                tally.chunks += 1
                return True
        except BaseException as error:  # noqa: BLE001
            return unlike(error)
        return False

    return plain


def _namespace(tally: Tally) -> Look:
    """The same, of objects that have a field for usage only when they have usage."""

    def plain(chunk: Any) -> bool:
        try:
            own = chunk.__dict__
            [choice] = own["choices"]
            delta = choice.delta
            if (
                (delta.content or delta.tool_calls or delta.reasoning_content)
                and not choice.finish_reason
                and "usage" not in own
            ):
                tally.last = time.perf_counter_ns()
                tally.chunks += 1
                return True
        except BaseException as error:  # noqa: BLE001
            return unlike(error)
        return False

    return plain


def _model(tally: Tally) -> Look:
    """LiteLLM's: pydantic models that declare few fields and keep the rest aside, where asking is slow."""

    def plain(chunk: Any) -> bool:
        try:
            own = chunk.__dict__
            [choice] = own["choices"]
            fields = choice.__pydantic_extra__
            delta = fields["delta"].__pydantic_extra__
            if (
                (delta["content"] or delta["tool_calls"] or delta["reasoning_content"])
                and not fields["finish_reason"]
                and ("usage" not in own or own["usage"] is None)
                and "usage" not in chunk.__pydantic_extra__
            ):
                tally.last = time.perf_counter_ns()
                tally.chunks += 1
                return True
        except BaseException as error:  # noqa: BLE001
            return unlike(error)
        return False

    return plain


def _mapping(tally: Tally) -> Look:
    def plain(chunk: Any) -> bool:
        try:
            [choice] = chunk["choices"]
            delta = choice["delta"]
            if (
                ((delta.get("content")) or delta.get("tool_calls") or delta.get("reasoning_content"))
                and ("finish_reason" not in choice or not choice["finish_reason"])
                and ("usage" not in chunk or chunk["usage"] is None)
            ):
                tally.last = time.perf_counter_ns()
                tally.chunks += 1
                return True
        except BaseException as error:  # noqa: BLE001
            return unlike(error)
        return False

    return plain


def _event(tally: Tally) -> Look:
    """Anthropic's and those of the Responses API."""

    def plain(chunk: Any) -> bool:
        try:
            kind = chunk.type
            if kind == "content_block_delta" or (kind.startswith("response.") and kind.endswith(".delta")):
                tally.last = time.perf_counter_ns()
                tally.chunks += 1
                return True
        except BaseException as error:  # noqa: BLE001
            return unlike(error)
        return False

    return plain


def _event_mapping(tally: Tally) -> Look:
    def plain(chunk: Any) -> bool:
        try:
            kind = chunk["type"]
            if kind == "content_block_delta" or (kind.startswith("response.") and kind.endswith(".delta")):
                tally.last = time.perf_counter_ns()
                tally.chunks += 1
                return True
        except BaseException as error:  # noqa: BLE001
            return unlike(error)
        return False

    return plain
