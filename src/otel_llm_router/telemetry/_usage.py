"""Token usage, read from whatever a provider or library answered with.

Room: `telemetry`. Responses, chunks and usage objects of the OpenAI, Anthropic, Gemini and Ollama
shapes come in, as objects or mappings; checked counts by type go out. A count that cannot be one
(negative, text, 2**70) is dropped and said, the others of the same answer are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Final, Literal

from otel_llm_router import _sanitize

UsageSource = Literal["reported", "estimated", "missing"]

TYPES: Final = ("input", "output", "cache_read", "cache_write", "reasoning")

_INPUT: Final = ("prompt_tokens", "input_tokens", "prompt_token_count", "promptTokenCount", "prompt_eval_count")
_OUTPUT: Final = (
    "completion_tokens",
    "output_tokens",
    "candidates_token_count",
    "candidatesTokenCount",
    "eval_count",
)
_INPUT_DETAILS: Final = ("prompt_tokens_details", "input_tokens_details")
_OUTPUT_DETAILS: Final = ("completion_tokens_details", "output_tokens_details")
_CACHE_READ: Final = ("cache_read_input_tokens", "cached_content_token_count", "cachedContentTokenCount")
_THOUGHTS: Final = ("thoughts_token_count", "thoughtsTokenCount")
_TOTAL: Final = ("total_token_count", "totalTokenCount")


@dataclass(slots=True)
class Usage:
    """Token counts of one answer.

    Args:
        source: Who counted; ``missing`` when there is nothing.
        input: Input tokens, cached ones included.
        output: Output tokens, reasoning included.
        cache_read: Part of the input that came from the provider's cache.
        cache_write: Part of the input that was written to it.
        reasoning: Part of the output.
        invalid: Names of fields that held something that cannot be a count.
    """

    source: UsageSource = "missing"
    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    invalid: tuple[str, ...] = ()

    def items(self) -> list[tuple[str, int]]:
        """Return (token type, count) of every count that is known and not zero."""
        return [(kind, value) for kind in TYPES if (value := getattr(self, kind))]

    def fill(self, earlier: Usage) -> None:
        """Take the counts that only an earlier report of the same answer has."""
        for kind in TYPES:
            if getattr(self, kind) is None:
                setattr(self, kind, getattr(earlier, kind))
        self.invalid += tuple(name for name in earlier.invalid if name not in self.invalid)
        if self.source == "missing":
            self.source = earlier.source


def get(holder: Any, name: str) -> Any:
    """Return a field of an object or mapping, or None."""
    return fields_of(holder)(name)


def fields_of(holder: Any) -> Callable[[str], Any]:
    """Return what gives a field of ``holder`` by its name, or None.

    Asking a pydantic model for what it has not is slow: it looks everywhere and then raises.
    """
    kind: type[object] = type(holder)  # pyright: ignore[reportUnknownVariableType]
    shape = _shape(kind)
    if shape == "mapping":
        return holder.get
    if shape == "model":
        own: dict[str, Any] = holder.__dict__
        extra: dict[str, Any] | None = getattr(holder, "__pydantic_extra__", None)
        return {**extra, **own}.get if extra else own.get
    return partial(_attribute, holder)


def _attribute(holder: Any, name: str) -> Any:
    return getattr(holder, name, None)


_NAMES: Final = frozenset(
    {*_INPUT, *_OUTPUT, *_INPUT_DETAILS, *_OUTPUT_DETAILS, *_CACHE_READ, *_THOUGHTS, *_TOTAL}
    | {"cache_creation_input_tokens", "cached_tokens", "reasoning_tokens"}
    | {"usage", "usage_metadata", "usageMetadata", "response", "message", "model", "id", "choices", "finish_reason"}
    | {"delta", "text", "content", "tool_calls", "reasoning_content", "type", "done"}
)
"""Every field that is asked for."""


@lru_cache(maxsize=1000)
def _shape(kind: type[object]) -> Literal["mapping", "model", "object"]:
    if issubclass(kind, Mapping):  # by the abstract class, which is slow
        return "mapping"
    # A model may have properties, which are not among what an instance holds.
    plain = hasattr(kind, "__pydantic_fields__") and not any(hasattr(kind, name) for name in _NAMES)
    return "model" if plain else "object"


def _first(fields: Callable[[str], Any], names: Iterable[str]) -> tuple[str, Any]:
    for name in names:
        value = fields(name)
        if value is not None:
            return name, value
    return "", None


def _detail(fields: Callable[[str], Any], holders: Iterable[str], name: str) -> tuple[str, Any]:
    for holder in holders:
        details = fields(holder)
        if details is not None:
            value = get(details, name)
            if value is not None:
                return f"{holder}.{name}", value
    return "", None


def find(response: Any) -> Any:
    """Return the usage object inside a response or chunk, or None."""
    usage = get(response, "usage")
    if usage is None:
        usage = get(response, "usage_metadata") or get(response, "usageMetadata")
    if usage is None:  # Responses API events and Anthropic's message_start carry it one level down
        usage = get(get(response, "response"), "usage") or get(get(response, "message"), "usage")
    if usage is None and (get(response, "prompt_eval_count") is not None or get(response, "eval_count") is not None):
        usage = response  # Ollama: fields of the answer itself; a cached prompt has no count
    return usage


def read(usage: Any, source: Literal["reported", "estimated"] = "reported") -> Usage:
    """Read a usage object; the result's source is ``missing`` when it holds no usable count."""
    result = Usage()
    if usage is None:
        return result

    def take(found: tuple[str, Any]) -> int | None:
        name, raw = found
        if raw is None:
            return None
        number = _sanitize.count(raw)
        if number is None:
            result.invalid += (name,)
        return number

    fields = fields_of(usage)
    result.input = take(_first(fields, _INPUT))
    result.output = take(_first(fields, _OUTPUT))
    result.cache_read = take(_detail(fields, _INPUT_DETAILS, "cached_tokens"))
    if result.cache_read is None:
        result.cache_read = take(_first(fields, _CACHE_READ))
    result.cache_write = take(_first(fields, ("cache_creation_input_tokens",)))
    result.reasoning = take(_detail(fields, _OUTPUT_DETAILS, "reasoning_tokens"))
    if result.reasoning is None:
        result.reasoning = take(_first(fields, _THOUGHTS))
        _include_thoughts(fields, result)
    if fields("prompt_tokens") is None and fields("input_tokens_details") is None:
        _include_cached_input(fields, result)
    if any(getattr(result, kind) is not None for kind in TYPES):
        result.source = source
    return result


def _include_cached_input(fields: Callable[[str], Any], result: Usage) -> None:
    """Anthropic counts cached input beside ``input_tokens``; the conventions count it inside."""
    beside = _first(fields, ("cache_read_input_tokens", "cache_creation_input_tokens"))[0]
    if result.input is not None and beside:
        result.input += (result.cache_read or 0) + (result.cache_write or 0)


def _include_thoughts(fields: Callable[[str], Any], result: Usage) -> None:
    """Gemini counts thoughts beside the candidates, some of its hosts inside, and the total tells which."""
    if not result.reasoning:
        return
    total = _sanitize.count(_first(fields, _TOTAL)[1])
    if total is None or total != (result.input or 0) + (result.output or 0):
        result.output = (result.output or 0) + result.reasoning


def choices_of(response: Any) -> list[Any] | None:
    """Return the choices of an answer or chunk of the OpenAI shape, or None when it has another shape."""
    choices = get(response, "choices")
    return choices if isinstance(choices, list) else None  # pyright: ignore[reportUnknownVariableType]
