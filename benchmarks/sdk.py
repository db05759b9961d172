"""A bare SDK of OpenAI under load: no router, no network, the real httpx down to a pool of connections that answers at once.

The transport's class is httpx's own, since instrumentations hook it; only its pool is hollow. Each event of a stream
is a piece of its own, as from a provider.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from importlib import import_module
from typing import Any, Final

from typing_extensions import Self

from benchmarks.router import CHUNKS

_HEAD: Final[dict[str, Any]] = {"id": "chatcmpl-1", "created": 1, "model": "gpt-4o-mini-2026"}
_USAGE: Final = {"prompt_tokens": 400, "completion_tokens": CHUNKS, "total_tokens": 400 + CHUNKS}
_ASKED: Final[dict[str, Any]] = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "word " * 400}]}


def _event(choices: list[Any], **fields: Any) -> bytes:
    chunk = {**_HEAD, "object": "chat.completion.chunk", "choices": choices, **fields}
    return b"data: " + json.dumps(chunk, separators=(",", ":")).encode() + b"\n\n"


def _choice(content: str, reason: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": {"content": content}, "logprobs": None, "finish_reason": reason}


_MESSAGE: Final = {"role": "assistant", "content": "word " * 20}
PLAIN: Final = json.dumps(
    {
        **_HEAD,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": _MESSAGE, "finish_reason": "stop"}],
        "usage": _USAGE,
    }
).encode()
STREAM: Final = [
    *[_event([_choice("word ")])] * CHUNKS,
    _event([_choice("", "stop")]),
    _event([], usage=_USAGE),
    b"data: [DONE]\n\n",
]


class Pool:
    """A pool of connections that answers at once."""

    def __init__(self) -> None:
        self._response: Any = import_module("httpcore").Response

    async def handle_async_request(self, request: Any) -> Any:
        """Answer in pieces where the request says so."""
        sent = b"".join([part async for part in request.stream])
        if b'"stream"' in sent:
            return self._response(200, headers=[(b"content-type", b"text/event-stream")], content=_pieces())
        return self._response(200, headers=[(b"content-type", b"application/json")], content=PLAIN)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Close nothing."""

    async def aclose(self) -> None:
        """Close nothing."""


async def _pieces() -> AsyncGenerator[bytes, None]:
    for piece in STREAM:
        yield piece


class SdkLoad:
    """Sends requests by the SDK, and checks the answers."""

    def __init__(self) -> None:
        httpx: Any = import_module("httpx")
        transport = httpx.AsyncHTTPTransport()
        transport._pool = Pool()  # noqa: SLF001  # below everything that anybody hooks
        client = httpx.AsyncClient(transport=transport)
        self._client: Any = import_module("openai").AsyncOpenAI(api_key="sk-benchmark", http_client=client)

    async def plain(self) -> None:
        """Send one request.

        Raises:
            RuntimeError: the answer is another.
        """
        answer = await self._client.chat.completions.create(**_ASKED)
        if answer.choices[0].message.content != _MESSAGE["content"]:
            raise RuntimeError("an answer is not what was sent")

    async def stream(self) -> None:
        """Send one streamed request and read it to its end.

        Raises:
            RuntimeError: chunks are missing.
        """
        options = {"stream": True, "stream_options": {"include_usage": True}}
        chunks = 0
        async for _ in await self._client.chat.completions.create(**_ASKED, **options):
            chunks += 1
        if chunks != CHUNKS + 2:
            raise RuntimeError(f"a stream has {chunks} chunks instead of {CHUNKS + 2}")
