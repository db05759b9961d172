"""The Router under load: `litellm.Router` with two deployments, one group, and its answers at hand.

One plain request has 20 output tokens' worth of text, one stream 100 chunks. Every answer is checked, so
that a configuration that breaks requests cannot look cheap.
"""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any, Final

CHUNKS: Final = 100
MODELS: Final = ("gpt-4o-mini", "gpt-4o")
_MOCK_CHARACTERS: Final = 3
"""Characters that LiteLLM puts into one chunk of a mocked stream."""


class Load:
    """Sends requests to a Router of its own.

    Args:
        upstream: Base URL of an OpenAI-compatible upstream; without one LiteLLM mocks the answers.
    """

    def __init__(self, upstream: str | None) -> None:
        litellm: Any = import_module("litellm")
        litellm.suppress_debug_info = True
        self.chunks = 0
        self._upstream = upstream
        self.router: Any = litellm.Router(
            model_list=[self._deployment(model) for model in MODELS],
            num_retries=2,
            routing_strategy="simple-shuffle",
        )
        self.plain_body = self._body("plain", 20)
        self.stream_body = {**self._body("stream", CHUNKS), "stream": True, "stream_options": {"include_usage": True}}

    def _deployment(self, model: str) -> dict[str, Any]:
        where = {} if self._upstream is None else {"api_base": f"{self._upstream}/v1"}
        params = {"model": f"openai/{model}", "api_key": "sk-benchmark", **where}
        return {"model_name": "smart", "litellm_params": params, "model_info": {"id": model}}

    def _body(self, kind: str, tokens: int) -> dict[str, Any]:
        mock = {"mock_response": "x" * (_MOCK_CHARACTERS * tokens)} if self._upstream is None else {}
        return {**body(kind, tokens), **mock}

    async def plain(self) -> None:
        """Send one request and check its answer.

        Raises:
            RuntimeError: the answer is empty.
        """
        answer = await self.router.acompletion(**self.plain_body)
        if not answer.choices[0].message.content:
            raise RuntimeError("an answer is empty")

    async def stream(self) -> None:
        """Send one streamed request and read it to its end.

        Raises:
            RuntimeError: chunks are missing.
        """
        chunks = 0
        async for _ in await self.router.acompletion(**self.stream_body):
            chunks += 1
        if chunks < CHUNKS:
            raise RuntimeError(f"a stream has {chunks} chunks instead of {CHUNKS}")
        self.chunks = chunks


def body(kind: str, tokens: int) -> dict[str, Any]:
    """Return the body of a request that the upstream answers at once, with so many tokens."""
    content = json.dumps({"id": kind, "upstreams": {"alpha": [{"completion_tokens": tokens}]}})
    return {"model": "smart", "messages": [{"role": "user", "content": content}]}
