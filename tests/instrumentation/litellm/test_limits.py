"""What LiteLLM's Router makes requests wait for or turns away itself, and the budgets that it keeps."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from otel_llm_router import testing

logging_worker: Any = pytest.importorskip("litellm.litellm_core_utils.logging_worker")

SLOTS = "litellm_parallel_requests"
TURNS = "litellm_scheduler"


def _limited(make_router: Any, **limits: Any) -> Any:
    model = make_router.deployment("smart", "gpt-4o-mini", "alpha")
    model["litellm_params"].update(limits)
    return make_router(models=[model], num_retries=0)


async def test_waiting_for_ones_turn(make_router: Any, ask: Any, captured: testing.Captured) -> None:
    answer = await make_router().acompletion("smart", ask(alpha=[{}]), priority=1)
    assert answer.choices
    assert captured.count("llm_router.queue.wait", queue_type=TURNS) == 1
    assert captured.value("llm_router.queue.size", queue_type=TURNS) == 0
    assert captured.value("llm_router.inference", status="success") == 1
    assert captured.value("llm_router.attempts") == 1


@pytest.mark.parametrize("patient", [True, False])
async def test_a_turn_that_does_not_come(
    make_router: Any, ask: Any, captured: testing.Captured, eventually: Any, *, patient: bool
) -> None:
    router = make_router(disable_cooldowns=False, timeout=0.5 if patient else 60)
    router.cooldown_cache.add_deployment_to_cooldown("alpha", RuntimeError(), 500, 60)
    for queue in ("smart", "gpt-3.5-turbo"):  # 1.80 has one queue for all
        await router.scheduler.save_queue([(0, "ahead of all")], queue)
    waiting = asyncio.create_task(router.acompletion("smart", ask(), priority=5))
    assert await eventually(lambda: captured.value("llm_router.queue.size", queue_type=TURNS) == 1)
    if not patient:
        waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    del waiting
    gc.collect()  # 1.80 says nothing when nobody waits any more
    assert captured.value("llm_router.queue.size", queue_type=TURNS) == 0
    assert captured.count("llm_router.queue.wait", queue_type=TURNS) == 0
    assert captured.value("llm_router.attempts") == 0


async def test_a_deployments_slots(make_router: Any, ask: Any, captured: testing.Captured, providers: Any) -> None:
    router = _limited(make_router, max_parallel_requests=1)
    calls = [router.acompletion("smart", ask(alpha=[{"latency": 0.1}])) for _ in range(3)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Exception)]
    attempts = providers["alpha"].record["attempts"]
    assert captured.value("llm_router.attempts") == attempts == 3 - len(refused)
    if refused:  # newer releases turn away what has no slot
        assert captured.value("llm_router.rate_limit.triggers", scope="deployment", kind="parallel_requests") == 2
        assert captured.value("llm_router.errors", component="router", type="rate_limit") == 2
        assert captured.value("llm_router.errors", component="upstream") == 0
    else:  # older ones let it wait
        assert captured.count("llm_router.queue.wait", queue_type=SLOTS) == 3
        assert captured.count("llm_router.queue.processing", queue_type=SLOTS) == 3
    assert captured.value("llm_router.queue.size", queue_type=SLOTS) == 0
    # 1.80's worker, cancelled with work left, never ends.
    await asyncio.wait_for(logging_worker.GLOBAL_LOGGING_WORKER.flush(), 10)


async def test_a_providers_budget(make_router: Any, ask: Any, captured: testing.Captured, providers: Any) -> None:
    budgets = {"openai": {"budget_limit": 0.5, "time_period": "1d"}}
    router = make_router(provider_budget_config=budgets, num_retries=0)
    await router.acompletion("smart", ask(alpha=[{}]))
    assert captured.value("llm_router.budget.limit.usd", scope="provider:openai") == 0.5
    assert captured.value("llm_router.budget.used.usd", scope="provider:openai") == 0
    router.cache.in_memory_cache.set_cache("provider_spend:openai:1d", 0.75)
    with pytest.raises(Exception, match="budget"):
        await router.acompletion("backup", ask(beta=[{}]))
    assert captured.value("llm_router.budget.used.usd", scope="provider:openai") == 0.75
    assert len(captured.events("llm_router.budget.exceeded")) == 1
    assert captured.value("llm_router.attempts") == providers["alpha"].record["attempts"] == 1


async def test_a_deployments_budget(make_router: Any, ask: Any, captured: testing.Captured) -> None:
    model = make_router.deployment("smart", "gpt-4o-mini", "alpha")
    model["litellm_params"].update(max_budget=0.25, budget_duration="1d")
    router = make_router(models=[model], num_retries=0)
    await router.acompletion("smart", ask(alpha=[{}]))
    assert captured.value("llm_router.budget.limit.usd", scope="deployment:alpha") == 0.25
    router.cache.in_memory_cache.set_cache("deployment_spend:alpha:1d", 0.3)
    with pytest.raises(Exception, match="budget"):
        await router.acompletion("smart", ask(alpha=[{}]))
    assert captured.value("llm_router.budget.used.usd", scope="deployment:alpha") == 0.3
    assert len(captured.events("llm_router.budget.exceeded")) == 1


async def test_an_answer_without_usage_is_not_one_with_none(
    make_router: Any, ask: Any, captured: testing.Captured
) -> None:
    await make_router().acompletion("smart", ask(alpha=[{"usage": None}]))
    assert captured.value("llm_router.usage.missing", reason="absent") == 1
    assert captured.value("llm_router.tokens") == 0
