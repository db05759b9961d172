"""LiteLLM's hooks before a call have no place, as in a release that moved them: the wire beneath sees the calls."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from typing import Any

import pytest

from otel_llm_router import testing
from otel_llm_router.instrumentation.litellm import LiteLLMInstrumentor, _targets
from tests.instrumentation.wire.test_litellm import ask, attempts

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    litellm: Any = pytest.importorskip("litellm")

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.filterwarnings("error:::otel_llm_router")]

MOVED = {"cache", "sync_cache", "upstream"}


@pytest.fixture(scope="module", autouse=True)
def half_instrumented() -> Generator[None]:
    instrumentor = LiteLLMInstrumentor()
    before = instrumentor.is_instrumented_by_opentelemetry
    instrumentor.uninstrument()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_targets, "ALL", tuple(target for target in _targets.ALL if target.hook not in MOVED))
        instrumentor.instrument(skip_dep_check=True)
        yield
        instrumentor.uninstrument()
    if before:
        instrumentor.instrument(skip_dep_check=True)


@pytest.fixture
def router(providers: dict[str, Any]) -> Any:
    params = {
        "model": "openai/gpt-4o-mini",
        "api_base": f"{providers['alpha'].base}/v1",
        "api_key": "sk-secret-degraded",
    }
    litellm.suppress_debug_info = True
    return litellm.Router(
        model_list=[{"model_name": "smart", "litellm_params": params}],
        num_retries=1,
        retry_after=0,
        disable_cooldowns=True,
    )


def check(captured: testing.Captured, providers: dict[str, Any], **expected: float) -> None:
    """Hold what was recorded against what the upstream served."""
    served = providers["alpha"].record
    assert captured.value("llm_router.attempts") == served["attempts"] == expected["attempts"]
    assert captured.value("llm_router.inference") == expected["requests"]
    for kind in ("input", "output"):
        assert captured.value("llm_router.tokens", type=kind, source="reported") == served[f"tokens.{kind}"]
    assert captured.value("llm_router.tokens", source="estimated") == 0
    assert len([span for span in captured.spans() if span.name.startswith("chat")]) == served["attempts"]
    assert captured.value("llm_router.attempts.in_flight") == captured.value("llm_router.requests.in_flight") == 0


async def test_an_answer_is_one_attempt(router: Any, providers: dict[str, Any], captured: testing.Captured) -> None:
    for _ in range(2):
        await router.acompletion("smart", ask("one", alpha=[{}]))
    check(captured, providers, attempts=2, requests=2)


async def test_a_retry_is_the_second(router: Any, providers: dict[str, Any], captured: testing.Captured) -> None:
    await router.acompletion("smart", ask("retry", alpha=[{"status": 500}, {}]))
    check(captured, providers, attempts=2, requests=1)
    assert attempts(captured) == {("success", ""): 1, ("error", "server_error"): 1}
    assert captured.value("llm_router.retries") == 1


async def test_a_stream_is_one_attempt(router: Any, providers: dict[str, Any], captured: testing.Captured) -> None:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    async for _ in await router.acompletion("smart", ask("stream", alpha=[{"completion_tokens": 7}]), **options):
        pass
    check(captured, providers, attempts=1, requests=1)
    assert captured.count("llm_router.time_to_first_token") == 1


def test_the_synchronous_router_too(router: Any, providers: dict[str, Any], captured: testing.Captured) -> None:
    router.completion("smart", ask("sync", alpha=[{}]))
    check(captured, providers, attempts=1, requests=1)
