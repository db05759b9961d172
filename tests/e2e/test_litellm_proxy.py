"""A LiteLLM proxy started by ``otel-llm-router run``: no code changed, and the numbers are true."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import json
from collections.abc import Callable, Generator
from typing import Any

import httpx
import pytest

import litellm_proxy
from otel_llm_router.cli.demo._receiver import Receiver

Eventually = Callable[..., Any]

RED, BLUE = "sk-red-1", "sk-blue-1"
OK = {"prompt_tokens": 11, "completion_tokens": 7, "cached_tokens": 3}
SLOW = {"completion_tokens": 500, "chunk_latency": 0.05}
_numbers = itertools.count()


def asks(
    model: str, *, key: str = RED, stream: bool = False, say: str = "", **plans: Any
) -> tuple[str, dict[str, Any]]:
    """A key, and a chat request that nobody made before, whose message tells the upstreams how to answer."""
    content = json.dumps({"id": say or next(_numbers), "upstreams": plans})
    return key, {"model": model, "messages": [{"role": "user", "content": content}], "stream": stream}


class Running:
    """The proxy in front of three upstreams, and what it has counted since the test began."""

    def __init__(self, application: Any, receiver: Receiver) -> None:
        self.base = application.base
        self._metrics = application.metrics
        self.receiver = receiver
        self.scrape = application.scrape
        self._before = self.scrape()

    def text(self) -> str:
        return httpx.get(self._metrics).text

    def sum(self, name: str, **labels: Any) -> float:
        return self.scrape().sum(name, **labels) - self._before.sum(name, **labels)


@pytest.fixture(scope="module")
def _proxy(_providers: Any, tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[Any, Receiver]]:
    directory, receiver = tmp_path_factory.mktemp("proxy"), Receiver()
    bases = {name: provider.base for name, provider in _providers.items()}
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.start(), "OTEL_BSP_SCHEDULE_DELAY": "200"}
    with litellm_proxy.redis() as port:
        config = litellm_proxy.write(directory, bases, port)
        with litellm_proxy.proxy(directory, config, **variables) as application:
            yield application, receiver
    receiver.stop()


@pytest.fixture
def running(_proxy: tuple[Any, Receiver], providers: Any) -> Running:
    return Running(*_proxy)


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"} if key else {}


async def _all(running: Running, asked: list[tuple[str, dict[str, Any]]]) -> list[httpx.Response]:
    limit = asyncio.Semaphore(64)
    async with httpx.AsyncClient(base_url=running.base, timeout=120) as client:

        async def one(key: str, body: dict[str, Any]) -> httpx.Response:
            async with limit:
                return await client.post("/v1/chat/completions", json=body, headers=_headers(key))

        return await asyncio.gather(*(one(*each) for each in asked))


async def _leave(running: Running, key: str, body: dict[str, Any], *, after: int = 1) -> None:
    """Ask for a stream and go away after some of its chunks."""
    async with (
        httpx.AsyncClient(base_url=running.base, timeout=120) as client,
        client.stream("POST", "/v1/chat/completions", json=body, headers=_headers(key)) as response,
    ):
        assert response.status_code == 200
        seen = 0
        async for line in response.aiter_lines():
            seen += line.startswith("data:")
            if seen == after:
                return


def _hold_against(running: Running, name: str, record: Any) -> None:
    """Attempts, failures, aborts and tokens are what the upstream has in its own record."""
    model = f"{name}-model"
    assert running.sum("llm_router_attempts_total", model=model) == record["attempts"], name
    assert running.sum("llm_router_attempts_total", model=model, status="error") == record["errors"], name
    assert running.sum("llm_router_attempts_total", model=model, status="aborted") == record["aborts"], name
    for kind in ("input", "output", "cache_read"):
        found = running.sum("llm_router_tokens_total", model=model, type=kind, source="reported")
        assert found == record[f"tokens.{kind}"], (name, kind)
    assert record["traceparents"] == record["attempts"], name


async def test_what_is_exported_is_what_was_served(running: Running, providers: Any, eventually: Eventually) -> None:
    down, late = [{"status": 500}] * 3, [{"status": 503}] * 3
    asked = [
        *(asks("smart", alpha=[OK]) for _ in range(30)),
        *(asks("smart", alpha=[OK], stream=True, key=BLUE) for _ in range(20)),
        *(asks("smart", alpha=[{"status": 500}, OK]) for _ in range(10)),
        *(asks("lone", gamma=[{"status": 429}, OK], stream=True) for _ in range(5)),
        *(asks("smart", alpha=down, beta=[OK]) for _ in range(5)),
        *(asks("smart", alpha=late, beta=[OK], stream=True) for _ in range(5)),
        *(asks("lone", gamma=[{**OK, "usage": None}], stream=True) for _ in range(5)),
        *(asks("lone", gamma=[{**OK, "usage": None}]) for _ in range(3)),
    ]
    refused = [
        *(asks("smart", key="sk-nobody") for _ in range(4)),
        *(asks("smart", key="") for _ in range(2)),
        *(asks("smart", key="sk-guest-1") for _ in range(2)),
        *(asks("smart", key="sk-broke-1") for _ in range(3)),
        *(asks("no-such-model") for _ in range(3)),
    ]
    cut = [asks("lone", gamma=[{**OK, "cut_after": 2, "chunk_latency": 0.05}], stream=True) for _ in range(4)]
    failed = [asks("lone", gamma=[{"status": 400}]) for _ in range(3)]
    left = [asks("lone", gamma=[SLOW], stream=True) for _ in range(6)]
    leaving = asyncio.gather(*(_leave(running, key, body, after=3) for key, body in left))
    answers = await _all(running, asked + refused + cut + failed)
    await leaving
    assert {answer.status_code for answer in answers[: len(asked)]} == {200}
    statuses = [answer.status_code for answer in answers[len(asked) :]]
    assert statuses[:8] == [401] * 6 + [403] * 2
    assert set(statuses[8:14]) <= {400, 422, 429}  # releases differ in what they say of a budget
    assert await eventually(lambda: running.sum("llm_router_inference_total", status="aborted") == len(left))
    sent = len(asked) + len(refused) + len(cut) + len(failed) + len(left)
    records = {name: provider.record for name, provider in providers.items()}
    assert await eventually(lambda: records["gamma"]["aborts"] == len(left))
    for name, record in records.items():
        _hold_against(running, name, record)
    alpha, beta, gamma = records["alpha"], records["beta"], records["gamma"]
    assert (alpha["attempts"], beta["attempts"]) == (30 + 20 + 2 * 10 + 3 * 10, 10)
    # Where a busy machine reads the chunks and the cut at once, LiteLLM passes on no chunk.
    broken = {"stream_interrupted", "connection"}
    for kind, status in (("rate_limit", "429"), ("bad_request", "400"), (broken, "cut")):
        found = running.sum("llm_router_attempts_total", error_type=kind)
        assert found == alpha[f"errors.{status}"] + gamma[f"errors.{status}"] > 0, kind
    found = running.sum("llm_router_attempts_total", error_type="server_error")
    assert found == alpha["errors.500"] + alpha["errors.503"] > 0
    # What has no usage: the streams that reported none, and the ones that were left or broken off.
    interrupted = running.sum("llm_router_attempts_total", error_type="stream_interrupted")
    assert running.sum("llm_router_usage_missing_total") == gamma["usage_missing"] + len(left) + interrupted
    assert running.sum("llm_router_tokens_total", type="output", source="estimated") > 0
    # What clients sent, each once, and how it ended.
    assert running.sum("llm_router_inference_total") == sent
    assert running.sum("llm_router_inference_total", status="success") == len(asked)
    assert running.sum("llm_router_inference_total", status="error") == len(refused) + len(cut) + len(failed)
    assert running.sum("llm_router_retries_total") == 10 + 5 + 2 * 10
    assert running.sum("llm_router_fallbacks_total", from_model="smart", to_model="backup") == 10
    # The proxy's own refusals: errors of the router, and no attempt of anybody's.
    for kind, count in (("authentication", 6), ("permission", 2), ("budget_exceeded", 3), ("bad_request", 3 + 3)):
        assert running.sum("llm_router_errors_total", component="router", type=kind) == count, kind
    for reason, count in (("invalid", 4), ("missing", 2), ("forbidden", 2)):
        assert running.sum("llm_router_auth_failures_total", reason=reason) == count, reason
    assert running.sum("llm_router_requests_in_flight") == running.sum("llm_router_attempts_in_flight") == 0
    assert running.sum("llm_router_telemetry_guard_errors_total") == 0
    assert running.scrape().sum("llm_router_instrumentation_degraded") == 0
    # Tokens and cost by who asked are the same tokens and the same cost.
    for kind in ("input", "output"):
        tokens = running.sum("llm_router_tokens_total", type=kind)
        assert running.sum("llm_router_attributed_tokens_total", type=kind) == tokens
    assert running.sum("llm_router_attributed_tokens_total", type="output", team="blue", user="bert") == 20 * 7
    assert running.sum("llm_router_attributed_requests_total", key="red-1", status="success") == len(asked) - 20
    spent = running.sum("llm_router_cost_usd_total")
    assert running.sum("llm_router_attributed_cost_usd_total") == pytest.approx(spent)
    assert running.sum("llm_router_attributed_cost_usd_total", team="blue") == pytest.approx(20 * (11e-6 + 14e-6))


async def test_a_key_is_an_alias_or_a_hash_and_has_a_budget(running: Running, providers: Any) -> None:
    await _all(running, [asks("smart", alpha=[OK], key=key) for key in (RED, BLUE, "sk-nobody")])
    name = hashlib.sha256(BLUE.encode()).hexdigest()[:12]
    assert running.sum("llm_router_attributed_requests_total", key=name, user="bert") == 1
    assert running.sum("llm_router_attributed_requests_total", key="unknown", status="error") == 1
    scrape = running.scrape()
    assert scrape.sum("llm_router_budget_limit_usd", scope=f"key:{name}") == 10
    assert scrape.sum("llm_router_budget_used_usd", scope=f"key:{name}") == 2.5
    assert scrape.sum("llm_router_budget_limit_usd", scope="team:red") == 50
    assert scrape.sum("llm_router_budget_used_usd", scope="team:red") == 20
    assert scrape.sum("llm_router_budget_limit_usd", scope="provider:openai") == 1000
    assert "key:red-1" not in str(scrape.series("llm_router_budget_limit_usd"))  # it has no limit
    everything = running.text()
    assert not any(secret in everything for secret in (RED, BLUE, "sk-nobody", litellm_proxy.MASTER))


async def test_a_key_over_its_rate_is_turned_away_by_the_proxy(running: Running, providers: Any) -> None:
    answers = [(await _all(running, [asks("smart", alpha=[OK], key="sk-slow-1")]))[0] for _ in range(5)]
    refused = sum(answer.status_code == 429 for answer in answers)
    assert refused >= 1  # a minute may have ended in between
    assert providers["alpha"].record["attempts"] == running.sum("llm_router_attempts_total") == 5 - refused
    assert running.sum("llm_router_rate_limit_triggers_total", scope="api_key", kind="requests") == refused
    assert running.sum("llm_router_errors_total", component="router", type="rate_limit") == refused
    assert running.sum("llm_router_rate_limit_hits_total") == 0


async def test_an_answer_from_redis_is_no_attempt(running: Running, providers: Any) -> None:
    ask = asks("smart", alpha=[OK], say=f"cached {next(_numbers)}")
    sent = 0
    for _ in range(200):  # LiteLLM writes its cache some time after it has answered
        (answer,) = await _all(running, [ask])
        assert answer.status_code == 200
        sent += 1
        if running.sum("llm_router_cache_hits_total", cache_type="redis") == 3:
            break
    attempts = providers["alpha"].record["attempts"]
    assert running.sum("llm_router_attempts_total") == attempts == sent - 3
    assert running.sum("llm_router_inference_total", cached="true") == 3
    assert running.sum("llm_router_cache_misses_total", cache_type="redis") == attempts


async def test_health_checks_are_no_requests(running: Running, providers: Any) -> None:
    async with httpx.AsyncClient(base_url=running.base, timeout=60) as client:
        for path in ("/health/liveliness", "/health/readiness", "/v1/models", "/health"):
            assert (await client.get(path, headers=_headers(RED))).status_code == 200, path
        assert (await client.get("/v1/models", headers=_headers("sk-nobody"))).status_code == 401
    served = sum(provider.record["attempts"] for provider in providers.values())
    assert running.sum("llm_router_attempts_total") == served == 5  # what asks the deployments does call them
    assert running.sum("llm_router_inference_total") == 0
    assert running.sum("llm_router_auth_failures_total", reason="invalid") == 1
    assert running.sum("llm_router_requests_in_flight") == 0


async def test_a_cool_down_is_entered_and_left(running: Running, providers: Any, eventually: Eventually) -> None:
    (answer,) = await _all(running, [asks("cooling", gamma=[{"status": 429}, OK])])
    assert answer.status_code == 200
    assert running.sum("llm_router_cooldowns_total", error_type="rate_limit") == 1
    cooling = running.scrape()
    assert cooling.sum("llm_router_deployment_state", deployment=("gamma-2", "gamma-3")) == 1
    assert 0 < cooling.sum("llm_router_cooldown_remaining_seconds", error_type="rate_limit") <= 2
    assert await eventually(lambda: running.scrape().sum("llm_router_deployment_state") == 0)
    assert not running.scrape().has("llm_router_cooldown_remaining_seconds")


async def test_one_server_span_one_route_span_one_span_for_each_call(
    running: Running, providers: Any, eventually: Eventually
) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    key, body = asks("smart", alpha=[{"status": 500}, {"status": 500}, {"status": 500}], beta=[OK], key=BLUE)
    async with httpx.AsyncClient(base_url=running.base, timeout=60) as client:
        headers = {**_headers(key), "traceparent": f"00-{trace}-b7ad6b7169203331-01"}
        assert (await client.post("/v1/chat/completions", json=body, headers=headers)).status_code == 200

    def spans() -> list[Any]:
        return [span for span in list(running.receiver.kept_spans) if span.trace_id.hex() == trace]

    def named(start: str) -> list[Any]:
        return [span for span in spans() if span.name.startswith(start)]

    assert await eventually(lambda: named("POST") and named("route "))
    (server,), (route,) = named("POST"), named("route ")
    assert server.parent_span_id.hex() == "b7ad6b7169203331"
    assert route.parent_span_id == server.span_id
    calls = named("chat ")
    assert [call.name for call in calls] == ["chat alpha-model"] * 3 + ["chat beta-model"]
    assert {call.parent_span_id for call in calls} == {route.span_id}
    said = {attribute.key: attribute.value.string_value for attribute in route.attributes}
    assert (said["user.id"], said["llm_router.team"]) == ("bert", "blue")
    assert BLUE not in str(spans())
