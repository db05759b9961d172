"""Routers that nobody has heard of under ``opentelemetry-instrument``: no code changed, and the numbers are true."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from otel_llm_router.cli.demo._receiver import Receiver
from running import Application

CONCURRENCY = 64
PREFIXES = {"fastapi": "aaaa", "starlette": "bbbb"}
PATHS = {"fastapi": "/v1/chat/completions", "starlette": "/ask/red"}
OK = {"prompt_tokens": 11, "completion_tokens": 7, "cached_tokens": 3, "reasoning_tokens": 2}
SLOW = {"completion_tokens": 500, "chunk_latency": 0.02}


@dataclass
class Running:
    """A router in front of two upstreams, and what it has counted since the test began."""

    name: str
    application: Application
    providers: Any
    clients: Counter[str] = field(default_factory=Counter[str])

    def __post_init__(self) -> None:
        self._before = self.application.scrape()
        self.path = PATHS[self.name]

    def sum(self, name: str, **labels: str) -> float:
        return self.application.scrape().sum(name, **labels) - self._before.sum(name, **labels)

    @property
    def upstreams(self) -> Counter[str]:
        return self.providers["alpha"].record + self.providers["beta"].record

    async def ask(self, http: httpx.AsyncClient, number: int, kind: str, plans: dict[str, Any]) -> None:
        """Send one request, and write down what came of it."""
        content = json.dumps({"id": f"{self.name} {kind} {number}", "upstreams": plans})
        body: dict[str, Any] = {"model": "auto", "messages": [{"role": "user", "content": content}]}
        streamed = "stream" in kind
        if streamed:
            body["stream"] = True
        async with http.stream("POST", self.path, json=body) as answer:
            if answer.status_code != 200:
                self.clients["error"] += 1
                return
            text = ""
            async for part in answer.aiter_text():
                text += part
                if "abandoned" in kind and text.count("data:") > 2:
                    self.clients["aborted"] += 1
                    return
        good = text.endswith("data: [DONE]\n\n") if streamed else '"choices"' in text
        self.clients["success" if good else "error"] += 1


@pytest.fixture(scope="module")
def otlp() -> Any:
    receiver = Receiver()
    endpoint = receiver.start()
    yield receiver, endpoint
    receiver.stop()


@pytest.fixture(scope="module")
def _routers(lasting_application: Any, _providers: Any, otlp: Any) -> dict[str, Application]:
    def start(name: str) -> Application:
        return lasting_application(
            "unknown_routers",
            variables={
                "ROUTER": name,
                "OTEL_SERVICE_NAME": name,
                "OTEL_LOGS_EXPORTER": "none",
                "OTEL_METRICS_EXPORTER": "prometheus",
                "OTEL_TRACES_EXPORTER": "otlp",
                "OTEL_BSP_SCHEDULE_DELAY": "200",
                "OTEL_EXPORTER_OTLP_ENDPOINT": otlp[1],
                "ALPHA": _providers["alpha"].base,
                "BETA": _providers["beta"].base,
            },
        )

    return {name: start(name) for name in PATHS}


@pytest.fixture(params=sorted(PATHS))
def running(request: pytest.FixtureRequest, _routers: dict[str, Application], providers: Any) -> Running:
    return Running(request.param, _routers[request.param], providers)


WORK: list[tuple[int, str, dict[str, Any]]] = [
    (60, "plain", {"alpha": [OK]}),
    (40, "stream", {"alpha": [OK]}),
    (20, "retried", {"alpha": [{"status": 500}, OK]}),
    (20, "fallen back", {"alpha": [{"status": 429}], "beta": [OK]}),
    (20, "retried stream", {"alpha": [{"status": 503}, OK]}),
    (20, "fallen back stream", {"alpha": [{"status": 503}], "beta": [OK]}),
    (10, "all down", {"alpha": [{"status": 500}], "beta": [{"status": 503}]}),
    (10, "all down stream", {"alpha": [{"status": 500}], "beta": [{"status": 503}]}),
    (10, "cut stream", {"alpha": [{**OK, "cut_after": 3}]}),
    (10, "without usage", {"alpha": [{**OK, "usage": None}]}),
    (10, "absurd usage", {"alpha": [{**OK, "usage": {"prompt_tokens": -5, "completion_tokens": 1e40}}]}),
    (20, "abandoned stream", {"alpha": [SLOW]}),
]


async def test_what_is_exported_is_what_was_served(running: Running, eventually: Callable[..., Any]) -> None:
    limit = asyncio.Semaphore(CONCURRENCY)
    limits = httpx.Limits(max_connections=CONCURRENCY)
    async with httpx.AsyncClient(base_url=running.application.base, timeout=60, limits=limits) as http:

        async def one(number: int, kind: str, plans: dict[str, Any]) -> None:
            async with limit:
                await running.ask(http, number, kind, plans)

        # Kinds side by side, not one after another.
        calls = sorted((number, kind, json.dumps(plans)) for times, kind, plans in WORK for number in range(times))
        await asyncio.gather(*(one(number, kind, json.loads(plans)) for number, kind, plans in calls))
    clients, total = running.clients, sum(times for times, _, _ in WORK)
    assert clients == {"success": 200, "error": 30, "aborted": 20}
    assert await eventually(lambda: running.sum("llm_router_inference_total") == total)
    assert await eventually(lambda: running.upstreams["aborts"] == 20)
    upstreams, total_of = running.upstreams, running.sum
    for status, number in clients.items():
        assert total_of("llm_router_inference_total", status=status) == number, status
    assert await eventually(lambda: total_of("llm_router_attempts_total") == upstreams["attempts"])
    for name, model in (("alpha", "small"), ("beta", "large")):
        record = running.providers[name].record
        assert total_of("llm_router_attempts_total", model=model) == record["attempts"], name
        assert total_of("llm_router_attempts_total", model=model, status="error") == record["errors"], name
        assert total_of("llm_router_attempts_total", model=model, status="success") == record["successes"], name
        for kind in ("input", "output", "cache_read", "reasoning"):
            found = total_of("llm_router_tokens_total", model=model, type=kind, source="reported")
            assert found == record[f"tokens.{kind}"], (name, kind)
    assert total_of("llm_router_attempts_total", status="aborted") == upstreams["aborts"] == clients["aborted"]
    assert total_of("llm_router_attempts_total", error_type="rate_limit") == upstreams["errors.429"] == 40
    assert total_of("llm_router_attempts_total", error_type="stream_interrupted") == upstreams["errors.cut"] == 10
    server_errors = upstreams["errors.500"] + upstreams["errors.503"]
    assert total_of("llm_router_attempts_total", error_type="server_error") == server_errors == 20 + 20 + 40 + 60
    # 20 + 20 came through by a retry; 20 + 20 + 10 + 10 were tried twice, and fell back.
    assert total_of("llm_router_retries_total", model="auto") == 40 + 60
    assert total_of("llm_router_fallbacks_total", from_model="small", to_model="large") == 60
    assert total_of("llm_router_usage_missing_total") == upstreams["usage_missing"] + 10 + 20
    assert total_of("llm_router_errors_total", component="router", type="stream_interrupted") == 10
    assert total_of("llm_router_errors_total", component="router", type="server_error") == 20
    assert total_of("llm_router_stream_aborts_total", side="client", phase="mid_stream") == 20
    reported = total_of("llm_router_tokens_total", type="output", source="reported")
    estimated = total_of("llm_router_tokens_total", type="output", source="estimated")
    assert reported == upstreams["tokens.output"] == 180 * 7
    assert total_of("llm_router_tokens_generated_total") == reported + estimated
    # A first token for each stream that had one: 100 to the end, 10 cut, 20 abandoned.
    assert total_of("llm_router_time_to_first_token_seconds_count") == 80 + 10 + 20
    assert total_of("llm_router_http_requests_total") == total
    for level in ("requests_in_flight", "attempts_in_flight", "active_connections"):
        assert await eventually(lambda level=level: total_of(f"llm_router_{level}") == 0), level
    assert total_of("llm_router_telemetry_guard_errors_total") == 0


async def test_bad_input_passes_and_is_counted(running: Running, eventually: Callable[..., Any]) -> None:
    good = json.dumps({"id": f"large {running.name}", "upstreams": {"alpha": [OK]}})
    filler = {"role": "user", "content": "x" * 50_000_000}
    large = {"model": "auto", "messages": [filler, {"role": "user", "content": good}]}
    sent: list[tuple[bytes, str, int]] = [
        (b"no JSON", "application/json", 400),
        (b'{"model": "auto", "messages": ', "application/json", 400),
        (b'{"model": "\xff\xfe", "messages": []}', "application/json", 400),
        (b"[" * 50_000, "text/plain", 400),
        (b'{"model": "auto"}', "application/json", 422),
        (json.dumps({"model": "forbidden", "messages": []}).encode(), "text/plain", 403),
        (json.dumps(large).encode(), "application/octet-stream", 200),
    ]
    async with httpx.AsyncClient(base_url=running.application.base, timeout=60) as http:
        for content, kind, status in sent:
            answer = await http.post(running.path, content=content, headers={"content-type": kind})
            assert answer.status_code == status
        assert (await http.get("/metrics")).status_code == (404 if running.name == "fastapi" else 200)
        assert (await http.get("/health")).status_code == (404 if running.name == "fastapi" else 200)
        assert (await http.post("/nowhere/v1/embeddings", json={})).status_code == 404
    assert await eventually(lambda: running.sum("llm_router_http_requests_total") == len(sent) + 1)
    total_of = running.sum
    # By its path everything is asked of a router; by its body, what says model and messages.
    bad = 6 if running.name == "fastapi" else 1
    assert total_of("llm_router_inference_total", status="error") == bad
    assert total_of("llm_router_errors_total", component="client", type="permission") == 1
    assert total_of("llm_router_errors_total", component="client") == bad
    assert total_of("llm_router_inference_total", status="success", model="small") == 1
    assert total_of("llm_router_attempts_total") == running.upstreams["attempts"] == 1
    assert total_of("llm_router_requests_in_flight") == 0
    assert total_of("llm_router_telemetry_guard_errors_total") == 0


async def test_spans_under_the_callers_trace(running: Running, otlp: Any, eventually: Callable[..., Any]) -> None:
    """One SERVER span, one of the request, one of each attempt: also after a large body on the same connection."""
    receiver = otlp[0]
    traces = {f"{PREFIXES[running.name]}{number:028x}" for number in range(1, 6)}
    async with httpx.AsyncClient(base_url=running.application.base, timeout=60) as http:
        for trace in sorted(traces):
            content = json.dumps({"id": trace, "upstreams": {"alpha": [OK]}})
            messages = [{"role": "user", "content": "x" * 100_000}, {"role": "user", "content": content}]
            headers = {"traceparent": f"00-{trace}-b7ad6b7169203331-01"}
            answer = await http.post(running.path, json={"model": "auto", "messages": messages}, headers=headers)
            assert answer.status_code == 200

    def found() -> list[Any]:
        return [span for span in list(receiver.kept_spans) if span.trace_id.hex() in traces]

    assert await eventually(lambda: len(found()) >= 3 * len(traces))
    names = Counter(span.name for span in found())
    path = "/v1/chat/completions" if running.name == "fastapi" else "/ask/{team}"
    assert names == {f"POST {path}": 5, "route auto": 5, "chat small": 5}
    for trace in traces:
        spans = {span.name: span for span in found() if span.trace_id.hex() == trace}
        server = spans[f"POST {path}"]
        assert server.parent_span_id.hex() == "b7ad6b7169203331"
        assert spans["route auto"].parent_span_id == server.span_id
        assert spans["chat small"].parent_span_id == spans["route auto"].span_id
    assert running.providers["alpha"].record["traceparents"] == len(traces)
