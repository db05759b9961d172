"""A collection that takes its time holds up no request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing


@pytest.fixture
def collecting(captured: testing.Captured) -> Generator[Callable[[], None]]:
    """A collection that is under way: it waits for the answer of a source until the end of the test."""
    inside, end = threading.Event(), threading.Event()

    def depth() -> int:
        inside.set()
        end.wait(60)
        return 1

    router.observe_queue("slow", depth=depth)
    collection = threading.Thread(target=captured.metric_names, daemon=True)

    def begin() -> None:
        collection.start()
        assert inside.wait(20)

    yield begin
    end.set()
    collection.join(20)
    assert not collection.is_alive(), "the collection never ended"


def everything_a_request_may_register() -> None:
    """Use metrics for the first time, those that are asked for at each collection among them."""
    router.deployment("d1", provider="openai", model="gpt-4o")
    router.cooldown("d1", provider="openai", model="gpt-4o", seconds=1)
    router.budget("team", limit_usd=5, spent_usd=1)
    router.rate_limit("openai", "gpt-4o", requests_left=3)
    router.model_loaded("tiny", format="gguf", size_bytes=1_000, seconds=0.1)
    router.observe_cache("exact", bytes=lambda: 1, entries=lambda: 1)
    with router.request("gpt-4o"), router.attempt("openai", "gpt-4o"):
        pass


def test_a_request_does_not_wait_for_a_collection(collecting: Callable[[], None], captured: testing.Captured) -> None:
    collecting()
    request = threading.Thread(target=everything_a_request_may_register, daemon=True)
    request.start()
    request.join(10)
    assert not request.is_alive(), "a request waits for a collection of metrics"
