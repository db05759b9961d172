"""Clients that a gateway turns away: counted once, and on record where there is an audit trail."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from otel_llm_router import telemetry
from otel_llm_router.signals import Attribute, LogEvent
from otel_llm_router.signals import attributes as a
from otel_llm_router.telemetry.instrumenting import key_hash
from tests.instrumentation.asgi.gateways import CHAT, Gateway, post
from tests.instrumentation.wire.upstreams import whole

KEY = "sk-0123456789abcdef"


@pytest.fixture
def on_record(gateway: Gateway) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    found: list[tuple[str, dict[str, Any]]] = []

    def take(event: LogEvent, said: Mapping[Attribute, Any], *_: Any) -> None:
        known = {one.key: value for one, value in said.items() if value is not None}
        found.append((event.name.rpartition(".")[2], known))

    telemetry.default.audit_sink = take
    yield found
    telemetry.default.audit_sink = None


def answers(gateway: Gateway, status: int, *, says_so: str = "") -> None:
    async def handler(request: Request) -> Response:
        await request.json()
        if says_so:
            getattr(telemetry, says_so)("expired" if says_so == "auth_failure" else "team")
        return JSONResponse({}, status)

    gateway.handler = handler


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        (401, {}, "missing"),
        (401, {"authorization": f"Bearer {KEY}"}, "invalid"),
        (401, {"x-api-key": KEY}, "invalid"),
        (403, {"authorization": f"Bearer {KEY}"}, "forbidden"),
    ],
)
async def test_who_is_turned_away_is_counted_and_on_record_with_the_address(
    gateway: Gateway, on_record: list[Any], eventually: Any, status: int, headers: dict[str, str], reason: str
) -> None:
    answers(gateway, status)
    assert (await post(gateway, headers=headers)).status_code == status
    assert await eventually(lambda: gateway.value("auth.failures"))
    assert gateway.value("auth.failures", reason=reason) == 1
    assert await eventually(lambda: on_record)
    kind, said = on_record[0]
    assert kind == "authentication"
    assert said[a.AUDIT_REASON.key] == reason
    assert said[a.AUDIT_CLIENT.key] == "127.0.0.1"
    assert said.get(a.AUDIT_KEY_HASH.key) == (key_hash(KEY) if headers else None)
    assert KEY not in str(on_record)


async def test_a_limit_of_the_gateway_is_counted_and_on_record(
    gateway: Gateway, on_record: list[Any], eventually: Any
) -> None:
    answers(gateway, 429)
    assert (await post(gateway)).status_code == 429
    assert await eventually(lambda: gateway.value("rate_limit.triggers", scope="router"))
    assert await eventually(lambda: on_record)
    assert on_record[0][1][a.AUDIT_ACTION.key] == "rate_limit"


@pytest.mark.parametrize(
    ("status", "says_so", "name", "labels"),
    [
        (401, "auth_failure", "auth.failures", {"reason": "expired"}),
        (429, "rate_limited", "rate_limit.triggers", {"scope": "team"}),
    ],
)
async def test_what_the_application_says_itself_is_not_counted_again(
    gateway: Gateway,
    on_record: list[Any],
    eventually: Any,
    status: int,
    says_so: str,
    name: str,
    labels: dict[str, str],
) -> None:
    answers(gateway, status, says_so=says_so)
    assert (await post(gateway)).status_code == status
    assert await eventually(gateway.counted)
    assert gateway.value(name) == gateway.value(name, **labels) == 1
    assert len([one for one in on_record if one[0] in {"authentication", "decision"}]) == 1


async def test_what_a_provider_refuses_is_no_refusal_of_the_gateway(
    gateway: Gateway, on_record: list[Any], eventually: Any
) -> None:
    gateway.upstream.gives(whole({"error": {}}, status=401))

    async def handler(request: Request) -> Response:
        await request.json()
        return JSONResponse({}, (await gateway.call("small")).status_code)

    gateway.handler = handler
    assert (await post(gateway, headers={"authorization": f"Bearer {KEY}"})).status_code == 401
    assert await eventually(gateway.counted)
    assert gateway.value("auth.failures") == 0
    assert await eventually(lambda: on_record)
    assert [kind for kind, _ in on_record] == ["key_use"]
    assert on_record[0][1][a.AUDIT_OUTCOME.key] == "failure"


async def test_a_page_that_asks_for_no_model_is_none_of_ours(gateway: Gateway, on_record: list[Any]) -> None:
    answers(gateway, 401)
    assert (await post(gateway, "/login", {"password": "x"})).status_code == 401
    gateway.settle()
    assert gateway.value("auth.failures") == 0
    assert on_record == []


async def test_a_key_that_was_used_is_on_record_with_the_model(
    gateway: Gateway, on_record: list[Any], eventually: Any
) -> None:
    answers(gateway, 200)
    assert (await post(gateway, CHAT, headers={"authorization": f"Bearer {KEY}"})).status_code == 200
    assert await eventually(lambda: on_record)
    assert on_record == [
        (
            "key_use",
            {
                "llm_router.request.model": "smart",
                "llm_router.audit.outcome": "success",
                "llm_router.audit.key_hash": key_hash(KEY),
                "client.address": "127.0.0.1",
            },
        )
    ]
