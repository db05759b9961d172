"""Calls of an application that other instrumentations see too: ``python calls.py UPSTREAM [PEER]...``, JSON on stdout.

LiteLLM and the SDK of OpenAI are imported once; each peer then has a process of its own, forked from this one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")

import aiohttp  # noqa: E402
import httpx  # noqa: E402
import openai  # noqa: E402
import requests  # noqa: E402
from opentelemetry import metrics, trace  # noqa: E402

from otel_llm_router import telemetry, testing  # noqa: E402
from otel_llm_router.instrumentation.litellm import LiteLLMInstrumentor  # noqa: E402
from otel_llm_router.instrumentation.wire import WireInstrumentor  # noqa: E402

# By name: its types say little.
litellm: Any = import_module("litellm")
logging_worker: Any = import_module("litellm.litellm_core_utils.logging_worker").GLOBAL_LOGGING_WORKER

PEERS: Mapping[str, tuple[str, str]] = {
    "genai": ("opentelemetry.instrumentation.genai.openai", "OpenAIInstrumentor"),
    "openai-v2": ("opentelemetry.instrumentation.openai_v2", "OpenAIInstrumentor"),
    "openllmetry": ("opentelemetry.instrumentation.openai", "OpenAIInstrumentor"),
    "openinference": ("openinference.instrumentation.openai", "OpenAIInstrumentor"),
    "openinference-litellm": ("openinference.instrumentation.litellm", "LiteLLMInstrumentor"),
    "httpx": ("opentelemetry.instrumentation.httpx", "HTTPXClientInstrumentor"),
    "aiohttp": ("opentelemetry.instrumentation.aiohttp_client", "AioHttpClientInstrumentor"),
    "requests": ("opentelemetry.instrumentation.requests", "RequestsInstrumentor"),
}
"""Where each is: module and class."""

OPENAI_V2 = Path(sys.prefix) / "openai-v2"
"""OpenTelemetry's former instrumentation, beside the environment: the new one wants another version of what both use."""

CALLBACKS = ("otel", "prometheus")
"""Peers that are callbacks of LiteLLM's."""

ASK: dict[str, Any] = {
    "model": "gpt-4o",
    "messages": [{"role": "user", "content": json.dumps({"upstreams": {"alpha": [{}]}})}],
}
STREAM: dict[str, Any] = {**ASK, "stream": True, "stream_options": {"include_usage": True}}


async def sdk(base: str) -> None:
    """Call with the SDK of OpenAI, which uses httpx."""
    async with openai.AsyncOpenAI(base_url=f"{base}/v1", api_key="sk-secret") as client:
        await client.chat.completions.create(**ASK)


async def sdk_stream(base: str) -> None:
    """The same, streamed."""
    async with openai.AsyncOpenAI(base_url=f"{base}/v1", api_key="sk-secret") as client:
        completions: Any = client.chat.completions
        async for _ in await completions.create(**STREAM):
            pass


async def sdk_sync(base: str) -> None:
    """The same, from a synchronous client."""

    def call() -> None:
        with openai.OpenAI(base_url=f"{base}/v1", api_key="sk-secret") as client:
            client.chat.completions.create(**ASK)

    await asyncio.to_thread(call)


def router(base: str) -> Any:
    """Make a Router of LiteLLM's with one deployment."""
    params = {"model": "openai/gpt-4o", "api_base": f"{base}/v1", "api_key": "sk-secret"}
    return litellm.Router(model_list=[{"model_name": "smart", "litellm_params": params}], num_retries=0)


async def router_call(base: str) -> None:
    """Call with LiteLLM's Router."""
    await router(base).acompletion("smart", ASK["messages"])


async def router_stream(base: str) -> None:
    """The same, streamed."""
    found: Any = await router(base).acompletion(
        "smart", ASK["messages"], stream=True, stream_options=STREAM["stream_options"]
    )
    async for _ in found:
        pass


async def bare_aiohttp(base: str) -> None:
    """Call with aiohttp alone."""
    async with aiohttp.ClientSession() as session, session.post(f"{base}/v1/chat/completions", json=ASK) as response:
        await response.read()


async def bare_requests(base: str) -> None:
    """Call with requests alone."""
    await asyncio.to_thread(requests.post, f"{base}/v1/chat/completions", json=ASK, timeout=30)


async def bare_httpx(base: str) -> None:
    """Call with httpx alone."""
    async with httpx.AsyncClient() as client:
        await client.post(f"{base}/v1/chat/completions", json=ASK)


CALLS: Mapping[str, Callable[[str], Any]] = {
    one.__name__: one
    for one in (sdk, sdk_stream, sdk_sync, router_call, router_stream, bare_aiohttp, bare_requests, bare_httpx)
}


class Listening(logging.Handler):
    """Keeps what our logger says."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def switched_on(peer: str) -> None:
    """Switch a peer on as its documentation says."""
    if peer in CALLBACKS:
        litellm.callbacks = [peer]
    elif peer != "none":
        module, name = PEERS[peer]
        if peer == "openai-v2":
            sys.path.insert(0, str(OPENAI_V2))
        getattr(import_module(module), name)().instrument()


async def seen(base: str, captured: testing.Captured, names: list[str]) -> dict[str, Any]:
    """Make the calls, and return what was recorded of each."""
    found: dict[str, Any] = {}
    for name in names:
        before = _counts(captured)
        spans = len(captured.spans())
        async with httpx.AsyncClient() as client:
            first = (await client.get(f"{base}/headers")).json()
            await CALLS[name](base)
            await logging_worker.flush()  # LiteLLM's callbacks are called after the answer
            last = (await client.get(f"{base}/headers")).json()
        after = _counts(captured)
        found[name] = {
            "spans": [_span(span) for span in captured.spans()[spans:]],
            "counts": {key: value - before.get(key, 0) for key, value in after.items() if value != before.get(key, 0)},
            "headers": last[len(first) :],
        }
    return found


def _span(span: Any) -> dict[str, Any]:
    attributes: dict[str, Any] = dict(span.attributes or {})
    return {
        "name": span.name,
        "scope": span.instrumentation_scope.name,
        "kind": span.kind.name,
        "id": f"{span.context.span_id:016x}",
        "trace": f"{span.context.trace_id:032x}",
        "parent": f"{span.parent.span_id:016x}" if span.parent is not None else None,
        "attributes": {name: value for name, value in attributes.items() if isinstance(value, (str, int, float, bool))},
    }


def _counts(captured: testing.Captured) -> dict[str, float]:
    """Return counts of what must not be counted twice, by metric and scope."""
    counts = {
        name: captured.value(f"llm_router.{name}") for name in ("inference", "attempts", "tokens", "usage.missing")
    }
    for name in ("gen_ai.client.token.usage", "gen_ai.client.operation.duration"):
        counts[name] = captured.count(name)
    counts["degraded"] = captured.value("llm_router.instrumentation.degraded")
    counts["guard"] = captured.value("llm_router.telemetry.guard.errors")
    return counts


def one(peer: str, base: str, names: list[str], rule: str) -> dict[str, Any]:
    """Be the application under one peer."""
    listening = Listening()
    logging.getLogger("otel_llm_router").addHandler(listening)
    with testing.capture(fast_path=True) as captured:
        telemetry.default.foreign = "own" if rule == "own" else "defer"
        trace.set_tracer_provider(captured.tracer_provider)
        metrics.set_meter_provider(captured.meter_provider)
        WireInstrumentor().instrument(skip_dep_check=True)
        LiteLLMInstrumentor().instrument(skip_dep_check=True)
        switched_on(peer)
        found = asyncio.run(seen(base, captured, names))
    return {"calls": found, "said": listening.said}


def main(base: str, *wanted: str) -> None:
    """Answer with JSON: what each peer's process has seen.

    Args:
        base: Where the upstream is.
        wanted: ``PEER[:RULE[:CALL+CALL]]``.
    """
    found: dict[str, Any] = {}
    for each in wanted:
        peer, _, rest = each.partition(":")
        rule, _, names = rest.partition(":")
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.dup2(2, 1)
            try:
                answer = one(peer, base, names.split("+") if names else list(CALLS), rule or "defer")
            except BaseException:  # noqa: BLE001
                answer = {"failed": traceback.format_exc()}
            with os.fdopen(write, "w") as out:
                json.dump(answer, out)
            os._exit(0)
        os.close(write)
        with os.fdopen(read) as answers:
            found[each] = json.loads(answers.read() or "{}")
        os.waitpid(child, 0)
    print(json.dumps(found))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
