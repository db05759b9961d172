"""Looking for secrets, CPU us for each text, and for the attributes of one server span.

What comes again is known; an identifier, a URL or a message of an error is new each time, and so are three of the span's attributes.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final

from benchmarks.micro._passes import Passes, expect, repeated, turns
from otel_llm_router import redaction

MESSAGE: Final = "litellm.RateLimitError: Rate limit reached for gpt-4o in organization org-%d on tokens per min: Limit 30000, Used 29500"
STACK: Final = "Traceback (most recent call last):\n" + "".join(
    f'  File "/usr/lib/python3.11/site-packages/litellm/llms/custom_httpx/llm_http_handler.py", line {line}, in completion\n'
    "    response = await self._make_common_async_call(provider_config=provider_config, api_base=api_base, headers=headers)\n"
    for line in range(16)
)
SPAN: Final = {
    "http.request.method": "POST",
    "http.response.status_code": 200,
    "http.route": "/v1/chat/completions",
    "network.protocol.version": "1.1",
    "server.address": "router.llm.svc.cluster.local",
    "server.port": 8000,
    "url.path": "/v1/chat/completions",
    "url.scheme": "http",
    "user_agent.original": "OpenAI/Python 1.99.9",
}

_numbers: Final = itertools.count()


def _span() -> list[object]:
    number = next(_numbers)
    new = {
        "http.request.id": f"req_{number:024x}",
        "session.id": f"{number:032x}",
        "url.full": f"http://router.llm.svc.cluster.local:8000/v1/chat/completions?trace={number}",
    }
    return [redaction.value(key, value) for key, value in (SPAN | new).items()]


def measure(*, quick: bool) -> Passes:
    """Measure; see the module."""
    times, passes = (500, 5) if quick else (5_000, 15)
    redaction.load()
    calls: dict[str, Callable[[], object]] = {
        "secrets in a text, known": lambda: redaction.text("gpt-4o-mini"),
        "secrets in a text, new identifier": lambda: redaction.text(f"chatcmpl-{next(_numbers):032x}"),
        "secrets in a text, new URL": lambda: redaction.text(f"http://service:8080/items/{next(_numbers)}?page=2"),
        "secrets in a text, new message of 120 characters": lambda: redaction.text(MESSAGE % next(_numbers)),
        "secrets in a text, new stack trace of 4 KB": lambda: redaction.text(f"{STACK}Error: {next(_numbers)}"),
        "secrets in the attributes of a span": _span,
    }
    expect("secrets left", redaction.text("password=abc").count("abc"), 0)
    for name, call in calls.items():
        expect(f"harmless texts hidden in {name}", str(call()).count(redaction.HIDDEN), 0)
    return turns({name: repeated(call, times) for name, call in calls.items()}, passes, divide=times / 1e6)
