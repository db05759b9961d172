"""Tokens, cost and requests by who asked: off until configured, bounded, and without any key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.signals import attributes

AZURE = "0123456789abcdef" * 2
GOOGLE = "AIza" + "Sy-x_" * 7
"""Shapes of keys that are no longer than names may be."""

ANSWER = SimpleNamespace(usage={"prompt_tokens": 5, "completion_tokens": 2})


@pytest.fixture
def by(captured: testing.Captured) -> Iterator[Any]:
    """Switch attribution on."""

    def switch(*wanted: str) -> None:
        router.default.attribution = frozenset(wanted)

    yield switch
    router.default.attribution = frozenset()


def _ask(**caller: str) -> None:
    with router.request("smart", **caller), router.attempt("openai", "gpt-4o") as attempt:
        attempt.response(ANSWER)
        attempt.cost(0.25)


def test_it_is_off_until_configured(captured: testing.Captured) -> None:
    _ask(team="red", user="rosa")
    for name in ("requests", "tokens", "cost.usd"):
        assert captured.points(f"llm_router.attributed.{name}") == []


def test_who_asked_is_counted_by_what_is_configured(captured: testing.Captured, by: Any) -> None:
    by("team", "organization")
    _ask(team="red", user="rosa", organization="acme")
    _ask(team="red", user="bert")
    _ask()
    found = {
        tuple(sorted(point.labels.items())): point.value for point in captured.points("llm_router.attributed.cost.usd")
    }
    assert found == {
        (("organization", "acme"), ("team", "red")): 0.25,
        (("organization", "unknown"), ("team", "red")): 0.25,
        (("organization", "unknown"), ("team", "unknown")): 0.25,
    }
    assert captured.value("llm_router.attributed.tokens", type="input", team="red") == 10
    assert captured.value("llm_router.attributed.tokens") == captured.value("llm_router.tokens")
    assert captured.value("llm_router.attributed.cost.usd") == captured.value("llm_router.cost.usd")
    assert captured.value("llm_router.attributed.requests", status="success") == 3


def test_the_span_says_who_asked_whatever_is_configured(captured: testing.Captured) -> None:
    _ask(team="red", user="rosa", key="sk-secret-1", organization="acme")
    (span,) = [span for span in captured.spans() if span.name.startswith("route")]
    said = dict(span.attributes or {})
    hashed = hashlib.sha256(b"sk-secret-1").hexdigest()[:12]
    names = ("user.id", "llm_router.team", "llm_router.key", "llm_router.organization")
    assert [said[name] for name in names] == ["rosa", "red", hashed, "acme"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("nightly-batch", "nightly-batch"),
        ("sk-abc", hashlib.sha256(b"sk-abc").hexdigest()[:12]),
        (hashlib.sha256(b"sk-abc").hexdigest(), hashlib.sha256(b"sk-abc").hexdigest()[:12]),
        (AZURE, hashlib.sha256(AZURE.encode()).hexdigest()[:12]),
        (GOOGLE, hashlib.sha256(GOOGLE.encode()).hexdigest()[:12]),
        ("7f0c1d52-9b7e-4c37-8f06-1f6a8d0f4d21", "7f0c1d52-9b7e-4c37-8f06-1f6a8d0f4d21"),
        ("x" * 40, hashlib.sha256(b"x" * 40).hexdigest()[:12]),
    ],
)
def test_a_key_is_an_alias_or_a_hash(captured: testing.Captured, by: Any, given: str, said: str) -> None:
    by("key")
    _ask(key=given)
    (point,) = captured.points("llm_router.attributed.requests")
    assert point.labels == {"key": said, "status": "success"}


def test_users_are_bounded(captured: testing.Captured, by: Any) -> None:
    by("user")
    bound = attributes.USER.bound or 0
    for number in range(bound + 50):
        _ask(user=f"user {number}")
    points = captured.points("llm_router.attributed.requests")
    assert len(points) <= bound + 1
    assert sum(point.value for point in points) == bound + 50
    assert captured.value("llm_router.attributed.requests", user="other") >= 50
