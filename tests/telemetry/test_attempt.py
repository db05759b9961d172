"""One call to one deployment: its outcome, tokens, cost and span, counted once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.telemetry import Target


def _id(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


class ConnectionLostError(ConnectionError):
    """What a provider's SDK raises when its connection breaks."""


def test_an_attempt_outside_a_request_is_a_request_of_its_own(captured: testing.Captured, answer: Callable[..., Any]):
    given = answer(7, 3)
    with router.attempt("openai", "gpt-4o") as call:
        assert call.response(given) is given

    assert captured.value("llm_router.inference", model="gpt-4o", status="success") == 1
    assert captured.value("llm_router.attempts") == 1
    assert captured.value("llm_router.requests.in_flight") == 0
    assert sorted(span.name for span in captured.spans()) == ["chat gpt-4o", "route gpt-4o"]


def test_its_failure_is_the_failure_of_such_a_request(captured: testing.Captured):
    with pytest.raises(ConnectionLostError), router.attempt("openai", "gpt-4o"):
        raise ConnectionLostError

    assert captured.value("llm_router.inference", status="error") == 1
    assert captured.value("llm_router.attempts", status="error", error_type="connection") == 1
    assert captured.value("llm_router.errors", component="router", type="connection") == 1


def test_tokens_are_counted_by_type_and_who_counted(captured: testing.Captured, answer: Callable[..., Any]):
    with router.request(), router.attempt("openai", "gpt-4o") as call:
        call.response(
            answer(
                100,
                50,
                prompt_tokens_details=SimpleNamespace(cached_tokens=40),
                completion_tokens_details=SimpleNamespace(reasoning_tokens=20),
            )
        )
    with router.request(), router.attempt("ollama", "phi") as call:
        call.read_usage({"prompt_tokens": 7, "completion_tokens": 3}, "estimated")

    tokens = {
        tuple(point.labels[key] for key in ("provider", "type", "source")): point.value
        for point in captured.points("llm_router.tokens")
    }
    assert tokens == {
        ("openai", "input", "reported"): 100,
        ("openai", "output", "reported"): 50,
        ("openai", "cache_read", "reported"): 40,
        ("openai", "reasoning", "reported"): 20,
        ("ollama", "input", "estimated"): 7,
        ("ollama", "output", "estimated"): 3,
    }
    assert captured.points("llm_router.usage.missing", provider="openai") == []
    assert captured.value("llm_router.usage.missing", provider="ollama", reason="absent") == 1


def test_an_answer_without_usage_is_counted_as_missing(captured: testing.Captured):
    with router.request(), router.attempt("openai", "gpt-4o") as call:
        call.response(SimpleNamespace(model="gpt-4o", usage=None))

    assert captured.value("llm_router.usage.missing", provider="openai", model="gpt-4o", reason="absent") == 1
    assert captured.points("llm_router.tokens") == []


def test_a_failure_that_answered_nothing_has_no_usage_to_miss(captured: testing.Captured):
    with pytest.raises(ConnectionLostError), router.request(), router.attempt("openai", "gpt-4o"):
        raise ConnectionLostError

    assert captured.points("llm_router.usage.missing") == []
    assert captured.points("llm_router.cost.unpriced") == []


def test_tokens_of_a_failed_attempt_are_wasted_and_not_generated(
    captured: testing.Captured, answer: Callable[..., Any]
):
    with router.request(model="smart") as request:
        with contextlib.suppress(ConnectionLostError), request.attempt("openai", "gpt-4o") as call:
            call.response(answer(10, 6))
            raise ConnectionLostError
        with request.attempt("openai", "gpt-4o") as call:
            call.response(answer(10, 5))

    assert captured.value("llm_router.tokens.wasted", model="gpt-4o", reason="attempt_failed") == 6
    assert captured.value("llm_router.tokens.generated") == 5
    assert captured.value("llm_router.tokens", type="output") == 11


def test_cost_by_who_computed_it(captured: testing.Captured):
    with router.request(), router.attempt("openai", "gpt-4o") as call:
        call.cost(0.25)
    with router.request(), router.attempt("openai", "gpt-4o") as call:
        call.cost(0.5, "estimated")
        call.cost(99)  # it is known already
    with contextlib.suppress(ConnectionLostError), router.request(), router.attempt("openai", "gpt-4o") as call:
        call.cost(0.125)
        raise ConnectionLostError

    assert captured.value("llm_router.cost.usd", status="success", source="reported") == 0.25
    assert captured.value("llm_router.cost.usd", status="success", source="estimated") == 0.5
    assert captured.value("llm_router.cost.usd", status="error", source="reported") == 0.125
    assert captured.points("llm_router.cost.unpriced") == []


def test_a_success_without_a_cost_is_unpriced(captured: testing.Captured):
    with router.request(), router.attempt("openai", "gpt-4o"):
        pass

    assert captured.value("llm_router.cost.unpriced", provider="openai", model="gpt-4o") == 1
    assert captured.points("llm_router.cost.usd") == []


def test_a_cost_may_be_learned_late(captured: testing.Captured):
    with router.request(), router.attempt("openai", "gpt-4o") as call:
        call.await_cost()
    assert captured.points("llm_router.cost.unpriced") == []
    call.cost(0.25)
    call.cost(0.25)
    call.no_cost()
    assert captured.value("llm_router.cost.usd", status="success") == 0.25
    assert captured.points("llm_router.cost.unpriced") == []


def test_or_be_given_up(captured: testing.Captured):
    with router.request(), router.attempt("openai", "gpt-4o") as call:
        call.await_cost()
    call.no_cost()
    call.no_cost()
    assert captured.value("llm_router.cost.unpriced") == 1


@pytest.mark.parametrize("usd", [float("nan"), float("inf"), -1, "1.5", None, 2**70, 10**400, True, object()])
def test_what_is_no_amount_of_money_is_no_cost(captured: testing.Captured, usd: object):
    with router.request(), router.attempt("openai", "gpt-4o") as call:
        call.cost(usd)

    assert captured.points("llm_router.cost.usd") == []
    assert captured.value("llm_router.cost.unpriced") == 1


def test_its_span_says_what_was_asked_and_what_came(captured: testing.Captured, answer: Callable[..., Any]):
    with router.request(model="smart") as request:
        target = Target("azure", "gpt-4o", deployment="eu-1", address="eu.example.com", port=8443)
        with request.begin_attempt(target) as call:
            call.response(
                answer(
                    100,
                    50,
                    prompt_tokens_details={"cached_tokens": 40},
                    cache_creation_input_tokens=8,
                    completion_tokens_details={"reasoning_tokens": 20},
                )
            )
            call.cost(0.25)

    (span,) = captured.spans("chat gpt-4o")
    assert dict(span.attributes or {}) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "azure.ai.openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.response.model": "gpt-4o-2024-08-06",
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 50,
        "gen_ai.usage.cache_read.input_tokens": 40,
        "gen_ai.usage.cache_write.input_tokens": 8,
        "gen_ai.usage.reasoning.output_tokens": 20,
        "server.address": "eu.example.com",
        "server.port": 8443,
        "llm_router.deployment.id": "eu-1",
        "llm_router.attempt.number": 1,
        "llm_router.attempt.reason": "initial",
        "llm_router.outcome": "success",
        "llm_router.usage.source": "reported",
        "llm_router.cost.usd": 0.25,
    }
    assert span.status.status_code is StatusCode.UNSET


def test_an_answer_may_be_a_mapping(captured: testing.Captured):
    with router.request(), router.attempt("openai", "gpt-4o") as call:
        call.response(
            {
                "id": "chatcmpl-2",
                "model": "gpt-4o-mini",
                "choices": [{"finish_reason": "length"}],
                "usage": {"prompt_tokens": 3, "completion_tokens": 4},
            }
        )

    (span,) = captured.spans("chat gpt-4o")
    attributes = dict(span.attributes or {})
    assert attributes["gen_ai.response.model"] == "gpt-4o-mini"
    assert attributes["gen_ai.response.id"] == "chatcmpl-2"
    assert attributes["gen_ai.response.finish_reasons"] == ("length",)
    assert captured.value("llm_router.tokens") == 7


def test_other_operations_than_chat_keep_their_name(captured: testing.Captured):
    with router.request(), router.attempt("openai", "ada", operation="embeddings"):
        pass

    (span,) = captured.spans("embeddings ada")
    assert (span.attributes or {})["gen_ai.operation.name"] == "embeddings"


def test_a_cancelled_call_is_aborted_and_no_error(captured: testing.Captured):
    async def main() -> None:
        async with router.request(model="smart"), router.attempt("openai", "gpt-4o"):
            await asyncio.Event().wait()

    async def cancelled() -> None:
        task = asyncio.create_task(main())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert captured.value("llm_router.attempts", status="aborted", error_type="cancelled") == 1
    assert captured.value("llm_router.inference", status="aborted") == 1
    assert captured.points("llm_router.errors") == []
    (span,) = captured.spans("chat gpt-4o")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "cancelled"


def test_it_ends_once(captured: testing.Captured):
    with router.request() as request:
        call = request.attempt("openai", "gpt-4o")
        call.end()
        call.fail(ConnectionLostError())
        call.end("aborted", "cancelled")

    assert [(p.labels["status"], p.value) for p in captured.points("llm_router.attempts")] == [("success", 1)]
    assert len(captured.spans("chat gpt-4o")) == 1


def test_attempts_in_flight_fall_where_they_rose(captured: testing.Captured):
    """A model beyond the bound at the start has its own label at the end, once its answer vouched for it."""
    for number in range(500):
        router.saved(1, model=f"junk-{number}")

    with router.request(), router.attempt("openai", "late-model"):
        assert captured.value("llm_router.attempts.in_flight") == 1
    assert captured.value("llm_router.attempts", model="late-model") == 1
    with router.request(), router.attempt("openai", "late-model"):
        assert captured.value("llm_router.attempts.in_flight", model="late-model") == 1

    assert captured.value("llm_router.attempts", model="late-model") == 2
    assert {point.value for point in captured.points("llm_router.attempts.in_flight")} == {0}


def test_the_attempt_in_flight_is_current_inside_its_block_only(captured: testing.Captured):
    tracer = captured.tracer_provider.get_tracer("application")
    with router.request(), router.attempt("openai", "gpt-4o"), tracer.start_as_current_span("inside"):
        pass
    with tracer.start_as_current_span("after"):
        pass

    (inside,) = captured.spans("inside")
    (chat,) = captured.spans("chat gpt-4o")
    (after,) = captured.spans("after")
    assert inside.parent is not None
    assert inside.parent.span_id == _id(chat)
    assert after.parent is None


def test_a_call_made_to_decide_is_no_answer_of_the_request(captured: testing.Captured, answer: Callable[..., Any]):
    with router.request(model="smart") as request:
        with request.attempt("openai", "judge", reason="routing") as call:
            call.response(answer(3, 1))
        with request.attempt("openai", "gpt-4o") as call:
            call.response(answer(10, 5))

    assert captured.value("llm_router.attempts") == 2
    assert captured.value("llm_router.tokens", type="output") == 6
    assert captured.value("llm_router.tokens.generated", model="gpt-4o") == 5
    assert captured.value("llm_router.tokens.generated") == 5
    assert captured.points("llm_router.retries") == []
    assert captured.points("llm_router.fallbacks") == []


def test_an_attempt_that_is_withdrawn_was_none(captured: testing.Captured):
    with router.request("smart") as request:
        given_up = request.attempt("openai", "gpt-4o")
        given_up.withdraw()
        given_up.end()
        given_up.withdraw()
        with request.attempt("openai", "gpt-4o") as made:
            pass
    assert made.number == 1
    assert captured.value("llm_router.attempts") == 1
    assert captured.value("llm_router.attempts.in_flight") == 0
    assert [span.name for span in captured.spans()] == ["chat gpt-4o", "route smart"]
