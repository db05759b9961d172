"""The public module with which users assert on what their router recorded."""

from __future__ import annotations

import asyncio
import contextlib
import gc
from collections.abc import Callable, Generator
from typing import Any

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.telemetry import Telemetry


class OursError(Exception):
    """An error inside the telemetry."""


def test_the_example_of_its_documentation():
    with testing.capture() as captured, router.request(model="smart"), router.attempt("openai", "gpt-4o"):
        pass
    assert captured.value("llm_router.inference", status="success") == 1
    assert [span.name for span in captured.spans()] == ["chat gpt-4o", "route smart"]


def test_it_answers_after_the_block_and_captures_only_inside():
    with router.request(model="before"):
        pass
    with testing.capture() as captured, router.request(model="inside"):
        pass
    with router.request(model="after"):
        pass
    assert [point.labels["model"] for point in captured.points("llm_router.inference")] == ["inside"]
    assert [span.name for span in captured.spans()] == ["route inside"]


def test_points_values_and_counts():
    with testing.capture() as captured:
        for model, cost in (("a", 0.5), ("a", 0.25), ("b", 1)):
            with router.request(), router.attempt("openai", model) as call:
                call.cost(cost)
    assert captured.value("llm_router.cost.usd") == 1.75
    assert captured.value("llm_router.cost.usd", model="a") == 0.75
    assert captured.value("llm_router.cost.usd", model="ghost") == 0
    assert captured.count("llm_router.cost.usd") == 0
    assert captured.count("llm_router.attempt.duration", model="a") == 2
    point = captured.points("llm_router.cost.usd", model="b")[0]
    assert point == testing.Point({"provider": "openai", "model": "b", "status": "success", "source": "reported"}, 1.0)
    (histogram,) = captured.points("llm_router.attempt.duration", model="b")
    assert histogram.count == 1
    assert histogram.value == captured.value("llm_router.attempt.duration", model="b") > 0


def test_dots_in_labels_are_written_as_underscores():
    with testing.capture() as captured, router.request(), router.attempt("openai", "m"):
        pass
    assert captured.count("gen_ai.client.operation.duration", gen_ai_request_model="m") == 1
    (point,) = captured.points("gen_ai.client.operation.duration")
    assert point.labels["gen_ai.request.model"] == "m"


def test_names_spans_and_events():
    with testing.capture() as captured:
        with pytest.raises(ValueError, match="mine"), router.request(model="smart"):
            raise ValueError("mine")
        router.error("disk_full")
    assert "llm_router.inference" in captured.metric_names()
    assert captured.spans("ghost") == []
    assert len(captured.spans("route smart")) == 1
    assert [event.event_name for event in captured.events()] == ["llm_router.inference.error", "llm_router.error"]
    assert len(captured.events("llm_router.error")) == 1


def test_a_capture_with_nothing_recorded_is_empty():
    with testing.capture() as captured:
        pass
    assert captured.metric_names() == set()
    assert captured.points("llm_router.inference") == []
    assert captured.value("llm_router.inference") == captured.count("llm_router.inference") == 0
    assert captured.spans() == captured.events() == []


def test_errors_of_the_telemetry_are_raised_inside_and_not_outside(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("OTEL_LLM_ROUTER_STRICT", raising=False)
    counter = router.counter("app.documents", labels=["kind"])
    with testing.capture(), pytest.raises(ValueError, match="not declared"):
        counter.add(1, colour="red")
    counter.add(1, colour="red")


def test_everything_is_as_before_when_the_block_fails():
    before = dict(vars(router.default))
    with contextlib.suppress(OursError), testing.capture(genai_metrics="both"):
        assert router.default.genai_metrics == "both"
        raise OursError
    assert vars(router.default) == before


def test_captures_nest():
    with testing.capture() as outer:
        with router.request(model="first"):
            pass
        with testing.capture() as inner, router.request(model="second"):
            pass
        with router.request(model="third"):
            pass
    assert {point.labels["model"] for point in outer.points("llm_router.inference")} == {"first", "third"}
    assert {point.labels["model"] for point in inner.points("llm_router.inference")} == {"second"}


def test_a_telemetry_of_ones_own():
    mine = Telemetry()
    with testing.capture(telemetry=mine, genai_metrics="none") as captured:
        with mine.request(model="mine"):
            pass
        with router.request(model="global"):
            pass
    assert [point.labels["model"] for point in captured.points("llm_router.inference")] == ["mine"]


def test_gauges_and_what_was_remembered_begin_anew():
    with testing.capture() as first:
        router.cache("exact").set_size(1)
        router.deployment("eu", provider="openai", model="gpt-4o")
        assert first.value("llm_router.cache.size") == 1
    with testing.capture() as second:
        assert second.metric_names() == set()
        router.model_loaded("m")
    assert first.value("llm_router.models.loaded") == 0


@pytest.mark.parametrize("ask", ["points", "metric_names", "spans", "events"])
def test_streams_that_were_dropped_are_counted_when_one_asks(ask: str):
    """Also those that only the garbage collector ends."""

    def events() -> Generator[str]:
        yield "a"
        yield "b"

    with testing.capture() as captured:
        with router.request(model="smart") as request:
            stream = request.stream(events(), model="gpt-4o")
        next(stream)
        cycle: dict[str, Any] = {"stream": stream}
        cycle["cycle"] = cycle
        del stream, cycle
        gc.collect()
        questions: dict[str, Callable[[], object]] = {
            "points": lambda: captured.points("llm_router.inference", status="aborted"),
            "metric_names": lambda: "llm_router.inference" in captured.metric_names(),
            "spans": lambda: captured.spans("route smart"),
            "events": lambda: captured.events("llm_router.inference.aborted"),
        }
        assert questions[ask]()


def test_capture_in_async_code():
    async def main() -> testing.Captured:
        with testing.capture() as captured:
            await asyncio.gather(*(routed() for _ in range(3)))
            return captured

    async def routed() -> None:
        async with router.request(model="m"):
            await asyncio.sleep(0)

    assert asyncio.run(main()).value("llm_router.inference") == 3


def test_the_providers_are_there_for_other_instrumentations():
    with testing.capture() as captured:
        with captured.tracer_provider.get_tracer("application").start_as_current_span("POST /chat"), router.request():
            pass
        captured.meter_provider.get_meter("application").create_counter("app.own").add(2)
    assert [span.name for span in captured.spans()] == ["route unknown", "POST /chat"]
    assert captured.value("app.own") == 2
