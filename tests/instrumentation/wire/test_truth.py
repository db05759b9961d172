"""A router that nobody has heard of, under load: what is exported is what clients sent and upstreams served."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import httpx
import openai
import pytest
import requests

from otel_llm_router import telemetry as router
from otel_llm_router import testing

_ids = itertools.count()


async def by_httpx(url: str, body: Any) -> AsyncIterator[bytes]:
    async with httpx.AsyncClient(verify=False, timeout=60) as client, client.stream("POST", url, json=body) as response:
        response.raise_for_status()
        async for piece in response.aiter_bytes():
            yield piece


async def by_aiohttp(url: str, body: Any) -> AsyncIterator[bytes]:
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
        response.raise_for_status()
        async for piece in response.content.iter_any():
            yield piece


async def by_requests(url: str, body: Any) -> AsyncIterator[bytes]:
    def call() -> requests.Response:
        return requests.post(url, json=body, stream=True, timeout=60)

    with await asyncio.to_thread(call) as response:
        response.raise_for_status()
        pieces = response.iter_content(None)
        while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
            yield piece


async def by_openai(url: str, body: Any) -> AsyncIterator[bytes]:
    base = url.removesuffix("/chat/completions")
    async with openai.AsyncOpenAI(base_url=base, api_key="sk-secret", max_retries=0, timeout=60) as client:
        completions: Any = client.chat.completions
        answer: Any = await completions.create(**body)
        if not body.get("stream"):
            yield b"whole"
            return
        async with answer:
            async for _ in answer:
                yield b"piece"


WAYS: list[Any] = [by_httpx, by_aiohttp, by_requests, by_openai]


class Clients:
    """What sends the traffic, and its own count of it.

    Args:
        url: Where to.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._chance = random.Random(7)
        self.sent: Counter[str] = Counter()

    def plan(self) -> tuple[dict[str, Any], bool]:
        """Return what to ask for, and whether to leave before the end."""
        chance = self._chance
        fault = chance.choice([{}, {}, {}, {}, {"status": 500}, {"status": 429, "retry_after": 1}, {"cut_after": 2}])
        stream = "cut_after" in fault or chance.random() < 0.6
        leave = stream and not fault and chance.random() < 0.25
        plan = {
            "prompt_tokens": chance.randint(1, 99),
            "completion_tokens": chance.randint(3, 9),
            "chunk_latency": 0.001,
        }
        if leave:  # long enough for the upstream to notice
            plan |= {"completion_tokens": 5000, "chunk_latency": 0.01}
        content = json.dumps({"id": f"truth {next(_ids)}", "upstreams": {"alpha": [{**plan, **fault}, plan]}})
        body: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": content}]}
        return (body | {"stream": True, "stream_options": {"include_usage": True}} if stream else body), leave

    async def ask(self, number: int) -> None:
        """Make one request to the router, which tries again once."""
        body, leave = self.plan()
        with router.request("smart") as request:
            ended = await self._call(WAYS[number % len(WAYS)], body, leave=leave)
            if ended == "error":
                ended = await self._call(WAYS[number % len(WAYS)], body, leave=False)
            if ended == "aborted":
                request.end("aborted", "client_disconnect")
        self.sent[ended] += 1

    async def _call(self, way: Any, body: Any, *, leave: bool) -> str:
        self.sent["attempts"] += 1
        pieces = way(self._url, body)
        try:
            async for _ in pieces:
                if leave:
                    return "aborted"
        except Exception:  # noqa: BLE001  # whatever the client raises
            return "error"
        finally:
            await pieces.aclose()
        return "success"


@pytest.mark.parametrize("captured", [True], indirect=True, ids=["fast"])
async def test_64_at_a_time_with_streams_aborts_retries_and_failures(
    providers: dict[str, Any], captured: testing.Captured, eventually: Callable[..., Any]
) -> None:
    clients, limit = Clients(f"{providers['alpha'].base}/v1/chat/completions"), asyncio.Semaphore(64)

    async def one(number: int) -> None:
        async with limit:
            await clients.ask(number)

    await asyncio.gather(*(one(number) for number in range(160)))
    sent = clients.sent
    served = providers["alpha"].record
    assert await eventually(lambda: served["attempts"] == served["successes"] + served["errors"] + served["aborts"])
    assert served["attempts"] == served["traceparents"] == sent["attempts"] == captured.value("llm_router.attempts")
    assert captured.value("llm_router.attempts", status="success") == served["successes"]
    assert captured.value("llm_router.attempts", status="error") == served["errors"] > 0
    assert captured.value("llm_router.attempts", status="aborted") == served["aborts"] == sent["aborted"] > 0
    assert captured.value("llm_router.attempts", error_type="rate_limit") == served["errors.429"]
    assert captured.value("llm_router.attempts", error_type="server_error") == served["errors.500"]
    assert captured.value("llm_router.attempts", error_type="stream_interrupted") == served["errors.cut"]
    for kind in ("input", "output", "cache_read", "reasoning"):
        assert captured.value("llm_router.tokens", type=kind, source="reported") == served[f"tokens.{kind}"]
    assert captured.value("llm_router.inference", status="success") == sent["success"]
    assert captured.value("llm_router.inference", status="aborted") == sent["aborted"]
    assert captured.value("llm_router.inference") == 160
    assert captured.value("llm_router.retries") == served["errors"]
    assert len(captured.spans("chat gpt-4o")) == served["attempts"]
    assert captured.value("llm_router.attempts.in_flight") == captured.value("llm_router.requests.in_flight") == 0
