"""A ModelMuxer-shaped application under ``opentelemetry-instrument``: no code changed, and the numbers are true."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import httpx
import pytest

import modelmuxer_shaped

Start = Callable[..., Any]


def asks(number: int, text: str = "", **behaviour: Any) -> dict[str, Any]:
    """A chat request whose message tells the upstreams how to answer, try by try."""
    plans: dict[str, Any] = {name: plan for name, plan in behaviour.items() if name != "stream"}
    content = json.dumps({"id": f"{text} {number}", "upstreams": plans})
    return {
        "model": "auto",
        "messages": [{"role": "user", "content": content}],
        "stream": bool(behaviour.get("stream")),
    }


@pytest.fixture(scope="module")
def _application(lasting_application: Start, _providers: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return lasting_application(
        "app.main",
        directory=modelmuxer_shaped.write(tmp_path_factory.mktemp("muxer")),
        variables={
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "prometheus",
            "ALPHA": _providers["alpha"].base,
            "BETA": _providers["beta"].base,
        },
    )


class Running:
    """The application in front of two upstreams, and what it has counted since the test began."""

    def __init__(self, application: Any) -> None:
        self.base = application.base
        self.said = application.said
        self._scrape = application.scrape
        self._before = self._scrape()

    def sum(self, name: str, **labels: str) -> float:
        return self._scrape().sum(name, **labels) - self._before.sum(name, **labels)


@pytest.fixture
def running(_application: Any, providers: Any) -> Running:
    return Running(_application)


async def _all(running: Running, bodies: list[dict[str, Any]]) -> list[httpx.Response]:
    limit = asyncio.Semaphore(64)
    async with httpx.AsyncClient(base_url=running.base, timeout=60) as client:

        async def one(body: dict[str, Any]) -> httpx.Response:
            async with limit:
                return await client.post("/v1/chat/completions", json=body)

        calls: list[Coroutine[Any, Any, httpx.Response]] = [one(body) for body in bodies]
        return await asyncio.gather(*calls)


OK = {"prompt_tokens": 11, "completion_tokens": 7, "cached_tokens": 3}


async def test_what_is_exported_is_what_was_served(
    running: Running, providers: Any, eventually: Callable[..., Any]
) -> None:
    bodies = [
        *(asks(n, "def f", alpha=[OK]) for n in range(40)),
        *(asks(n, "to beta", beta=[OK]) for n in range(20)),
        *(asks(n, "retried", alpha=[{"status": 500}, {"status": 429}, OK]) for n in range(20)),
        *(asks(n, "to beta streamed", beta=[{"status": 503}, OK], stream=True) for n in range(10)),
        *(asks(n, "streamed", alpha=[OK], stream=True) for n in range(20)),
        *(asks(n, "to o1", alpha=[OK], stream=True) for n in range(10)),
        *(asks(n, "classify", alpha=[OK]) for n in range(10)),
        *(asks(n, "expensive") for n in range(5)),
    ]
    answers = await _all(running, bodies)
    assert {answer.status_code for answer in answers[:-5]} == {200}
    assert {answer.status_code for answer in answers[-5:]} == {402}
    for name in ("alpha", "beta"):
        record = providers[name].record
        assert running.sum("llm_router_attempts_total", provider=name) == record["attempts"], name
        assert running.sum("llm_router_attempts_total", provider=name, status="error") == record["errors"], name
        for kind in ("input", "output", "cache_read"):
            found = running.sum("llm_router_tokens_total", provider=name, type=kind, source="reported")
            assert found == record[f"tokens.{kind}"], (name, kind)
    alpha, beta = providers["alpha"].record, providers["beta"].record
    assert (alpha["attempts"], beta["attempts"]) == (40 + 60 + 20 + 10 + 20, 20 + 20)
    assert running.sum("llm_router_usage_missing_total") == alpha["usage_missing"] == 20
    assert running.sum("llm_router_tokens_total", type="output", source="estimated") == 20 * 7
    assert running.sum("llm_router_attempts_total", error_type="rate_limit") == alpha["errors.429"] == 20
    assert (
        running.sum("llm_router_attempts_total", error_type="server_error") == alpha["errors.500"] + beta["errors.503"]
    )
    assert running.sum("llm_router_retries_total") == 2 * 20 + 10
    assert running.sum("llm_router_inference_total") == len(bodies)
    assert running.sum("llm_router_inference_total", status="success", strategy="heuristic") == len(bodies) - 5
    assert running.sum("llm_router_inference_total", status="error") == 5
    assert running.sum("llm_router_errors_total", type="budget_exceeded", component="router") == 5
    assert running.sum("llm_router_decisions_total", reason="code", model="large") == 40
    assert running.sum("llm_router_decisions_total", reason="none_available") == 5
    assert running.sum("llm_router_decisions_total") == len(bodies)
    assert running.sum("llm_router_requests_in_flight") == 0
    assert running.sum("llm_router_attempts_in_flight") == 0
    assert running.sum("llm_router_telemetry_guard_errors_total") == 0
    assert "is wrong" not in running.said()


async def test_a_client_that_goes_away(running: Running, providers: Any, eventually: Callable[..., Any]) -> None:
    body = asks(1, "slow", alpha=[{"completion_tokens": 500, "chunk_latency": 0.02}], stream=True)
    async with (
        httpx.AsyncClient(base_url=running.base, timeout=60) as client,
        client.stream("POST", "/v1/chat/completions", json=body) as response,
    ):
        async for _ in response.aiter_lines():
            break
    assert await eventually(lambda: running.sum("llm_router_inference_total", status="aborted") == 1)
    assert running.sum("llm_router_attempts_total", status="aborted") == 1
    assert running.sum("llm_router_requests_in_flight") == 0
    assert await eventually(lambda: providers["alpha"].record["aborts"] == 1)


async def test_failures_and_an_open_circuit(running: Running, providers: Any, eventually: Callable[..., Any]) -> None:
    (answer,) = await _all(running, [asks(1, "refused", alpha=[{"status": 400}])])
    assert answer.status_code == 502
    (answer,) = await _all(running, [asks(1, "cut", alpha=[{**OK, "cut_after": 2}], stream=True)])
    assert '"error"' in answer.text
    assert running.sum("llm_router_attempts_total", error_type="bad_request") == 1
    assert running.sum("llm_router_attempts_total", error_type="stream_interrupted") == 1
    assert running.sum("llm_router_inference_total", status="error") == 2
    assert running.sum("llm_router_inference_total", status="success") == 0
    # The third failure opens the circuit: nothing is called any more, and nothing is counted as called.
    (answer,) = await _all(running, [asks(2, "down", alpha=[{"status": 400}], stream=True)])
    assert '"error"' in answer.text
    before = providers["alpha"].record["attempts"]
    answers = await _all(running, [asks(3, "open", stream=True), asks(4, "open"), asks(5, "to o1", stream=True)])
    assert '"error"' in answers[0].text
    assert answers[1].status_code == 502
    assert providers["alpha"].record["attempts"] == before == 3
    assert running.sum("llm_router_attempts_total") == before
    assert running.sum("llm_router_inference_total", status="error") == 6
    assert running.sum("llm_router_inference_total", status="success") == 0
    assert running.sum("llm_router_cooldowns_total", provider="alpha") == 1
