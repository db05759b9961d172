"""What the application and its requests leave for the audit trail, and what they cost without one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing

Taken = list[tuple[str, dict[str, Any], str]]


class BudgetExceededError(Exception):
    """As LiteLLM's is called."""


@pytest.fixture
def taken(captured: testing.Captured) -> Iterator[Taken]:
    found: Taken = []

    def take(event: Any, said: Any, at: int, trace_id: str, span_id: str, receipt: Any) -> None:
        assert at > 0
        assert bool(trace_id) == bool(span_id)
        found.append(
            (event.name.rpartition(".")[2], {one.key.rpartition(".")[2]: v for one, v in said.items() if v}, trace_id)
        )
        if receipt is not None:
            receipt.set_result(True)

    router.default.audit_sink = take
    yield found
    router.default.audit_sink = None


def test_an_action_says_who_did_what_and_whether_it_is_on_disk(taken: Taken):
    told = router.audit("key.revoke", actor="ada", resource="key 7", outcome="denied", reason="no right to")
    assert told.result(0) is True
    said = {"actor": "ada", "action": "key.revoke", "resource": "key 7", "outcome": "denied", "reason": "no right to"}
    assert taken == [("action", said, "")]


def test_without_a_trail_an_action_is_a_log_event_and_nothing_else_is(captured: testing.Captured):
    assert router.audit("key.revoke", actor="ada").result(0) is False
    router.auth_failure()
    with router.request("smart", key="team key"):
        pass
    (event,) = captured.events()
    assert event.event_name == "llm_router.audit.action"
    assert event.attributes["llm_router.audit.actor"] == "ada"


def test_a_sink_that_fails_is_no_error_of_the_applications(captured: testing.Captured, lenient: dict[str, int]):
    def fails(*_: Any) -> None:
        raise OSError

    router.default.audit_sink = fails
    assert router.audit("key.revoke").result(0) is False
    router.auth_failure()
    assert lenient["audit"] == lenient["auth_failure"] == 1
    assert captured.value("llm_router.auth.failures") == 1


def test_a_request_with_a_key_is_on_record_in_its_trace(captured: testing.Captured, taken: Taken):
    with router.request("smart", key="sk-0123456789abcdef", user="ada", team="blue", organization="acme"):
        pass
    (span,) = captured.spans()
    ((kind, said, trace_id),) = taken
    assert kind == "key_use"
    assert span.context is not None
    assert trace_id == f"{span.context.trace_id:032x}"
    digest = said.pop("key_hash")
    assert said == {"id": "ada", "team": "blue", "organization": "acme", "model": "smart", "outcome": "success"}
    assert "0123456789abcdef" not in digest


def test_a_request_of_nobody_is_not(captured: testing.Captured, taken: Taken):
    with router.request("smart"):
        pass
    assert captured.value("llm_router.inference") == 1
    assert taken == []


def test_refusals_are_decisions(captured: testing.Captured, taken: Taken):
    router.budget("team", limit_usd=1, spent_usd=2)
    router.rate_limited("team", kind="tokens", key="team key", client="10.0.0.1")
    with pytest.raises(BudgetExceededError), router.request("smart"):
        raise BudgetExceededError
    captured.spans()
    assert [(kind, said) for kind, said, _ in taken] == [
        ("decision", {"action": "budget", "resource": "team", "outcome": "denied", "reason": "exceeded"}),
        (
            "decision",
            {
                "action": "rate_limit",
                "resource": "team",
                "outcome": "denied",
                "reason": "tokens",
                "address": "10.0.0.1",
                "key_hash": "team key",
            },
        ),
        ("decision", {"action": "budget", "resource": "smart", "outcome": "denied", "reason": "budget_exceeded"}),
    ]
