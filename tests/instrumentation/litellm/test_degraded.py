"""LiteLLM moves its internals: what is missing or silent is said."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from otel_llm_router import testing
from otel_llm_router.instrumentation.litellm import _targets
from otel_llm_router.instrumentation.litellm._targets import Place, Target
from otel_llm_router.instrumentation.litellm._watch import PATIENCE, Watch


def test_every_hook_has_a_place_in_this_release() -> None:
    found = _targets.probe()
    assert found.missing == []
    assert {target.hook for target in _targets.ALL if target.required} <= set(found.owners)


def test_a_place_that_was_left_behind_is_not_taken() -> None:
    """1.109 keeps old names on a base class that its own code never calls."""

    class Base:
        def moved(self) -> None: ...

    class Router(Base):
        def there(self) -> None: ...

    import sys  # noqa: PLC0415
    import types  # noqa: PLC0415

    module: Any = types.ModuleType("a_router_library")
    module.Router = Router
    sys.modules["a_router_library"] = module
    try:
        assert Place("a_router_library", "Router", "there").resolve() is Router
        assert Place("a_router_library", "Router", "moved").resolve() is None
        assert Place("a_router_library", "Gone", "there").resolve() is None
        assert Place("no_such_library", "Router", "there").resolve() is None
    finally:
        del sys.modules["a_router_library"]


def test_an_unknown_router_class_is_said_at_once(
    captured: testing.Captured, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_targets, "ALL", (Target("request", (Place("litellm.router", "Router", "no_such_method"),)),))
    found = _targets.probe()
    with caplog.at_level(logging.WARNING, logger="otel_llm_router"):
        Watch().installed(found.owners, found.missing, "9.9.9")
    (message,) = [record.getMessage() for record in caplog.records]
    assert "instrumentation degraded" in message
    assert "'request'" in message
    assert "9.9.9" in message
    assert captured.value("llm_router.instrumentation.degraded", hook="request") == 1
    (event,) = captured.events("llm_router.instrumentation.degraded")
    assert event.attributes["hook"] == "request"


def test_a_hook_that_never_fires_is_noticed_and_said_once(
    captured: testing.Captured, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Watch()
    watch.installed(["request", "call", "decision", "cache", "upstream"], [], "9.9.9")
    with caplog.at_level(logging.WARNING, logger="otel_llm_router"):
        for _ in range(PATIENCE * 4):
            watch.fired("request")
            watch.fired("call")
            watch.fired("upstream")
    assert [record.getMessage().count("'decision'") for record in caplog.records] == [1]
    assert captured.value("llm_router.instrumentation.degraded", hook="decision") == 1
    assert captured.value("llm_router.instrumentation.degraded", hook="call") == 0


async def test_healthy_traffic_degrades_nothing(make_router: Any, ask: Any, captured: testing.Captured) -> None:
    from otel_llm_router.instrumentation.litellm import LiteLLMInstrumentor  # noqa: PLC0415

    instrumentor = LiteLLMInstrumentor()
    instrumentor.uninstrument()
    instrumentor.instrument(skip_dep_check=True)
    router = make_router()
    for _ in range(PATIENCE * 3):
        await router.acompletion("smart", ask(alpha=[{}]))
        async for _chunk in await router.acompletion("smart", ask(alpha=[{}]), stream=True):
            pass
        router.completion("smart", ask(alpha=[{}]))
    points = captured.points("llm_router.instrumentation.degraded", instrumentation="llm_router_litellm")
    assert len(points) > 5
    assert {point.value for point in points} == {0}


async def test_a_decision_hook_that_was_moved_away(
    make_router: Any, ask: Any, captured: testing.Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What really happens when a release moves a method: the patch is there, and nobody calls it."""
    from otel_llm_router.instrumentation.litellm import LiteLLMInstrumentor  # noqa: PLC0415

    instrumentor = LiteLLMInstrumentor()
    instrumentor.uninstrument()
    owner, name = _targets.probe().owners["decision"]
    original = getattr(owner, name)

    async def somewhere_else(self: Any, *args: Any, **kwargs: Any) -> Any:
        return await original(self, *args, **kwargs)

    instrumentor.instrument(skip_dep_check=True)
    patched: Any = owner.__dict__[name]
    setattr(owner, name, somewhere_else)
    try:
        router = make_router()
        for _ in range(PATIENCE * 3):
            await router.acompletion("smart", ask(alpha=[{}]))
    finally:
        setattr(owner, name, patched)
    assert captured.value("llm_router.instrumentation.degraded", hook="decision") == 1
    assert captured.value("llm_router.inference", status="success") == PATIENCE * 3
    assert captured.value("llm_router.attempts", status="success") == PATIENCE * 3


async def test_uninstrumented_is_untouched(make_router: Any, ask: Any, captured: testing.Captured) -> None:
    from otel_llm_router.instrumentation.litellm import LiteLLMInstrumentor  # noqa: PLC0415

    instrumentor = LiteLLMInstrumentor()
    instrumentor.uninstrument()
    try:
        for owner, name in _targets.probe().owners.values():
            assert type(owner.__dict__[name]).__name__ != "FunctionWrapper"
        router = make_router()
        await router.acompletion("smart", ask(alpha=[{}]))
        async for _ in await router.acompletion("smart", ask(alpha=[{}]), stream=True):
            pass
        assert captured.metric_names() == set()
        assert captured.spans() == []
    finally:
        instrumentor.instrument(skip_dep_check=True)
