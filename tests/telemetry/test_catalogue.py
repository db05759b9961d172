"""One scenario through the public API records every declared instrument, with exactly the declared attributes."""

# White-box: the SDK's own points.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.signals import EVENTS, INSTRUMENTS, SPANS, Kind, instrument
from otel_llm_router.signals.events import AUDIT_ACTION, AUDIT_EVENTS
from otel_llm_router.telemetry import _guard
from otel_llm_router.telemetry.instrumenting import Access

ELSEWHERE = {
    "llm_router.process.cpu",
    "llm_router.process.resident_memory",
    "llm_router.process.heap",
    "llm_router.process.open_fds",
    "llm_router.process.threads",
    "llm_router.process.start_time",
    "llm_router.process.gc.pause",
    "llm_router.instrumentation.degraded",
    "llm_router.telemetry.dropped",
    "llm_router.telemetry.export.failures",
    "llm_router.telemetry.scrape.duration",
    "llm_router.health.check.state",
    "llm_router.health.state",
    "llm_router.telemetry.delivered",
    "llm_router.telemetry.emitted",
    "llm_router.telemetry.log_lines.dropped",
    "llm_router.telemetry.log_lines.written",
    "llm_router.telemetry.recovered",
    "llm_router.telemetry.spooled",
    "llm_router.telemetry.redaction.dropped",
    "llm_router.telemetry.resent",
    "llm_router.telemetry.workers",
    "llm_router.cache.server.evictions",
    "llm_router.cache.server.hits",
    "llm_router.cache.server.misses",
    "llm_router.cache.server.up",
    "llm_router.access.unusual",
    "llm_router.audit.failures",
    "llm_router.audit.lost",
    "llm_router.audit.records",
}
"""What others record: the audit trail, the process, the doors, the health checks, Redis and the instrumentations."""

LATER = {
    "llm_router.cooldown.left",
    "llm_router.health.check.failed",
    "llm_router.health.check.recovered",
    "llm_router.instrumentation.degraded",
    *(event.name for event in AUDIT_EVENTS if event is not AUDIT_ACTION),
    "llm_router.metrics.summary",
}
"""Events that tell of what nobody does: time that passes, checks, hooks that do not fire, what is in an audit file."""

CALLER = ("user", "team", "key", "organization")

OPTIONAL = {"gen_ai.response.model", "error.type"}
"""Attributes that the GenAI conventions want only where there is something to say."""


class ProviderError(Exception):
    """A provider that says no."""

    status_code = 429


def _stream(chunk: Callable[..., Any]) -> Generator[Any]:
    details = SimpleNamespace(cached_tokens=4)
    usage = SimpleNamespace(
        prompt_tokens=10,
        completion_tokens=5,
        prompt_tokens_details=details,
        cache_creation_input_tokens=2,
        completion_tokens_details=SimpleNamespace(reasoning_tokens=3),
    )
    yield chunk("a")
    yield chunk("b")
    yield chunk(finish="stop", usage=usage)


def _routes(chunk: Callable[..., Any], answer: Callable[..., Any]) -> None:
    with router.request(model="smart", strategy="cheapest", **dict.fromkeys(CALLER, "ada")) as request:
        with router.cache("semantic") as cache:
            cache.miss(similarity=0.3)
        with router.decision(["gpt-4o", "phi"]) as decision:
            decision.filtered("cooldown")
            decision.select("gpt-4o", reason="cheapest", score=0.9, estimated_cost=0.1, deployment="eu-1")
        for _ in range(2):
            with contextlib.suppress(ProviderError), request.attempt("openai", "gpt-4o", deployment="eu-1") as call:
                call.response(answer(10, 5))
                raise ProviderError
        router.cooldown("eu-1", provider="openai", model="gpt-4o", seconds=60, error=ProviderError())
        with router.queue("slots").wait(threading.Lock()), request.attempt("anthropic", "claude") as call:
            call.cost(0.25)
            stream = request.stream(_stream(chunk))
    list(stream)
    with router.request(model="smart") as request:
        stream = request.stream(_stream(chunk), model="gpt-4o", provider="openai")
    next(stream)
    stream.close()
    with router.request(model="smart"), router.attempt("openai", "gpt-4o") as call:
        call.read_usage({"prompt_tokens": -1})
    with router.request(model="smart"), router.attempt("openai", "gpt-4o") as call:
        call.content({"system": "be brief", "messages": "hello" * 100, "tools": [{"name": "look"}]})
        call.response(answer(10, 5))
    with pytest.raises(ProviderError), router.request(model="smart"):
        raise ProviderError


def _holds() -> None:
    cache = router.cache("exact")
    cache.hit("found", similarity=0.9, saved_usd=0.1)
    cache.miss()
    cache.evicted()
    cache.set_size(1, entries=1)
    with router.connection("sse"):
        pass
    with router.model_load("phi", format="gguf") as load:
        load.size_bytes = 1
    router.model_loaded("llama", format="gguf")
    router.model_unloaded("llama")
    with pytest.raises(ProviderError), router.model_load("broken"):
        raise ProviderError
    router.observe_queue("slots", depth=lambda: 1, capacity=2)
    router.observe_connections("openai", open=lambda: 1)
    router.deployment("eu-1", provider="openai", model="gpt-4o")
    router.budget("team", limit_usd=1, spent_usd=2)
    router.rate_limit("openai", "gpt-4o", requests_left=1)
    router.rate_limited("team")
    router.auth_failure()
    assert router.audit("key.rotate", actor="ada", resource="key", reason="old").result(0) is False  # no file
    router.http_request(
        "POST", route="/chat", status_code=200, seconds=0.1, request_id="r1", client_address="127.0.0.1"
    )
    router.error("disk_full", component="cache", severity="made-up")


@pytest.fixture
def everything(
    chunk: Callable[..., Any], answer: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[testing.Captured]:
    with testing.capture(genai_metrics="both", content="SPAN_AND_EVENT", content_limit=100) as captured:
        monkeypatch.setattr(router.default, "attribution", frozenset(CALLER))
        monkeypatch.setattr(router.default, "inferences", "all")
        monkeypatch.setattr(router.default, "access", Access(client=True))
        _routes(chunk, answer)
        _holds()
        with monkeypatch.context() as patch:
            patch.setattr(_guard.state, "strict", False)
            router.counter("app.counter").add(1, undeclared="label")  # an error in telemetry, for its own metric
        yield captured


def test_every_declared_instrument_is_recorded_and_no_other(everything: testing.Captured):
    declared = {declaration.name for declaration in INSTRUMENTS}
    assert declared >= ELSEWHERE
    assert everything.metric_names() == declared - ELSEWHERE


def test_each_point_carries_exactly_the_declared_attributes(everything: testing.Captured):
    for name in everything.metric_names():
        declared = {attribute.key for attribute in instrument(name).attributes}
        optional = OPTIONAL if name.startswith("gen_ai.") else set[str]()
        for point in everything.points(name):
            assert set(point.labels) <= declared, name
            assert declared - set(point.labels) <= optional, name


def test_each_value_of_a_closed_label_is_a_declared_one(everything: testing.Captured):
    for name in everything.metric_names():
        for attribute in instrument(name).attributes:
            values = {point.labels[attribute.key] for point in everything.points(name) if attribute.key in point.labels}
            assert all(isinstance(value, str) for value in values)
            if attribute.values:
                assert values <= {*attribute.values, "other"}, (name, attribute.key)


def test_each_instrument_is_of_the_declared_kind_unit_and_description(everything: testing.Captured):
    data = everything._reader.get_metrics_data()
    assert data is not None
    metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
    assert {s.scope.name for r in data.resource_metrics for s in r.scope_metrics} == {"otel_llm_router"}
    kinds = {
        Kind.COUNTER: ("Sum", True),
        Kind.UP_DOWN_COUNTER: ("Sum", False),
        Kind.HISTOGRAM: ("Histogram", None),
        Kind.OBSERVABLE_COUNTER: ("Sum", True),
        Kind.OBSERVABLE_GAUGE: ("Gauge", None),
    }
    for metric in metrics:
        declared = instrument(metric.name)
        assert (type(metric.data).__name__, getattr(metric.data, "is_monotonic", None)) == kinds[declared.kind]
        assert (metric.unit, metric.description) == (declared.unit, declared.description)
        for point in metric.data.data_points:
            assert tuple(getattr(point, "explicit_bounds", ())) == declared.buckets, metric.name


def test_spans_are_the_declared_ones(everything: testing.Captured):
    declared = {span.kind: span for span in SPANS}
    kinds: set[str] = set()
    attributes: dict[str, set[str]] = {"internal": set(), "client": set()}
    events: dict[str, set[str]] = {"internal": set(), "client": set()}
    for span in everything.spans():
        kind = span.kind.name.lower()
        kinds.add(kind)
        attributes[kind] |= set(span.attributes or {})
        for event in span.events:
            events[kind].add(event.name)
            (shape,) = [one for one in declared[kind].events if one.name == event.name]
            assert set(event.attributes or {}) <= {attribute.key for attribute in shape.attributes}
    assert kinds == {"internal", "client"}
    for kind, keys in attributes.items():
        allowed = {attribute.key for attribute in declared[kind].attributes}
        assert keys <= allowed
        # What only an instrumentation knows.
        assert allowed - keys <= {"server.address", "server.port", "llm_router.retry_after"}, kind
        assert events[kind] == {event.name for event in declared[kind].events}, kind


def test_log_events_are_the_declared_ones(everything: testing.Captured):
    declared = {event.name: event for event in EVENTS}
    seen: set[str] = set()
    for record in everything.events():
        event = declared[record.event_name]
        seen.add(event.name)
        assert record.severity_text == event.severity
        assert record.severity_number.name == event.severity
        assert set(record.attributes) <= {attribute.key for attribute in event.attributes}
        assert record.body == event.description
        assert record.timestamp
    assert set(declared) - seen == LATER


def test_no_span_attribute_is_longer_than_its_bound(captured: testing.Captured):
    long = "x" * 10_000
    with router.request(model=long, strategy=long, user=long) as request:
        with request.decision([long] * 3) as decision:
            decision.select(long, reason=long, deployment=long)
        with request.attempt(long, long, deployment=long, operation=long) as call:
            call.response(
                SimpleNamespace(id=long, model=long, choices=[SimpleNamespace(finish_reason=long)], usage=None)
            )
    for span in captured.spans():
        assert len(span.name) <= 256
        for value in [
            *(span.attributes or {}).values(),
            *(v for e in span.events for v in (e.attributes or {}).values()),
        ]:
            for item in value if isinstance(value, tuple) else (value,):
                assert not isinstance(item, str) or len(item) <= 256
