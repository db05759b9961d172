"""Requests, attempts, retries, fallbacks, decisions: exactly once, by the upstreams' own record."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from otel_llm_router import telemetry, testing


async def test_a_request(make_router: Any, ask: Any, captured: testing.Captured, providers: Any) -> None:
    router = make_router()
    response = await router.acompletion("smart", ask(alpha=[{"prompt_tokens": 11, "completion_tokens": 7}]))
    assert type(response).__name__ == "ModelResponse"
    assert (
        captured.value(
            "llm_router.inference", model="gpt-4o-mini", strategy="simple-shuffle", status="success", cached="false"
        )
        == 1
    )
    assert captured.value("llm_router.attempts", provider="openai", model="gpt-4o-mini", status="success") == 1
    assert captured.value("llm_router.tokens", type="input", source="reported") == 11
    assert captured.value("llm_router.tokens", type="output", source="reported") == 7
    assert captured.value("llm_router.tokens.generated", model="gpt-4o-mini") == 7
    assert captured.count("llm_router.inference.duration") == 1
    assert captured.count("llm_router.overhead") == 1
    assert captured.value("llm_router.requests.in_flight") == 0
    assert captured.value("llm_router.attempts.in_flight") == 0
    assert captured.value("llm_router.cost.usd", source="reported") == pytest.approx(
        response._hidden_params["response_cost"]
    )
    assert providers["alpha"].record["attempts"] == 1


async def test_three_failed_attempts_and_a_fallback_are_four_attempts(
    make_router: Any, ask: Any, captured: testing.Captured, providers: Any
) -> None:
    router = make_router(fallbacks=[{"smart": ["backup"]}])
    failing = [{"status": 500}, {"status": 503}, {"status": 500}]
    await router.acompletion("smart", ask(alpha=failing, beta=[{"completion_tokens": 5}]))

    assert providers["alpha"].record["attempts"] == 3
    assert providers["beta"].record["attempts"] == 1
    assert captured.value("llm_router.inference", model="gpt-4o", status="success") == 1
    assert captured.value("llm_router.inference") == 1
    assert captured.value("llm_router.attempts", model="gpt-4o-mini", error_type="server_error") == 3
    assert captured.value("llm_router.attempts", model="gpt-4o", status="success") == 1
    assert captured.value("llm_router.retries", model="smart", error_type="server_error") == 2
    assert captured.value("llm_router.fallbacks", from_model="smart", to_model="backup", status="success") == 1
    assert captured.value("llm_router.errors", component="upstream", severity="warning") == 3
    assert captured.value("llm_router.errors", component="router") == 0

    attempts = [span for span in captured.spans() if span.kind is SpanKind.CLIENT]
    (route,) = (span for span in captured.spans() if span.kind is SpanKind.INTERNAL)
    assert [span.name for span in attempts] == ["chat gpt-4o-mini"] * 3 + ["chat gpt-4o"]
    deployments = [(span.attributes or {})["llm_router.deployment.id"] for span in attempts]
    assert deployments == ["alpha", "alpha", "alpha", "beta"]
    reasons = [(span.attributes or {})["llm_router.attempt.reason"] for span in attempts]
    assert reasons == ["initial", "retry", "retry", "fallback"]
    statuses = [(span.attributes or {}).get("http.response.status_code") for span in attempts]
    assert statuses == [500, 503, 500, None]
    assert [span.status.status_code for span in attempts] == [StatusCode.ERROR] * 3 + [StatusCode.UNSET]
    assert {span.parent.span_id for span in attempts if span.parent} == {route.get_span_context().span_id}  # pyright: ignore[reportOptionalMemberAccess]
    ends = [span.end_time for span in attempts]
    assert ends == sorted(ends)  # pyright: ignore[reportArgumentType]
    assert route.start_time <= attempts[0].start_time  # pyright: ignore[reportOperatorIssue]
    assert route.end_time >= attempts[-1].end_time  # pyright: ignore[reportOperatorIssue]
    assert [event.name for event in route.events].count("llm_router.retry") == 2
    assert [event.name for event in route.events].count("llm_router.fallback") == 1


async def test_every_deployment_fails(make_router: Any, ask: Any, captured: testing.Captured, providers: Any) -> None:
    router = make_router(fallbacks=[{"smart": ["backup"]}], num_retries=1)
    with pytest.raises(Exception, match="simulated failure") as raised:
        await router.acompletion("smart", ask(alpha=[{"status": 500}], beta=[{"status": 429}]))
    assert "InternalServerError" in type(raised.value).__name__ or "RateLimit" in type(raised.value).__name__
    assert captured.value("llm_router.inference", model="smart", status="error") == 1
    attempts = providers["alpha"].record["attempts"] + providers["beta"].record["attempts"]
    assert captured.value("llm_router.attempts", status="error") == attempts
    assert captured.value("llm_router.attempts", error_type="rate_limit") == providers["beta"].record["errors.429"]
    assert captured.value("llm_router.rate_limit.hits", model="gpt-4o") == providers["beta"].record["errors.429"]
    assert captured.value("llm_router.fallbacks", status="error") == 1
    retries = {group: captured.value("llm_router.retries", model=group) for group in ("smart", "backup")}
    assert retries == {
        "smart": providers["alpha"].record["attempts"] - 1,
        "backup": providers["beta"].record["attempts"] - 1,
    }
    (route,) = captured.spans("route smart")
    named = [(event.attributes or {})["llm_router.request.model"] for event in route.events if "retry" in event.name]
    assert named == ["smart"] * int(retries["smart"]) + ["backup"] * int(retries["backup"])
    assert captured.value("llm_router.errors", component="router", severity="error") == 1
    (event,) = captured.events("llm_router.inference.error")
    assert event.attributes["llm_router.attempt.count"] == attempts


async def test_the_exception_is_the_routers_own(make_router: Any, ask: Any, captured: testing.Captured) -> None:
    router = make_router(num_retries=0)
    with pytest.raises(Exception, match="simulated failure") as with_us:
        await router.acompletion("smart", ask(alpha=[{"status": 401}]))
    litellm = pytest.importorskip("litellm")
    assert type(with_us.value) is litellm.AuthenticationError
    assert captured.value("llm_router.attempts", error_type="authentication") == 1


async def test_decisions_name_candidates_and_choice(make_router: Any, ask: Any, captured: testing.Captured) -> None:
    models = [
        make_router.deployment("smart", "gpt-4o-mini", "alpha"),
        make_router.deployment("smart", "gpt-4o", "beta"),
    ]
    router = make_router(models=models)
    for _ in range(10):
        await router.acompletion("smart", ask(alpha=[{}], beta=[{}]))
    assert captured.value("llm_router.decisions", strategy="simple-shuffle", reason="strategy") == 10
    assert captured.count("llm_router.decision.duration", strategy="simple-shuffle") == 10
    route = captured.spans("route smart")[0]
    assert route.attributes is not None
    assert set(route.attributes["llm_router.decision.candidates"]) == {"alpha", "beta"}  # pyright: ignore[reportArgumentType]
    assert route.attributes["llm_router.decision.chosen"] in {"alpha", "beta"}
    chosen = captured.value("llm_router.decisions", model="gpt-4o-mini")
    assert chosen == captured.value("llm_router.attempts", model="gpt-4o-mini")


async def test_a_custom_strategy_is_seen(make_router: Any, ask: Any, captured: testing.Captured) -> None:
    base: Any = pytest.importorskip("litellm.types.router").CustomRoutingStrategyBase
    router = make_router()
    models = router.model_list

    class Last(base):
        async def async_get_available_deployment(self, *_args: Any, **_kwargs: Any) -> Any:
            return models[-1]

        def get_available_deployment(self, *_args: Any, **_kwargs: Any) -> Any:
            return models[-1]

    router.set_custom_routing_strategy(Last())
    await router.acompletion("smart", ask(alpha=[{}], beta=[{}]))
    assert captured.value("llm_router.decisions", strategy="custom", model="gpt-4o") == 1
    assert captured.value("llm_router.inference", model="gpt-4o", strategy="custom") == 1


async def test_no_deployment_is_a_failed_request_without_an_attempt(
    make_router: Any, ask: Any, captured: testing.Captured, providers: Any
) -> None:
    router = make_router(disable_cooldowns=False, allowed_fails=0, cooldown_time=30, num_retries=0)
    for _ in range(3):
        with pytest.raises(Exception):  # noqa: B017, PT011  # its class differs between releases
            await router.acompletion("smart", ask(alpha=[{"status": 429}]))
    attempts = providers["alpha"].record["attempts"]
    assert captured.value("llm_router.attempts") == attempts
    assert captured.value("llm_router.inference", status="error") == 3
    assert captured.value("llm_router.decisions", reason="none_available") == 3 - attempts


async def test_cooldowns(make_router: Any, ask: Any, captured: testing.Captured) -> None:
    models = [
        make_router.deployment("smart", "gpt-4o-mini", "alpha"),
        make_router.deployment("smart", "gpt-4o", "beta"),
    ]
    router = make_router(models=models, disable_cooldowns=False, cooldown_time=60)
    for _ in range(50):
        await router.acompletion("smart", ask(alpha=[{"status": 429}, {}], beta=[{}]))
        if captured.value("llm_router.cooldowns"):
            break
    cooldowns = captured.value("llm_router.cooldowns", provider="openai", model="gpt-4o-mini", error_type="rate_limit")
    assert cooldowns >= 1
    assert captured.value("llm_router.deployment.state", deployment="alpha") == 1
    assert captured.value("llm_router.deployment.state", deployment="beta") == 0
    (event, *_) = captured.events("llm_router.cooldown.entered")
    assert event.attributes["llm_router.cooldown.seconds"] > 0


async def test_embeddings(make_router: Any, captured: testing.Captured, providers: Any) -> None:
    router = make_router(models=[make_router.deployment("embed", "text-embedding-3-small", "alpha")])
    response = await router.aembedding("embed", input=["one", "two"])
    assert len(response.data) == 2
    assert captured.value("llm_router.attempts", model="text-embedding-3-small", status="success") == 1
    assert captured.value("llm_router.tokens", type="input") == providers["alpha"].record["tokens.input"]
    assert [span.name for span in captured.spans()] == ["embeddings text-embedding-3-small", "route embed"]


def test_the_synchronous_api(make_router: Any, ask: Any, captured: testing.Captured, providers: Any) -> None:
    router = make_router(fallbacks=[{"smart": ["backup"]}], num_retries=1)
    router.completion("smart", ask(alpha=[{"status": 500}], beta=[{"completion_tokens": 3}]))
    assert captured.value("llm_router.inference", status="success") == 1
    assert captured.value("llm_router.attempts", status="error") == providers["alpha"].record["errors"]
    assert captured.value("llm_router.attempts", status="success") == 1
    assert captured.value("llm_router.tokens", type="output") == 3


async def test_the_synchronous_api_inside_a_loop_keeps_the_callers_span(
    make_router: Any, ask: Any, captured: testing.Captured
) -> None:
    router = make_router()
    tracer = captured.tracer_provider.get_tracer("application")
    with tracer.start_as_current_span("caller") as caller:
        router.completion("smart", ask(alpha=[{}]))
    (route,) = captured.spans("route smart")
    assert route.parent is not None
    assert route.parent.span_id == caller.get_span_context().span_id


async def test_a_request_of_the_application_is_joined_not_doubled(
    make_router: Any, ask: Any, captured: testing.Captured
) -> None:
    router = make_router(fallbacks=[{"smart": ["backup"]}], num_retries=0)
    with telemetry.request(model="mine", strategy="house rule"):
        await router.acompletion("smart", ask(alpha=[{"status": 500}], beta=[{"completion_tokens": 4}]))
    assert captured.value("llm_router.inference") == 1
    assert captured.value("llm_router.inference", model="gpt-4o", strategy="house rule") == 1
    assert captured.value("llm_router.attempts") == 2
    assert captured.value("llm_router.fallbacks", from_model="smart", to_model="backup") == 1
    assert len(captured.spans("route mine")) == 1


async def test_an_attempt_block_around_the_router_is_no_further_attempt(
    make_router: Any, ask: Any, captured: testing.Captured, providers: Any
) -> None:
    router = make_router()
    plan = [{"status": 500}, {"prompt_tokens": 11, "completion_tokens": 7}]
    async with telemetry.request("smart"), telemetry.attempt("openai", "gpt-4o-mini") as attempt:
        attempt.response(await router.acompletion("smart", ask(alpha=plan)))
    assert captured.value("llm_router.inference") == 1
    assert captured.value("llm_router.attempts") == providers["alpha"].record["attempts"] == 2
    assert captured.value("llm_router.attempts", status="error") == 1
    assert captured.value("llm_router.tokens", type="input") == 11
    assert captured.value("llm_router.tokens", type="output") == 7
    assert captured.value("llm_router.retries") == 1
    assert captured.value("llm_router.attempts.in_flight") == captured.value("llm_router.requests.in_flight") == 0
    assert len([span for span in captured.spans() if span.kind is SpanKind.CLIENT]) == 2


async def test_sums_are_exact_under_concurrency(
    make_router: Any, ask: Any, captured: testing.Captured, providers: Any
) -> None:
    router = make_router(fallbacks=[{"smart": ["backup"]}], num_retries=1)

    async def one(number: int) -> bool:
        alpha: list[dict[str, int]] = [{"status": 500}] if number % 3 == 0 else [{}]
        if number % 3 == 1:
            alpha = [{"status": 429, "retry_after": 0}, {}]
        beta: list[dict[str, int]] = [{"status": 503}] if number % 9 == 0 else [{}]
        try:
            await router.acompletion("smart", ask(alpha=alpha, beta=beta))
        except Exception:  # noqa: BLE001
            return False
        return True

    answered = await asyncio.gather(*(one(number) for number in range(60)))
    record = providers["alpha"].record + providers["beta"].record
    assert captured.value("llm_router.inference") == 60
    assert captured.value("llm_router.inference", status="success") == sum(answered)
    assert captured.value("llm_router.attempts") == record["attempts"]
    assert captured.value("llm_router.attempts", status="error") == record["errors"]
    assert captured.value("llm_router.tokens", type="input") == record["tokens.input"]
    assert captured.value("llm_router.tokens", type="output") == record["tokens.output"]
    assert captured.value("llm_router.requests.in_flight") == 0
    assert len([span for span in captured.spans() if span.kind is SpanKind.CLIENT]) == record["attempts"]


async def test_cancellation_is_an_abort(
    make_router: Any, eventually: Any, ask: Any, captured: testing.Captured
) -> None:
    router = make_router()
    task = asyncio.create_task(router.acompletion("smart", ask(alpha=[{"latency": 30}])))
    assert await eventually(lambda: captured.value("llm_router.attempts.in_flight") == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert captured.value("llm_router.inference", status="aborted") == 1
    assert captured.value("llm_router.attempts", status="aborted", error_type="cancelled") == 1
    assert captured.value("llm_router.errors") == 0


async def test_nothing_secret_and_no_content_leaves(make_router: Any, ask: Any, captured: testing.Captured) -> None:
    router = make_router(num_retries=0)
    canary = "the patient's name is Jane Canary"
    messages = [
        *ask(alpha=[{}]),
    ]
    messages.insert(0, {"role": "system", "content": canary})
    await router.acompletion("smart", messages)
    with pytest.raises(Exception):  # noqa: B017, PT011
        await router.acompletion("smart", [{"role": "system", "content": canary}, *ask(alpha=[{"status": 400}])])
    everything = " ".join(
        [span.to_json() for span in captured.spans()]
        + [str(event.attributes) + str(event.body) for event in captured.events()]
        + [str(captured.points(name)) for name in captured.metric_names()]
    )
    assert "Canary" not in everything
    assert "sk-secret-key" not in everything
    assert "simulated failure" not in everything
