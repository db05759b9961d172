"""Mixed traffic against the gateway, and the clients' own record of it.

Room: `cli`. A seed decides what each request asks for; what came back is written down as the client
saw it.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from otel_llm_router.cli.demo._upstream import chance

CONCURRENCY: Final = 12
PAUSE: Final = 0.02
"""Mean seconds a client pauses between requests."""

_KINDS: Final = (
    *["plain"] * 8,
    *["stream"] * 4,
    *["stream without usage"] * 2,
    *["abandoned stream"] * 1,
    *["repeat"] * 3,
    *["all of smart fails"] * 1,
    *["embedding"] * 1,
)


@dataclass
class Clients:
    """What the clients saw.

    Args:
        seed: Decides every request.
        base: Base URL of the gateway.
    """

    seed: int
    base: str
    record: Counter[str] = field(default_factory=Counter[str])

    async def run(self, *, seconds: float | None, number: int | None, stop: asyncio.Event) -> None:
        """Send requests for ``seconds``, or until ``number`` of them are done, or ``stop`` is set."""
        deadline = time.monotonic() + seconds if seconds is not None else None
        counter = iter(range(number if number is not None else 10**9))

        async def client(http: httpx.AsyncClient) -> None:
            for index in counter:
                if stop.is_set() or (deadline is not None and time.monotonic() > deadline):
                    return
                await self._one(http, index)
                await asyncio.sleep(chance(self.seed, "pause", index).expovariate(1 / PAUSE))

        limits = httpx.Limits(max_connections=CONCURRENCY * 2)
        async with httpx.AsyncClient(base_url=self.base, timeout=60, limits=limits) as http:
            await asyncio.gather(*(client(http) for _ in range(CONCURRENCY)))

    async def _one(self, http: httpx.AsyncClient, index: int) -> None:
        pick = chance(self.seed, "request", index)
        kind = pick.choice(_KINDS)
        self.record["requests"] += 1
        try:
            if kind == "embedding":
                await self._embedding(http, index)
            elif kind in {"stream", "stream without usage", "abandoned stream"}:
                await self._stream(http, kind, self._body(kind, index))
            else:
                await self._plain(http, self._body(kind, pick.randrange(6) if kind == "repeat" else index))
        except httpx.HTTPError:
            self.record["errors"] += 1  # the gateway broke the answer off

    def _body(self, kind: str, index: int) -> dict[str, Any]:
        content: dict[str, Any] = {"id": f"{self.seed}-{kind}-{index}"}
        if kind == "abandoned stream":
            # Long enough that on a busy machine too it is given up before its end.
            slow = [{"completion_tokens": 200, "chunk_latency": 0.05}]
            content["upstreams"] = dict.fromkeys(("alpha", "beta", "gamma"), slow)
        if kind == "all of smart fails":
            failing = [{"status": 503, "latency": 0.01}]
            content["upstreams"] = {"alpha": failing, "beta": failing}
        if kind == "repeat":
            steady = [{"latency": 0.01, "prompt_tokens": 20, "completion_tokens": 12}]
            content["upstreams"] = dict.fromkeys(("alpha", "beta", "gamma"), steady)
        return {"model": "smart", "messages": [{"role": "user", "content": json.dumps(content)}]}

    async def _plain(self, http: httpx.AsyncClient, body: dict[str, Any]) -> None:
        answer = await http.post("/v1/chat/completions", json=body)
        if answer.status_code != 200:  # noqa: PLR2004  # the status of success
            self.record["errors"] += 1
            return
        self.record["successes"] += 1
        if answer.headers.get("x-cached") == "true":
            self.record["cached"] += 1

    async def _embedding(self, http: httpx.AsyncClient, index: int) -> None:
        answer = await http.post("/v1/embeddings", json={"model": "embed", "input": [f"{self.seed} {index}"]})
        self.record["successes" if answer.status_code == 200 else "errors"] += 1  # noqa: PLR2004

    async def _stream(self, http: httpx.AsyncClient, kind: str, body: dict[str, Any]) -> None:
        body["stream"] = True
        if kind == "stream":
            body["stream_options"] = {"include_usage": True}
        chunks = 0
        async with http.stream("POST", "/v1/chat/completions", json=body) as answer:
            if answer.status_code != 200:  # noqa: PLR2004
                self.record["errors"] += 1
                return
            async for line in answer.aiter_lines():
                chunks += line.startswith("data: {")
                if kind == "abandoned stream" and chunks == 3:  # noqa: PLR2004  # early in a stream of 200
                    self.record["abandoned"] += 1
                    return
                if line == "data: [DONE]":
                    self.record["successes"] += 1
                    return
        self.record["errors"] += 1  # it ended without its end
