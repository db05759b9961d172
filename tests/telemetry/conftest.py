"""What the tests of `telemetry` share: a capture, production's tolerance, providers' answers and streams, an application."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import context as otel_context

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.telemetry import _guard

# What these assert is explained when it fails, as in a test: pytest must know of them before they are imported.
pytest.register_assert_rewrite("tests.telemetry.guarded_application", "tests.telemetry.stream_checks")

from tests.telemetry.guarded_application import Application  # noqa: E402  # see above
from tests.telemetry.stream_checks import Checks  # noqa: E402  # see above
from tests.telemetry.streaming import Upstream  # noqa: E402  # see above


@pytest.fixture(params=[False, True], ids=["sdk", "fast"])
def captured(request: pytest.FixtureRequest) -> Iterator[testing.Captured]:
    """What is recorded, with the SDK doing all of it and with our own aggregation."""
    with testing.capture(fast_path=request.param) as found:
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


@pytest.fixture
def upstream(chunk: Callable[..., Any], captured: testing.Captured) -> Upstream:
    """Make a provider that streams."""
    return Upstream(chunk, captured)


@pytest.fixture
def checks(captured: testing.Captured) -> Checks:
    """Check streams that ended."""
    return Checks(captured)


@pytest.fixture
def application(lenient: dict[str, int], chunk: Callable[..., Any], answer: Callable[..., Any]) -> Application:
    """Make an application that uses everything of ours, as in production."""
    return Application(router.default, chunk, answer)
