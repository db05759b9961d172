"""A router that logs: with `logging`, with structlog, and what it should not."""

from __future__ import annotations

import logging

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from otel_llm_router import telemetry as router

logger = logging.getLogger("shop")
events = structlog.get_logger()


async def ask(request: Request) -> PlainTextResponse:
    number = int(request.path_params["number"])
    with router.request(model="smart"):
        logger.warning("asked %d\nwith sk-proj-a1B2c3D4e5F6a1B2c3D4e5F6", number)
        events.info("routed", number=number)
        if number % 10 == 9:
            raise HTTPException(502)
        with router.attempt("openai", "gpt-4o") as call:
            call.response({"model": "gpt-4o", "usage": {"prompt_tokens": 1, "completion_tokens": 3}})
    return PlainTextResponse("ok", headers={"X-Request-ID": str(number)})


app = Starlette(routes=[Route("/ask/{number}", ask)])
