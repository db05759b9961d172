"""The deployments a router knows, and which of them are cooling down."""

from __future__ import annotations

import pytest
from opentelemetry.sdk.trace import ReadableSpan

from otel_llm_router import telemetry as router
from otel_llm_router import testing


def _id(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


class ProviderError(Exception):
    """A provider that says no."""

    status_code = 429


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    seconds = [1000.0]
    monkeypatch.setattr("time.monotonic", lambda: seconds[0])
    return seconds


def _states(captured: testing.Captured) -> dict[str, float]:
    return {point.labels["deployment"]: point.value for point in captured.points("llm_router.deployment.state")}


def test_a_deployment_is_in_rotation_until_it_cools_down_and_again_afterwards(
    captured: testing.Captured, now: list[float]
):
    router.deployment("eu-1", provider="openai", model="gpt-4o")
    router.deployment("us-1", provider="azure", model="gpt-4o")
    assert _states(captured) == {"eu-1": 0, "us-1": 0}
    router.cooldown("eu-1", provider="openai", model="gpt-4o", seconds=60, error=ProviderError())
    assert _states(captured) == {"eu-1": 1, "us-1": 0}
    now[0] += 59
    assert _states(captured) == {"eu-1": 1, "us-1": 0}
    now[0] += 1
    assert _states(captured) == {"eu-1": 0, "us-1": 0}
    (point,) = captured.points("llm_router.deployment.state", deployment="us-1")
    assert point.labels == {"deployment": "us-1", "provider": "azure", "model": "gpt-4o"}


def test_how_long_a_cool_down_lasts_yet_and_that_it_is_over(captured: testing.Captured, now: list[float]):
    router.deployment("us-1", provider="azure", model="gpt-4o")
    router.cooldown("eu-1", provider="openai", model="gpt-4o", seconds=60, error=ProviderError())
    now[0] += 20
    (point,) = captured.points("llm_router.cooldown.remaining")
    assert point.value == 40
    assert point.labels == {
        "deployment": "eu-1", "provider": "openai", "model": "gpt-4o", "error_type": "rate_limit"
    }  # fmt: skip
    assert not captured.events("llm_router.cooldown.left")
    now[0] += 40
    assert captured.points("llm_router.cooldown.remaining") == []
    _states(captured)
    _states(captured)
    (left,) = captured.events("llm_router.cooldown.left")
    assert left.attributes == {"llm_router.deployment.id": "eu-1", "llm_router.cooldown.seconds": 60.0}
    router.cooldown("eu-1", seconds=5)
    assert _states(captured)["eu-1"] == 1


def test_a_cool_down_is_counted_told_and_an_event_of_the_request(captured: testing.Captured):
    with router.request(model="smart"):
        router.cooldown("eu-1", provider="openai", model="gpt-4o", seconds=5, error=ProviderError())

    assert captured.value("llm_router.cooldowns", provider="openai", model="gpt-4o", error_type="rate_limit") == 1
    expected = {
        "llm_router.deployment.id": "eu-1",
        "error.type": "rate_limit",
        "llm_router.cooldown.seconds": 5.0,
    }
    (span,) = captured.spans()
    assert [(event.name, dict(event.attributes or {})) for event in span.events] == [("llm_router.cooldown", expected)]
    (event,) = captured.events("llm_router.cooldown.entered")
    assert dict(event.attributes) == expected
    assert event.span_id == _id(span)


def test_a_cool_down_of_an_introduced_deployment_need_not_say_what_it_is(captured: testing.Captured):
    router.deployment("eu-1", provider="openai", model="gpt-4o")
    router.cooldown("eu-1", seconds=5)
    router.cooldown("ghost", seconds=5)
    assert captured.value("llm_router.cooldowns", provider="openai", model="gpt-4o", error_type="") == 1
    assert captured.value("llm_router.cooldowns", provider="unknown", model="unknown") == 1
    assert _states(captured) == {"eu-1": 1, "ghost": 1}


@pytest.mark.parametrize("seconds", [None, float("nan"), -5, "60"])
def test_a_cool_down_without_a_length_is_counted_and_over_at_once(captured: testing.Captured, seconds: float | None):
    router.cooldown("eu-1", provider="openai", model="gpt-4o", seconds=seconds)
    assert captured.value("llm_router.cooldowns") == 1
    assert _states(captured) == {"eu-1": 0}


def test_a_longer_cool_down_is_not_cut_short_by_a_deployment_stated_again(captured: testing.Captured, now: list[float]):
    router.cooldown("eu-1", provider="openai", model="gpt-4o", seconds=60)
    router.deployment("eu-1", provider="openai", model="gpt-4o")
    assert _states(captured) == {"eu-1": 1}
