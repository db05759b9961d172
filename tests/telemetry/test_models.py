"""Models that a router loads itself: load times, what is loaded, and the memory it takes."""

from __future__ import annotations

import asyncio

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing


class WeightsError(Exception):
    """A file that is no model."""


def test_a_load_is_timed_and_the_model_is_there(captured: testing.Captured, monkeypatch: pytest.MonkeyPatch):
    now = [0]
    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])
    with router.model_load("llama.gguf", format="gguf") as load:
        now[0] += 42_000_000_000
        load.size_bytes = 4e9

    assert captured.value("llm_router.model.load.duration", model="llama.gguf", format="gguf") == pytest.approx(42)
    assert captured.value("llm_router.models.loaded", format="gguf", size_category="medium") == 1
    assert captured.value("llm_router.model.memory", model="llama.gguf", format="gguf") == 4e9
    (event,) = captured.events("llm_router.model.loaded")
    assert dict(event.attributes) == {"model": "llama.gguf", "format": "gguf"}


def test_an_unloaded_model_leaves_no_memory_series_and_a_count_of_zero(captured: testing.Captured):
    router.model_loaded("a", format="gguf", size_bytes=1)
    router.model_loaded("b", format="gguf", size_bytes=2)
    router.model_unloaded("a")
    assert [(p.labels["model"], p.value) for p in captured.points("llm_router.model.memory")] == [("b", 2)]
    assert captured.value("llm_router.models.loaded", format="gguf") == 1
    router.model_unloaded("b")
    assert captured.points("llm_router.model.memory") == []
    assert [point.value for point in captured.points("llm_router.models.loaded")] == [0]  # NoModelsLoaded alerts on it
    assert len(captured.events("llm_router.model.unloaded")) == 2


def test_a_load_that_fails(captured: testing.Captured):
    with pytest.raises(WeightsError), router.model_load("llama.gguf", format="gguf"):
        raise WeightsError

    assert captured.points("llm_router.models.loaded") == []
    assert captured.points("llm_router.model.load.duration") == []
    assert captured.value("llm_router.errors", component="model", severity="error", type="internal") == 1
    (event,) = captured.events()
    assert (event.event_name, event.attributes["error.type"]) == ("llm_router.model.load_failed", "internal")


def test_a_model_loaded_again_is_one_model(captured: testing.Captured):
    router.model_loaded("a", format="gguf", size_bytes=1)
    router.model_loaded("a", format="safetensors", size_bytes=60e9, seconds=3)
    loaded = {tuple(p.labels.values()): p.value for p in captured.points("llm_router.models.loaded")}
    assert loaded == {("gguf", "small"): 0, ("safetensors", "xlarge"): 1}
    assert [(p.labels["format"], p.value) for p in captured.points("llm_router.model.memory")] == [
        ("safetensors", 60e9)
    ]
    assert captured.count("llm_router.model.load.duration") == 1
    assert captured.events("llm_router.model.unloaded") == []


@pytest.mark.parametrize(
    ("size", "category"),
    [
        (0, "small"),
        (999_999_999, "small"),
        (1e9, "medium"),
        (10e9 - 1, "medium"),
        (10e9, "large"),
        (50e9 - 1, "large"),
        (50e9, "xlarge"),
    ],
)
def test_size_categories_are_those_of_requirement_a1(captured: testing.Captured, size: float, category: str):
    router.model_loaded("m", format="gguf", size_bytes=size)
    assert captured.value("llm_router.models.loaded", size_category=category) == 1


def test_a_model_of_unknown_size_has_no_memory_series(captured: testing.Captured):
    router.model_loaded("m")
    assert captured.value("llm_router.models.loaded", format="unknown") == 1
    assert captured.points("llm_router.model.memory") == []
    assert captured.points("llm_router.model.load.duration") == []


def test_a_model_that_was_never_loaded_cannot_be_unloaded(captured: testing.Captured):
    router.model_unloaded("ghost")
    assert captured.points("llm_router.models.loaded") == []
    assert captured.events() == []


def test_loading_in_async_code(captured: testing.Captured):
    async def main() -> None:
        async with router.model_load("m") as load:
            await asyncio.sleep(0)
            load.size_bytes = 5

    asyncio.run(main())
    assert captured.value("llm_router.model.memory") == 5
