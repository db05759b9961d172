"""What the tests of `telemetry` share: a capture, production's tolerance, and providers' answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import context as otel_context

from otel_llm_router import testing
from otel_llm_router.telemetry import _guard


@pytest.fixture
def captured() -> Iterator[testing.Captured]:
    with testing.capture() as found:
        yield found


@pytest.fixture
def lenient(captured: testing.Captured) -> Iterator[dict[str, int]]:
    """As in production, errors of ours are swallowed; answers what was caught, by hook."""
    state, caught = _guard.state, dict[str, int]()
    strict, before = state.strict, state.caught
    state.strict, state.caught = False, caught
    yield caught
    state.strict, state.caught = strict, before


@pytest.fixture(autouse=True)
def nothing_is_left_behind(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No test may leave a context attached or make OpenTelemetry complain ("Failed to detach context")."""
    strict = _guard.state.strict
    yield
    assert _guard.state.strict is strict
    assert otel_context.get_current() == {}
    assert [
        record.getMessage() for record in caplog.get_records("call") if record.name.startswith("opentelemetry")
    ] == []


def _chunk(
    text: str | None = None, *, finish: str | None = None, usage: object = None, model: str = "gpt-4o-2024-08-06"
) -> Any:
    choices = [SimpleNamespace(index=0, delta=SimpleNamespace(content=text), finish_reason=finish)]
    return SimpleNamespace(
        id="chatcmpl-1", model=model, choices=choices if text is not None or finish is not None else [], usage=usage
    )


@pytest.fixture
def chunk() -> Callable[..., Any]:
    """Make a streamed chunk of the OpenAI shape."""
    return _chunk


def _answer(prompt: object = 10, completion: object = 5, *, model: str = "gpt-4o-2024-08-06", **details: object) -> Any:
    return SimpleNamespace(
        id="chatcmpl-1",
        model=model,
        choices=[SimpleNamespace(index=0, message=SimpleNamespace(content="hi"), finish_reason="stop")],
        usage=SimpleNamespace(prompt_tokens=prompt, completion_tokens=completion, **details),
    )


@pytest.fixture
def answer() -> Callable[..., Any]:
    """Make a complete answer of the OpenAI shape with ``prompt`` and ``completion`` tokens."""
    return _answer
