"""Streams and generators that end inside the garbage collector: recorded afterwards, without a deadlock or a loss."""

# White-box: locks of the SDK and its own points.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import contextvars
import gc
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics._internal import aggregation  # the locks that a record takes
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.aggregation import _cells
from tests.telemetry.stream_checks import Checks
from tests.telemetry.streaming import Upstream, Ways, drop_sync, every_way


def _in_time(work: Callable[[], None]) -> None:
    """Run ``work`` in a thread of its own, so that a deadlock fails the test instead of hanging it."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
            raise

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(20)
    assert not thread.is_alive(), "deadlock"
    assert failures == []


class Sdk:
    """An SDK (and our own aggregation) with one lock for everything, in which the garbage collector strikes once, when it is armed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._lock = threading.Lock()
        self._garbage: list[dict[str, Any]] = []
        self.collections = 0
        for owner, name in (
            (aggregation._SumAggregation, "aggregate"),
            (aggregation._ExplicitBucketHistogramAggregation, "aggregate"),
            (_cells.Sum, "add"),
            (_cells.Histogram, "add"),
            (SimpleSpanProcessor, "on_end"),
            (SimpleLogRecordProcessor, "on_emit"),
        ):
            self._lock_up(monkeypatch, owner, name)

    def _lock_up(self, monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def locked(*args: Any, **kwargs: Any) -> Any:
            with self._lock:
                if self._garbage:
                    self._garbage.clear()
                    self.collections += 1
                    gc.collect()
                return original(*args, **kwargs)

        monkeypatch.setattr(owner, name, locked)

    def collect_inside(self, dropped: object) -> None:
        """Let ``dropped`` be garbage that the collector finds while the lock is held."""
        cycle: dict[str, Any] = {"dropped": dropped}
        cycle["cycle"] = cycle
        self._garbage.append(cycle)


@pytest.fixture
def sdk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sdk]:
    gc.disable()
    yield Sdk(monkeypatch)
    gc.enable()


@every_way
def test_a_stream_collected_while_the_sdk_holds_its_lock_does_not_deadlock_and_is_not_lost(
    captured: testing.Captured, checks: Checks, upstream: Upstream, way: Ways, sdk: Sdk
):
    """The collector runs wherever memory is allocated: also between an SDK lock's two ends."""

    def work() -> None:
        stream = upstream.open_sync(way)
        drop_sync(stream)
        sdk.collect_inside(stream)
        del stream
        with router.request(model="other"), router.attempt("openai", "other"):
            pass
        assert sdk.collections == 1
        assert upstream.released == 1

    _in_time(work)
    assert captured.value("llm_router.inference", model="other", status="success") == 1
    assert captured.value("llm_router.inference", model="gpt-4o", status="aborted") == 1
    assert captured.value("llm_router.attempts", model="gpt-4o", status="aborted") == 1
    assert captured.value("llm_router.tokens.generated", model="gpt-4o") == 3
    assert captured.value("llm_router.requests.in_flight") == 0
    assert captured.value("llm_router.attempts.in_flight") == 0
    assert len(captured.spans("route smart")) == len(captured.spans("chat gpt-4o")) == 1
    assert len(captured.events("llm_router.inference.aborted")) == 1
    checks.clean()


def test_everything_that_a_collected_generator_does_is_deferred(captured: testing.Captured, sdk: Sdk):
    """Its own blocks end inside the collector too, with whatever the application does there."""
    left, lasted = router.counter("app.left", labels=["how"]), router.histogram("app.lasted")

    def careless() -> Generator[int]:
        try:
            with (
                router.request(model="careless") as request,
                router.connection("sse"),
                router.cache("exact"),
                router.decision(["a"]),
                router.queue("slots").wait(threading.Lock()),
                router.attempt("openai", "gpt-4o"),
            ):
                request.fallback("a", "b").end("error")
                yield 1
        finally:
            router.error("left", severity="warning")
            left.add(how="collected")
            lasted.record(1)
            with router.request(model="last words"):
                pass

    def work() -> None:
        stream = careless()
        contextvars.copy_context().run(next, stream)
        sdk.collect_inside(stream)
        del stream
        left.add(how="seen")
        assert sdk.collections == 1
        router.error("next")

    left.add(how="seen")
    lasted.record(1)
    router.error("left", severity="warning")
    _in_time(work)
    assert captured.value("llm_router.errors", type="left") == 2
    assert captured.value("app.left", how="collected") == 1
    assert captured.value("app.left", how="seen") == 2
    assert captured.count("app.lasted") == 2
    assert captured.value("llm_router.active_connections") == 0
    assert captured.count("llm_router.connection.duration") == 1
    assert captured.count("llm_router.queue.processing") == 1
    assert captured.value("llm_router.decisions", reason="none_available") == 1
    assert captured.value("llm_router.attempts", status="aborted", error_type="client_disconnect") == 1
    assert captured.value("llm_router.inference", model="careless", status="aborted") == 1
    assert captured.value("llm_router.inference", model="last words", status="success") == 1
    assert captured.value("llm_router.requests.in_flight") == 0
    assert captured.value("llm_router.attempts.in_flight") == 0
    assert [span.name for span in captured.spans()].count("chat gpt-4o") == 1


def test_what_was_deferred_is_done_when_metrics_are_collected(captured: testing.Captured, upstream: Upstream):
    """An idle router has no further request that would do it."""
    router.observe_queue("slots", depth=lambda: 0)
    stream = upstream.open_sync("generator")
    next(stream)
    cycle: dict[str, Any] = {"stream": stream}
    cycle["cycle"] = cycle
    del stream, cycle
    gc.collect()
    data = captured._reader.get_metrics_data()
    assert data is not None
    names = {m.name for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics}
    assert "llm_router.inference" in names
