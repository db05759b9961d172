"""The openai SDK without a network: ``AsyncCompletions.create`` answers at once, with objects of the SDK's classes."""

from __future__ import annotations

import functools
from collections.abc import AsyncGenerator, Callable, Sequence
from importlib import import_module
from typing import Any

Call = Callable[..., Any]


class OpenAI:
    """Answers of the openai SDK.

    Args:
        answer: What LiteLLM made of the complete answer; the SDK's has the same text and usage.
        chunks: What LiteLLM made of the chunks of a stream; the SDK's stream has as many.
    """

    def __init__(self, answer: Any, chunks: Sequence[Any]) -> None:
        openai: Any = import_module("openai")
        types: Any = import_module("openai.types.chat")
        httpx: Any = import_module("httpx")
        self._legacy: Any = import_module("openai._legacy_response").LegacyAPIResponse
        self._stream_class: Any = openai.AsyncStream
        self._cast_to: Any = types.ChatCompletion
        self._completion: Any = types.ChatCompletion.model_validate(_fields(answer))
        self._chunks: list[Any] = [types.ChatCompletionChunk.model_validate(_fields(chunk)) for chunk in chunks]
        request = httpx.Request("POST", "https://api.openai.com/v1/chat/completions")
        headers = {"content-type": "application/json", "x-request-id": "req_benchmark"}
        self._response: Any = httpx.Response(200, headers=headers, content=b"{}", request=request)

    def install(self) -> None:
        """Replace the body of ``AsyncCompletions.create``."""
        completions: Any = import_module("openai.resources.chat.completions").AsyncCompletions
        completions.create = self._hollow(completions.create)

    def client(self) -> Any:
        """Return an asynchronous client; make it when everything is hooked, since it binds its methods once."""
        self._client: Any = import_module("openai").AsyncOpenAI(api_key="sk-benchmark")
        return self._client

    def _hollow(self, original: Call) -> Call:
        @functools.wraps(original)
        async def create(_self: Any, *_args: Any, **kwargs: Any) -> Any:
            stream = bool(kwargs.get("stream"))
            raw = self._legacy(
                raw=self._response,
                cast_to=self._cast_to,
                client=self._client,
                stream=stream,
                stream_cls=self._stream_class if stream else None,
                options=None,
            )
            # What parsing the body would give.
            raw._parsed_by_type[self._cast_to] = self._stream() if stream else self._completion  # noqa: SLF001
            return raw

        return create

    def _stream(self) -> Any:
        stream = self._stream_class.__new__(self._stream_class)
        stream.response = self._response
        stream._iterator = self._items()  # noqa: SLF001
        return stream

    async def _items(self) -> AsyncGenerator[Any, None]:
        for chunk in self._chunks:
            yield chunk


def _fields(model: Any) -> dict[str, Any]:
    fields: dict[str, Any] = model.model_dump(exclude_none=True)
    for number, choice in enumerate(fields.get("choices", ())):
        choice.setdefault("index", number)
        choice.setdefault("finish_reason", None)
        if "delta" in choice:
            choice["delta"] = {"content": choice["delta"].get("content", "")}
    return fields
