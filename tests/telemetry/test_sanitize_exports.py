"""Whatever values come from outside, every exporter can encode what becomes of them, and nothing beside them is lost."""

# White-box: the collector of the Prometheus exporter.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import logging
from collections.abc import Generator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest

from otel_llm_router.telemetry import Telemetry, _guard
from tests.telemetry.hostile_values import OBJECTS, TEXTS, Hostile, hostiles


class Pipeline:
    """Telemetry on a real SDK with both doors: a scrape, and OTLP's protobuf."""

    def __init__(self) -> None:
        self._scraped = PrometheusMetricReader()
        # Of a registry of its own, which the oldest exporter that we support takes no argument for.
        REGISTRY.unregister(self._scraped._collector)
        self._registry = CollectorRegistry()
        self._registry.register(self._scraped._collector)
        self._pushed = InMemoryMetricReader()
        self._spans = InMemorySpanExporter()
        self._logs = InMemoryLogRecordExporter()
        tracers = TracerProvider(shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        loggers = LoggerProvider(shutdown_on_exit=False)
        loggers.add_log_record_processor(SimpleLogRecordProcessor(self._logs))
        self.telemetry = Telemetry(
            meter_provider=MeterProvider([self._scraped, self._pushed], shutdown_on_exit=False),
            tracer_provider=tracers,
            logger_provider=loggers,
            genai_metrics="both",
        )

    def scrape(self) -> dict[str, float]:
        """Return the sum of each metric as a scrape says it, and fail if the scrape does."""
        sums: dict[str, float] = {}
        for line in generate_latest(self._registry).decode().splitlines():
            assert len(line) < 5000
            if not line.startswith("#"):
                series, value = line.rsplit(" ", 1)
                name = series.partition("{")[0]
                sums[name] = sums.get(name, 0) + float(value)
        return sums

    def push(self) -> tuple[dict[str, float], int, int]:
        """Return the sum of each counter, the spans and the logs as OTLP's bytes say them."""
        data = self._pushed.get_metrics_data()
        assert data is not None
        metrics = encode_metrics(data)
        sums = {
            metric.name: sum(point.as_int or point.as_double for point in metric.sum.data_points)
            for resource in type(metrics).FromString(metrics.SerializeToString()).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }
        spans = encode_spans(self._spans.get_finished_spans())
        logs = encode_logs(self._logs.get_finished_logs())
        assert len(spans.SerializeToString()) < 200_000
        assert len(logs.SerializeToString()) < 200_000
        return (
            sums,
            sum(len(scope.spans) for resource in spans.resource_spans for scope in resource.scope_spans),
            sum(len(scope.log_records) for resource in logs.resource_logs for scope in resource.scope_logs),
        )


@pytest.fixture
def tolerant(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """What the guard caught; values from outside are no reason for it to catch anything."""
    caught: dict[str, int] = {}
    monkeypatch.setattr(_guard.state, "strict", False)
    monkeypatch.setattr(_guard.state, "caught", caught)
    return caught


def _route(telemetry: Telemetry, given: Hostile) -> None:
    """One request that carries hostile values wherever a client, provider or application puts any."""
    text, number = given.text, given.number
    with telemetry.request(model=text[0], strategy=text[1], user=text[2]) as request:
        with request.decision([text[3], text[4], text[3]], strategy=text[5]) as decision:
            decision.filtered(text[6])
            decision.select(text[7], reason=text[8], score=number[0], estimated_cost=number[1], deployment=text[9])
        request.failed_attempt(text[9], OSError(text[10]), provider=text[11], model=text[7])
        with request.attempt(text[11], text[7], deployment=text[9], operation=text[12]) as call:
            call.response(given.answer)
            call.cost(number[2])


def _stream(telemetry: Telemetry, given: Hostile) -> None:
    def chunks() -> Generator[Any]:
        yield from (given.answer, given.text[0], given.number[0], given.usage)

    with telemetry.request(model=given.text[0]) as request:
        stream = request.stream(chunks(), model=given.text[1], provider=given.text[2])
    assert len(list(stream)) == 4


def _tell(telemetry: Telemetry, given: Hostile) -> None:
    text, number = given.text, given.number
    cache = telemetry.cache(text[0])
    cache.hit(given.answer, similarity=number[0], saved_usd=number[1])
    cache.miss(similarity=number[2])
    cache.set_size(number[3], entries=number[4])
    telemetry.queue(text[1]).set_size(number[5])
    telemetry.connection(text[2], text[3]).open().close()
    telemetry.model_loaded(text[4], format=text[5], size_bytes=number[6], seconds=number[7])
    telemetry.observe_queue(text[6], depth=lambda: number[8], capacity=number[9])
    telemetry.budget(text[7], limit_usd=number[10], spent_usd=number[11])
    telemetry.saved(number[12], by=text[8], model=text[9])
    telemetry.rate_limit(text[10], text[11], requests_left=number[13], tokens_left=number[0])
    telemetry.rate_limited(text[12], kind=text[13])
    telemetry.auth_failure(text[0])
    telemetry.deployment(text[1], provider=text[2], model=text[3], group=text[4])
    telemetry.cooldown(text[1], provider=text[2], model=text[3], seconds=number[1])
    telemetry.error(text[5], component=text[6], severity=text[7])
    telemetry.counter("app.hostile", labels=["who"], description="\ud800").add(number[2], who=text[8])
    telemetry.histogram("app.hostile.time", labels=["who"], buckets=[1]).record(number[3], who=text[9])


@settings(max_examples=70, derandomize=True, deadline=None, database=None)
@given(rounds=st.lists(hostiles, min_size=1, max_size=4))
def test_no_value_from_outside_poisons_a_scrape_or_an_export(rounds: list[Hostile]):
    """70 examples of up to four rounds with some 60 hostile values each: thousands of cases."""
    pipeline = Pipeline()
    telemetry, strict, failed = pipeline.telemetry, _guard.state.strict, logging.getLogger("opentelemetry")
    handler = _Collecting()
    failed.addHandler(handler)
    _guard.state.strict = True  # a value from outside is no error of ours
    try:
        with telemetry.request(model="neighbour") as request, request.attempt("openai", "neighbour") as call:
            call.response(SimpleNamespace(usage={"prompt_tokens": 3, "completion_tokens": 4}))
        for hostile in rounds:
            _route(telemetry, hostile)
            _stream(telemetry, hostile)
            _tell(telemetry, hostile)
        scraped = pipeline.scrape()
        pushed, spans, logs = pipeline.push()
    finally:
        _guard.state.strict = strict
        failed.removeHandler(handler)

    count = len(rounds)
    assert handler.messages == []
    assert scraped["llm_router_inference_total"] == pushed["llm_router.inference"] == 1 + 2 * count
    assert scraped["llm_router_attempts_total"] == pushed["llm_router.attempts"] == 1 + 3 * count
    assert scraped["llm_router_cache_hits_total"] == pushed["llm_router.cache.hits"] == count
    assert scraped["llm_router_errors_total"] == pushed["llm_router.errors"] == 2 * count
    assert scraped["llm_router_decisions_total"] == count
    assert scraped["llm_router_requests_in_flight"] == 0
    assert scraped["llm_router_attempts_in_flight"] == 0
    assert spans == 2 + 5 * count
    assert logs >= 3 * count
    assert scraped["llm_router_tokens_total"] == pushed["llm_router.tokens"] >= 7


class _Collecting(logging.Handler):
    """Collects what OpenTelemetry complains about, such as an attribute it could not encode."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage()[:200])


@pytest.mark.parametrize("value", [*TEXTS, *OBJECTS], ids=lambda value: type(value).__name__)
def test_each_fixed_text_at_each_position(value: Any):
    pipeline = Pipeline()
    hostile = Hostile.__new__(Hostile)
    hostile.text, hostile.number, hostile.usage = [value] * 14, [1] * 14, {"prompt_tokens": 1, "completion_tokens": 1}
    hostile.answer = SimpleNamespace(model=value, id=value, choices=[SimpleNamespace(finish_reason=value)], usage=None)
    _route(pipeline.telemetry, hostile)
    _stream(pipeline.telemetry, hostile)
    _tell(pipeline.telemetry, hostile)
    assert pipeline.scrape()["llm_router_inference_total"] == 2
    _, spans, logs = pipeline.push()
    assert spans == 5
    assert logs >= 3


def test_a_counter_that_is_given_a_huge_number_again_and_again_can_still_be_exported(tolerant: dict[str, int]):
    pipeline = Pipeline()
    counter = pipeline.telemetry.counter("app.bytes")
    for _ in range(5):
        counter.add(2**62)
        pipeline.telemetry.cache("exact").evicted(2**62)
        pipeline.telemetry.cache("exact").evicted(2**70)
    sums, _, _ = pipeline.push()
    assert sums["app.bytes"] == pytest.approx(5 * 2**62)
    assert sums["llm_router.cache.evictions"] == pytest.approx(5 * (2**62 + 2**70))
    assert tolerant == {}


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1, 10**400, "5", None, object()])
def test_what_is_no_number_of_entries_is_left_out(tolerant: dict[str, int], number: Any):
    pipeline = Pipeline()
    pipeline.telemetry.cache("exact").evicted(number)
    pipeline.telemetry.cache("exact").evicted(3)
    pipeline.telemetry.queue("slots").waited(number)
    pipeline.telemetry.queue("slots").processed(number)
    assert pipeline.scrape()["llm_router_cache_evictions_total"] == 3


def test_a_stream_of_lines_cannot_be_forged_in_the_log(caplog: pytest.LogCaptureFixture, tolerant: dict[str, int]):
    pipeline = Pipeline()
    forged = 'openai\n2026-01-01 CRITICAL forged \x1b[31m \u2028"}\n{'
    with pipeline.telemetry.request(), pipeline.telemetry.attempt(forged, "gpt-4o") as call:
        call.read_usage({"prompt_tokens": -1})
    (record,) = [record for record in caplog.records if record.name == "otel_llm_router"]
    assert len(record.getMessage().splitlines()) == 1
    assert "\x1b" not in record.getMessage()
    assert record.levelname == "WARNING"
