"""The hooks on the SDKs that Stainless generates (OpenAI's, Anthropic's): one call, with the tries that it makes.

Room: `instrumentation`. The SDK tries again by itself when a call fails, each time by a request of httpx; only here
is it seen that they belong together, and when it gives up.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from otel_llm_router.telemetry.instrumenting import SdkCall

Wrapped = Callable[..., Any]


def request(wrapped: Wrapped, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """``SyncAPIClient.request``."""
    with SdkCall():
        return wrapped(*args, **kwargs)


def async_request(wrapped: Wrapped, instance: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Awaitable[Any]:
    """``AsyncAPIClient.request``."""
    return _async_request(wrapped, args, kwargs)


async def _async_request(wrapped: Wrapped, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    with SdkCall():
        return await wrapped(*args, **kwargs)
