"""What LiteLLM's response cache has answered, in whole or in part.

Room: `instrumentation`. What the cache handler returns, and answers, come in; the cached answer and
what is left for the provider go out.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from otel_llm_router import telemetry
from otel_llm_router.instrumentation.litellm._deployments import is_stream, mapping
from otel_llm_router.telemetry.instrumenting import Usage


def answer_in(found: Any) -> Any:
    """Return the cached answer inside what the cache handler found, or None."""
    if getattr(found, "embedding_all_elements_cache_hit", False):
        return getattr(found, "final_embedding_cached_response", None)
    if getattr(found, "final_embedding_cached_response", None) is not None:
        return None  # part of a batch is cached, the rest is still asked for
    return getattr(found, "cached_result", None)


def part_in(found: Any) -> Any:
    """Return the usage of the cached part of a batch whose rest is still asked for, or None."""
    return getattr(getattr(found, "final_embedding_cached_response", None), "usage", None)


def take_out(attempt: telemetry.Attempt, response: Any, cached: Any) -> None:
    """Leave of an attempt's usage what the provider served: LiteLLM reports it and the ``cached`` part in one."""
    usage = getattr(response, "usage", None)
    rest = {name: _minus(usage, cached, name) for name in ("prompt_tokens", "completion_tokens")}
    details = "prompt_tokens_details"
    read = _minus(getattr(usage, details, None), getattr(cached, details, None), "cached_tokens")
    if usage is None:
        return
    if any(value is not None and value < 0 for value in (*rest.values(), read)):  # it is not the sum of the two
        attempt.read_usage(usage, "estimated")
    elif any(rest.values()):
        attempt.read_usage({**rest, details: {"cached_tokens": read}})
    else:
        attempt.usage = Usage()  # the provider reported nothing


def _minus(usage: Any, part: Any, name: str) -> int | None:
    value, less = getattr(usage, name, None), getattr(part, name, None)
    return value - (less if isinstance(less, int) else 0) if isinstance(value, int) else None


def says_cached(response: Any) -> bool:
    """Whether an answer itself says that it comes from the cache."""
    if is_stream(response) and getattr(response, "custom_llm_provider", None) == "cached_response":
        return True
    return mapping(getattr(response, "_hidden_params", None)).get("cache_hit") is True


def looked_up(found: Any, kwargs: Mapping[str, Any], arguments: Mapping[str, Any]) -> str | None:
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
