"""An upstream provider: a local process that speaks OpenAI's HTTP protocol and keeps its own record.

Room: `cli`. It knows nothing of the telemetry under test: what it served is what the demo and the
tests hold the telemetry against. How it answers is decided by the request itself, so that one seed
gives one run whatever the timing.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, Final, cast

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

WORDS: Final = ("routing", "is", "a", "choice", "among", "models", "made", "for", "every", "request")


@dataclass(frozen=True)
class Behaviour:
    """How one call is answered.

    Args:
        status: HTTP status; anything but 200 is an error in OpenAI's shape.
        latency: Seconds before the first byte.
        chunk_latency: Seconds between streamed chunks.
        prompt_tokens: Input tokens that usage reports.
        completion_tokens: Output tokens; a stream sends as many chunks.
        cached_tokens: Input tokens that usage reports as read from the provider's cache.
        reasoning_tokens: Output tokens that usage reports as reasoning.
        cut_after: Chunks after which a stream is cut off without an end.
        usage: What to put where usage belongs: the truth, nothing, or nonsense.
        retry_after: Seconds after which an error says to try again.
    """

    status: int = 200
    latency: float = 0.0
    chunk_latency: float = 0.0
    prompt_tokens: int = 10
    completion_tokens: int = 5
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cut_after: int | None = None
    usage: Any = "truth"
    retry_after: int | None = None


def chance(*parts: object) -> random.Random:
    """Return a random generator that depends on ``parts`` and nothing else."""
    digest = hashlib.sha256("/".join(map(str, parts)).encode()).digest()
    return random.Random(digest)  # noqa: S311  # a seed for a demonstration


class Upstream:
    """One provider, with its behaviour and its record.

    Args:
        name: Name of the provider, part of what decides its answers.
        fault_rate: Share of calls that fail, and of streams that are cut.
        speed: Factor on all latencies.
    """

    def __init__(self, name: str, *, fault_rate: float = 0.0, speed: float = 1.0) -> None:
        self.name = name
        self._fault_rate = fault_rate
        self._speed = speed
        self.record: Counter[str] = Counter()
        self._seen: Counter[str] = Counter()
        self.app = Starlette(
            routes=[
                Route("/v1/chat/completions", self.chat, methods=["POST"]),
                Route("/v1/embeddings", self.embeddings, methods=["POST"]),
                Route("/record", self.read, methods=["GET"]),
            ]
        )

    async def read(self, _request: Request) -> Response:
        """Answer with the record."""
        return JSONResponse(dict(self.record))

    def behave(self, body: dict[str, Any]) -> Behaviour:
        """Decide how a call is answered: as its last message asks in JSON, else by chance."""
        content = body.get("messages", [{}])[-1].get("content")
        asked = _json_object(content)
        key = str(asked.get("id", content))
        self._seen[key] += 1
        plans: list[dict[str, Any]] = asked.get("upstreams", {}).get(self.name) or []
        if plans:
            return Behaviour(**plans[min(self._seen[key], len(plans)) - 1])
        return self._by_chance(key, self._seen[key])

    def _by_chance(self, key: str, time: int) -> Behaviour:
        pick = chance(self.name, key, time)
        status = 200
        cut: int | None = None
        if pick.random() < self._fault_rate:
            status = pick.choice((429, 500, 503, 200))
            cut = pick.randint(1, 5) if status == 200 else None  # noqa: PLR2004  # the status of success
        prompt, completion = pick.randint(5, 400), pick.randint(6, 40)
        return Behaviour(
            status=status,
            latency=pick.uniform(0.002, 0.06) * self._speed,
            chunk_latency=pick.uniform(0.0, 0.004) * self._speed,
            prompt_tokens=prompt,
            completion_tokens=completion,
            cached_tokens=pick.choice((0, 0, prompt // 2)),
            reasoning_tokens=pick.choice((0, 0, completion // 3)),
            cut_after=cut,
            retry_after=pick.choice((None, 0)),
        )

    # --- endpoints ------------------------------------------------------------------------------

    async def chat(self, request: Request) -> Response:
        """Answer a chat completion."""
        record = self.record  # the one of now, whatever replaces it before the answer has ended
        body = await request.json()
        behaviour = self.behave(body)
        record["attempts"] += 1
        if request.headers.get("traceparent"):
            record["traceparents"] += 1
        await asyncio.sleep(behaviour.latency)
        if behaviour.status != 200:  # noqa: PLR2004
            return self._error(behaviour, record)
        if body.get("stream"):
            options: dict[str, Any] = body.get("stream_options") or {}
            wants_usage = options.get("include_usage") is True
            return StreamingResponse(
                self._stream(body, behaviour, record, wants_usage=wants_usage), media_type="text/event-stream"
            )
        _served(behaviour, record)
        message = {"role": "assistant", "content": _text(behaviour.completion_tokens)}
        answer = {
            **_head(body, "chat.completion"),
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        }
        return JSONResponse(_with_usage(answer, behaviour))

    async def embeddings(self, request: Request) -> Response:
        """Answer an embedding."""
        body = await request.json()
        inputs = body["input"] if isinstance(body["input"], list) else [body["input"]]
        self.record["attempts"] += 1
        self.record["successes"] += 1
        tokens = 3 * len(inputs)
        self.record["tokens.input"] += tokens
        data = [{"object": "embedding", "index": i, "embedding": [0.1, 0.2]} for i in range(len(inputs))]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return JSONResponse({"object": "list", "model": body["model"], "data": data, "usage": usage})

    def _error(self, behaviour: Behaviour, record: Counter[str]) -> Response:
        status = behaviour.status
        record["errors"] += 1
        record[f"errors.{status}"] += 1
        error = {"message": f"simulated failure of {self.name}", "type": "simulated", "code": status}
        headers = {} if behaviour.retry_after is None else {"retry-after": str(behaviour.retry_after)}
        return JSONResponse({"error": error}, status_code=status, headers=headers)

    async def _stream(
        self, body: dict[str, Any], behaviour: Behaviour, record: Counter[str], *, wants_usage: bool
    ) -> AsyncIterator[str]:
        sent = 0
        try:
            for number in range(behaviour.completion_tokens):
                if number == behaviour.cut_after:
                    record["errors"] += 1
                    record["errors.cut"] += 1
                    sent = -1
                    raise ConnectionAbortedError("simulated cut")
                delta = {"content": WORDS[number % len(WORDS)] + " "}
                if number == 0:
                    delta["role"] = "assistant"
                yield _event({**_head(body, "chat.completion.chunk"), "choices": [_choice(delta)]})
                sent += 1
                await asyncio.sleep(behaviour.chunk_latency)
            yield _event({**_head(body, "chat.completion.chunk"), "choices": [_choice({}, "stop")]})
            if wants_usage:
                last: dict[str, Any] = {**_head(body, "chat.completion.chunk"), "choices": []}
                yield _event(_with_usage(last, behaviour))
            _served(behaviour, record, reported=wants_usage)
            sent = -1
            yield "data: [DONE]\n\n"
        finally:
            if sent >= 0:
                record["aborts"] += 1


def _served(behaviour: Behaviour, record: Counter[str], *, reported: bool = True) -> None:
    record["successes"] += 1
    if not reported or behaviour.usage != "truth":
        record["usage_missing"] += 1
        return
    record["tokens.input"] += behaviour.prompt_tokens
    record["tokens.output"] += behaviour.completion_tokens
    record["tokens.cache_read"] += behaviour.cached_tokens
    record["tokens.reasoning"] += behaviour.reasoning_tokens


def _json_object(text: Any) -> dict[str, Any]:
    """Return the object that ``text`` is the JSON of, or an empty one."""
    try:
        found: Any = json.loads(text) if isinstance(text, str) else None
    except ValueError:
        found = None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _text(tokens: int) -> str:
    return " ".join(WORDS[i % len(WORDS)] for i in range(tokens))


def _head(body: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "answer-1", "object": kind, "created": 1, "model": f"{body.get('model')}-2026"}


def _choice(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish}


def _event(data: dict[str, Any]) -> str:
    return f"data: {json.dumps(data)}\n\n"


def _with_usage(answer: dict[str, Any], behaviour: Behaviour) -> dict[str, Any]:
    if behaviour.usage is None:
        return answer
    if behaviour.usage != "truth":
        return {**answer, "usage": behaviour.usage}
    usage = {
        "prompt_tokens": behaviour.prompt_tokens,
        "completion_tokens": behaviour.completion_tokens,
        "total_tokens": behaviour.prompt_tokens + behaviour.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": behaviour.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": behaviour.reasoning_tokens},
    }
    return {**answer, "usage": usage}
