"""The gateway of the demonstration: a FastAPI application on ``litellm.Router``.

Room: `cli`. An ordinary application that knows nothing of us: three deployments, retries, a fallback
group, cool-downs and a cache. It is started under ``opentelemetry-instrument``.
"""

# LiteLLM's types are partial, and it exports by name what a type checker does not see.
# pyright: reportPrivateImportUsage=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Any

import litellm
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from litellm import Router

upstreams: dict[str, str] = json.loads(os.environ.get("DEMO_UPSTREAMS", "{}"))
"""Base URL of each upstream, by name."""

litellm.suppress_debug_info = True
# The transport of LiteLLM 1.80 (not that of 1.106) takes a stream that was cut for a complete one, and reads on a
# stream that nobody listens to: with it no telemetry can agree with what the upstreams wrote down.
litellm.disable_aiohttp_transport = tuple(map(int, version("litellm").split(".")[:2])) < (1, 106)
litellm.cache = litellm.Cache(type="local")  # pyright: ignore[reportArgumentType]  # LiteLLM takes the word


def deployment(group: str, model: str, upstream: str) -> dict[str, Any]:
    """Return one entry of the Router's model list."""
    params = {
        "model": f"openai/{model}",
        "api_base": f"{upstreams.get(upstream, '')}/v1",
        "api_key": "sk-demonstration",
    }
    return {"model_name": group, "litellm_params": params, "model_info": {"id": upstream}}


router = Router(
    model_list=[
        deployment("smart", "gpt-4o-mini", "alpha"),
        deployment("smart", "gpt-4o", "beta"),
        deployment("backup", "gpt-4.1-mini", "gamma"),
        {
            **deployment("embed", "text-embedding-3-small", "gamma"),
            "model_info": {"id": "gamma-embed"},
        },
    ],
    fallbacks=[{"smart": ["backup"]}],
    num_retries=2,
    retry_after=0,
    allowed_fails=8,
    cooldown_time=0.5,
    cache_responses=True,
    routing_strategy="simple-shuffle",
)

app = FastAPI()


@app.post("/v1/chat/completions")
async def chat(request: Request) -> Response:
    """Answer a chat completion, streamed or not."""
    body = await request.json()
    try:
        answer: Any = await router.acompletion(**body)
    except Exception as error:  # noqa: BLE001  # any failure of any provider
        status = getattr(error, "status_code", 500)
        return JSONResponse({"error": {"type": type(error).__name__}}, status_code=int(status or 500))
    if body.get("stream"):
        return StreamingResponse(events(answer), media_type="text/event-stream")
    cached = bool(answer._hidden_params.get("cache_hit"))  # noqa: SLF001  # where LiteLLM says so
    return Response(answer.model_dump_json(), media_type="application/json", headers={"x-cached": str(cached).lower()})


async def events(stream: AsyncIterator[Any]) -> AsyncIterator[str]:
    """Pass a stream on as server-sent events."""
    async for chunk in stream:
        yield f"data: {chunk.model_dump_json(exclude_none=True)}\n\n"
    yield "data: [DONE]\n\n"


@app.post("/v1/embeddings")
async def embeddings(request: Request) -> Response:
    """Answer an embedding."""
    body = await request.json()
    try:
        answer: Any = await router.aembedding(**body)
    except Exception as error:  # noqa: BLE001
        return JSONResponse({"error": {"type": type(error).__name__}}, status_code=500)
    return Response(answer.model_dump_json(), media_type="application/json")
