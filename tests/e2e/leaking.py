"""A careless FastAPI router: it puts secrets wherever telemetry might take them from."""

# LiteLLM has few types.
# pyright: reportPrivateImportUsage=false, reportUnknownMemberType=false

from __future__ import annotations

import logging
import os
from typing import Any

import httpx
from fastapi import FastAPI, Request
from litellm import Router
from opentelemetry import baggage, context, metrics, trace
from opentelemetry.trace import Link

app = FastAPI()
logger = logging.getLogger("careless")
tracer = trace.get_tracer("careless")
calls = metrics.get_meter("careless").create_counter("careless.calls")
times = metrics.get_meter("careless").create_histogram("careless.times")
router = Router(
    model_list=[
        {
            "model_name": "gpt",
            "litellm_params": {
                "model": "openai/gpt-4o-mini",
                "api_base": os.environ["UPSTREAM"],
                "api_key": "unused-but-needed",
            },
        }
    ],
    num_retries=0,
)


@app.get("/ok")
async def ok() -> str:
    return "ok"


@app.post("/raise")
async def fail(request: Request) -> None:
    secret = await _secret(request)
    raise RuntimeError(f"upstream refused {secret} for {{'api_key': '{secret}'}}")


@app.post("/log")
async def log(request: Request) -> str:
    secret = await _secret(request)
    logger.warning("refused: %s", secret, extra={"used": secret, "password": secret, "nested": {"deep": [secret]}})
    try:
        int(secret)
    except ValueError:
        logger.exception("it failed with Authorization: Bearer %s", secret)
    return "ok"


@app.post("/span")
async def span(request: Request) -> str:
    secret = await _secret(request)
    link = Link(trace.get_current_span().get_span_context(), {"linked": secret})
    with tracer.start_as_current_span(f"call with {secret}", links=[link]) as current:
        current.set_attribute("used", secret)
        current.set_attribute("list", ["a", secret])
        current.set_attribute("http.request.header.authorization", [f"Bearer {secret}"])
        current.set_attribute("url.full", f"https://me:{secret}@example.com/v1?api_key={secret}&model=gpt")
        current.set_attribute("http.target", f"/v1?sig={secret}")
        current.add_event(f"event of {secret}", {"used": secret, "count": 1})
        current.record_exception(RuntimeError(secret))
        current.set_status(trace.StatusCode.ERROR, f"failed with {secret}")
    return "ok"


@app.post("/baggage")
async def with_baggage(request: Request) -> str:
    secret = await _secret(request)
    attached = context.attach(baggage.set_baggage("api_key", secret))
    try:
        with tracer.start_as_current_span("with baggage") as current:
            for key, value in baggage.get_all().items():
                current.set_attribute(f"baggage.{key}", str(value))
                current.set_attribute(key, str(value))
    finally:
        context.detach(attached)
    return "ok"


@app.post("/measure")
async def measure(request: Request) -> str:
    secret = await _secret(request)
    calls.add(1, {"used": secret})
    times.record(0.5, {"used": secret, "password": secret})
    return "ok"


@app.post("/call")
async def call(request: Request) -> str:
    secret = await _secret(request)
    async with httpx.AsyncClient(auth=("me", secret)) as client:
        await client.post(
            f"{os.environ['UPSTREAM']}/chat/completions",
            params={"api_key": secret},
            headers={"x-api-key": secret, "cookie": f"session={secret}"},
            json={"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "hello"}]},
        )
    try:
        await router.acompletion(
            model="gpt",
            messages=[{"role": "user", "content": "hello"}],
            api_key=secret,
            extra_headers={"x-key": secret},
        )
    except Exception as error:  # noqa: BLE001  # whatever the upstream has said
        logger.warning("no answer: %s", error)
    return "ok"


async def _secret(request: Request) -> str:
    given: Any = await request.json()
    return str(given["secret"])
