"""A routed request: begun once, ended once, counted once, with the truth about how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from otel_llm_router import telemetry as router
from otel_llm_router import testing


def _id(span: ReadableSpan) -> int:
    assert span.context is not None
    return span.context.span_id


class ProviderError(Exception):
    """What a provider's SDK raises; its status code says what went wrong."""

    def __init__(self, status_code: int) -> None:
        super().__init__("secret prompt text")
        self.status_code = status_code


def test_a_request_that_answers_is_one_success(captured: testing.Captured, answer: Callable[..., Any]):
    with router.request(model="smart", strategy="cheapest", user="ada"), router.attempt("openai", "gpt-4o") as call:
        call.response(answer(10, 5))

    assert (
        captured.value("llm_router.inference", model="gpt-4o", strategy="cheapest", status="success", cached="false")
        == 1
    )
    assert captured.value("llm_router.inference") == 1
    assert captured.count("llm_router.inference.duration", model="gpt-4o", strategy="cheapest") == 1
    assert captured.value("llm_router.tokens.generated", model="gpt-4o", strategy="cheapest") == 5
    assert captured.count("llm_router.tokens_per_second", model="gpt-4o") == 1
    assert captured.count("llm_router.overhead", strategy="cheapest") == 1
    assert captured.value("llm_router.requests.in_flight") == 0
    assert captured.points("llm_router.errors") == []
    assert captured.events() == []


def test_its_span_is_the_parent_of_its_attempts(captured: testing.Captured):
    with router.request(model="smart", strategy="cheapest", user="ada"), router.attempt("openai", "gpt-4o"):
        pass

    attempt, route = captured.spans()
    assert (route.name, route.kind) == ("route smart", SpanKind.INTERNAL)
    assert (attempt.name, attempt.kind) == ("chat gpt-4o", SpanKind.CLIENT)
    assert attempt.parent is not None
    assert attempt.parent.span_id == _id(route)
    assert route.parent is None
    assert route.status.status_code is StatusCode.UNSET
    assert dict(route.attributes or {}) == {
        "llm_router.request.model": "smart",
        "llm_router.response.model": "gpt-4o",
        "llm_router.strategy": "cheapest",
        "llm_router.outcome": "success",
        "llm_router.cached": False,
        "llm_router.attempt.count": 1,
        "user.id": "ada",
    }


def test_a_request_without_names_is_unknown_and_not_missing(captured: testing.Captured):
    with router.request():
        pass

    assert [point.labels for point in captured.points("llm_router.inference")] == [
        {"model": "unknown", "strategy": "unknown", "status": "success", "cached": "false"}
    ]
    assert [span.name for span in captured.spans()] == ["route unknown"]


def test_an_exception_makes_it_an_error_and_goes_on_to_the_caller(captured: testing.Captured):
    raised = ProviderError(503)
    with pytest.raises(ProviderError) as caught, router.request(model="smart"):
        raise raised

    assert caught.value is raised
    assert captured.value("llm_router.inference", status="error", model="smart") == 1
    assert captured.value("llm_router.errors", type="server_error", component="router", severity="error") == 1
    (span,) = captured.spans("route smart")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "server_error"
    (event,) = captured.events("llm_router.inference.error")
    assert event.attributes["error.type"] == "server_error"
    assert span.context is not None
    assert event.trace_id == span.context.trace_id
    assert event.span_id == _id(span)


def test_no_message_of_an_exception_is_exported(captured: testing.Captured):
    with pytest.raises(ProviderError), router.request(model="smart"), router.attempt("openai", "gpt-4o"):
        raise ProviderError(400)

    exported = repr([(span.name, span.attributes, span.status, span.events) for span in captured.spans()])
    exported += repr([(event.body, event.attributes) for event in captured.events()])
    assert "bad_request" in exported
    assert "secret" not in exported


@pytest.mark.parametrize(
    ("raised", "error_type"), [(asyncio.CancelledError(), "cancelled"), (GeneratorExit(), "client_disconnect")]
)
def test_a_cancellation_aborts_it_and_is_no_error(captured: testing.Captured, raised: BaseException, error_type: str):
    with pytest.raises(type(raised)), router.request(model="smart"):
        raise raised

    assert captured.value("llm_router.inference", status="aborted") == 1
    assert captured.value("llm_router.inference") == 1
    assert captured.points("llm_router.errors") == []
    assert captured.points("llm_router.stream.aborts") == []
    (event,) = captured.events()
    assert (event.event_name, event.attributes["error.type"]) == ("llm_router.inference.aborted", error_type)
    (span,) = captured.spans()
    assert span.status.status_code is StatusCode.ERROR


def test_three_failures_and_a_fallback_are_four_attempts_of_one_request(
    captured: testing.Captured, answer: Callable[..., Any]
):
    with router.request(model="smart", strategy="cheapest") as request:
        for status in (429, 500, 503):
            with pytest.raises(ProviderError), request.attempt("openai", "gpt-4o", deployment="eu-1"):
                raise ProviderError(status)
        with request.attempt("anthropic", "claude", deployment="us-2") as call:
            call.response(answer(10, 5, model="claude"))

    assert captured.value("llm_router.inference", model="claude", status="success") == 1
    assert captured.value("llm_router.inference") == 1
    attempts = {
        tuple(point.labels[key] for key in ("provider", "model", "status", "error_type")): point.value
        for point in captured.points("llm_router.attempts")
    }
    assert attempts == {
        ("openai", "gpt-4o", "error", "rate_limit"): 1,
        ("openai", "gpt-4o", "error", "server_error"): 2,
        ("anthropic", "claude", "success", ""): 1,
    }
    assert captured.count("llm_router.attempt.duration") == 4
    assert {tuple(p.labels.values()): p.value for p in captured.points("llm_router.retries")} == {
        ("smart", "rate_limit"): 1,
        ("smart", "server_error"): 1,
    }
    assert captured.count("llm_router.retry.backoff", model="smart") == 2
    assert [(point.labels, point.value) for point in captured.points("llm_router.fallbacks")] == [
        ({"from_model": "gpt-4o", "to_model": "claude", "status": "success"}, 1)
    ]
    assert captured.value("llm_router.errors", component="upstream", severity="warning") == 3
    assert captured.points("llm_router.errors", component="router") == []
    assert captured.points("llm_router.stream.aborts") == []
    assert captured.value("llm_router.rate_limit.hits", provider="openai", model="gpt-4o") == 1
    assert captured.value("llm_router.attempts.in_flight") == 0
    assert captured.value("llm_router.requests.in_flight") == 0

    (route,) = captured.spans("route smart")
    assert (route.attributes or {})["llm_router.attempt.count"] == 4
    assert [event.name for event in route.events] == ["llm_router.retry", "llm_router.retry", "llm_router.fallback"]
    spans = [span for span in captured.spans() if span.kind is SpanKind.CLIENT]
    seen = [
        tuple(
            (span.attributes or {}).get(key)
            for key in (
                "llm_router.attempt.number",
                "llm_router.attempt.reason",
                "llm_router.deployment.id",
                "llm_router.outcome",
                "error.type",
                "http.response.status_code",
            )
        )
        for span in spans
    ]
    assert seen == [
        (1, "initial", "eu-1", "error", "rate_limit", 429),
        (2, "retry", "eu-1", "error", "server_error", 500),
        (3, "retry", "eu-1", "error", "server_error", 503),
        (4, "fallback", "us-2", "success", None, None),
    ]
    assert all(span.parent is not None and span.parent.span_id == _id(route) for span in spans)


def test_when_every_deployment_fails_the_fallback_failed_too(captured: testing.Captured):
    def routed() -> None:
        with router.request(model="smart") as request:
            request.failed_attempt("eu-1", ProviderError(500), provider="openai", model="gpt-4o")
            with request.attempt("anthropic", "claude"):
                raise ProviderError(529)

    with pytest.raises(ProviderError):
        routed()

    assert captured.value("llm_router.fallbacks", from_model="gpt-4o", to_model="claude", status="error") == 1
    assert captured.value("llm_router.attempts", status="error") == 2
    assert captured.value("llm_router.inference", status="error") == 1
    (event,) = captured.events("llm_router.fallback")
    assert event.attributes["llm_router.outcome"] == "error"


def test_a_move_told_by_hand_ends_once(captured: testing.Captured):
    with router.request(model="smart") as request:
        move = request.fallback("gpt-4o", "claude", "rate_limit")
        assert captured.points("llm_router.fallbacks") == []
        move.end("success")
        move.end("error")

    assert [(point.labels, point.value) for point in captured.points("llm_router.fallbacks")] == [
        ({"from_model": "gpt-4o", "to_model": "claude", "status": "success"}, 1)
    ]
    (span,) = captured.spans()
    (event,) = span.events
    assert dict(event.attributes or {}) == {
        "llm_router.fallback.from": "gpt-4o",
        "llm_router.fallback.to": "claude",
        "llm_router.previous.error_type": "rate_limit",
    }


def test_a_second_call_after_a_successful_one_is_neither_retry_nor_fallback(captured: testing.Captured):
    with router.request(model="smart") as request:
        with request.attempt("openai", "small"):
            pass
        with request.attempt("openai", "small"):
            pass
        with request.attempt("anthropic", "claude"):
            pass

    assert captured.points("llm_router.retries") == []
    assert captured.points("llm_router.fallbacks") == []
    reasons = [(span.attributes or {})["llm_router.attempt.reason"] for span in captured.spans()[:3]]
    assert reasons == ["initial", "initial", "initial"]
    assert captured.value("llm_router.attempts", status="success") == 3


def test_an_attempt_given_up_at_a_timeout_is_followed_by_a_retry(captured: testing.Captured):
    async def hang(request: router.Request) -> None:
        with request.attempt("openai", "gpt-4o"):
            await asyncio.Event().wait()

    async def main() -> None:
        with router.request(model="smart") as request:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(hang(request), 0.001)
            with request.attempt("openai", "gpt-4o"):
                pass

    asyncio.run(main())
    assert captured.value("llm_router.retries", model="smart", error_type="cancelled") == 1
    assert captured.value("llm_router.attempts", status="aborted", error_type="cancelled") == 1
    assert captured.value("llm_router.inference", status="success") == 1


def test_failed_attempts_may_be_told_afterwards(captured: testing.Captured):
    with router.request(model="smart") as request:
        request.failed_attempt("eu-1", ProviderError(429), provider="openai", model="gpt-4o")
        request.failed_attempt("eu-1", ProviderError(429), provider="openai", model="gpt-4o")
        with request.attempt("openai", "gpt-4o"):
            pass

    assert captured.value("llm_router.attempts") == 3
    assert captured.value("llm_router.retries") == 2
    assert len(captured.spans("chat gpt-4o")) == 3


def test_an_attempt_told_afterwards_began_where_the_one_before_it_ended(
    captured: testing.Captured, monkeypatch: pytest.MonkeyPatch
):
    now = [0]
    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])
    with router.request(model="smart") as request:
        now[0] += 2_000_000_000
        request.failed_attempt("eu-1", ProviderError(500))
        now[0] += 3_000_000_000
        request.failed_attempt("us-1", ProviderError(500))
        now[0] += 1_000_000_000
        with request.decision(["ap-1"]) as decision:
            decision.select("ap-1")
        now[0] += 4_000_000_000
        request.failed_attempt("ap-1", ProviderError(500))

    durations = {p.labels["model"]: p.value for p in captured.points("llm_router.attempt.duration")}
    assert durations == {"eu-1": pytest.approx(2), "us-1": pytest.approx(3), "ap-1": pytest.approx(4)}
    assert captured.value("llm_router.overhead") == pytest.approx(1)


def test_requests_are_in_flight_until_they_end(captured: testing.Captured):
    with router.request(), router.request():
        assert captured.value("llm_router.requests.in_flight") == 2
    assert captured.value("llm_router.requests.in_flight") == 0


def _ends(request: router.Request) -> dict[str, Callable[[], None]]:
    return {
        "end": request.end,
        "abort": lambda: request.end("aborted", "client_disconnect"),
        "fail": lambda: request.fail(ProviderError(500)),
    }


@pytest.mark.parametrize("order", list(itertools.permutations(["end", "abort", "fail", "stream", "close", "gc"], 2)))
def test_it_ends_exactly_once_in_whatever_order_ends_come(captured: testing.Captured, order: tuple[str, ...]):
    def upstream() -> Generator[str]:
        yield "a"
        yield "b"

    with router.request(model="smart") as request:
        stream: Generator[str] | None = request.stream(upstream(), model="gpt-4o", provider="openai")
        next(stream)
    for step in order:
        if step == "stream" and stream is not None:
            list(stream)
        elif step == "close" and stream is not None:
            stream.close()
        elif step == "gc":
            stream = None
            gc.collect()
        elif step in _ends(request):
            _ends(request)[step]()
    del stream
    gc.collect()

    expected = {"end": "success", "stream": "success", "close": "aborted", "gc": "aborted", "abort": "aborted"}
    assert [(p.labels["status"], p.value) for p in captured.points("llm_router.inference")] == [
        (expected.get(order[0], "error"), 1)
    ]
    assert captured.value("llm_router.attempts") == 1
    assert captured.count("llm_router.inference.duration") == 1
    assert captured.value("llm_router.requests.in_flight") == 0
    assert captured.value("llm_router.attempts.in_flight") == 0
    assert len(captured.spans("route smart")) == 1
    assert len(captured.spans("chat gpt-4o")) == 1


def test_racing_threads_end_it_once(captured: testing.Captured):
    for _ in range(50):
        request = router.request(model="smart")
        barrier = threading.Barrier(4)

        def race(end: Callable[[], None], barrier: threading.Barrier = barrier) -> None:
            barrier.wait()
            end()

        ends = [request.end, request.end, *_ends(request).values()][:4]
        threads = [threading.Thread(target=race, args=(end,)) for end in ends]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert captured.value("llm_router.inference") == 50
    assert captured.value("llm_router.requests.in_flight") == 0
    assert len(captured.spans()) == 50


def test_counts_are_exact_under_tasks_and_threads_mixed(captured: testing.Captured, answer: Callable[..., Any]):
    tasks, threads = 150, 100

    async def routed(number: int) -> None:
        with router.request(model="smart", strategy="s"):
            for _ in range(number % 3):
                with contextlib.suppress(ProviderError):
                    async with router.attempt("openai", "gpt-4o"):
                        await asyncio.sleep(0)
                        raise ProviderError(500)
            async with router.attempt("anthropic", "claude") as call:
                await asyncio.sleep(0)
                call.response(answer(number, 2))
            if number % 10 == 0:
                raise ProviderError(400)

    def threaded(number: int) -> None:
        asyncio.run(routed(number))

    async def main() -> list[BaseException | None]:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(8) as pool:
            return await asyncio.gather(
                *(routed(number) for number in range(tasks)),
                *(loop.run_in_executor(pool, threaded, number) for number in range(threads)),
                return_exceptions=True,
            )

    results = asyncio.run(main())
    numbers = [*range(tasks), *range(threads)]
    failed = sum(1 for number in numbers if number % 10 == 0)
    extra = sum(number % 3 for number in numbers)
    assert sum(isinstance(result, ProviderError) for result in results) == failed
    assert captured.value("llm_router.inference") == len(numbers)
    assert captured.value("llm_router.inference", status="error") == failed
    assert captured.value("llm_router.attempts") == len(numbers) + extra
    assert captured.value("llm_router.attempts", provider="openai", status="error") == extra
    assert captured.count("llm_router.attempt.duration") == len(numbers) + extra
    assert captured.value("llm_router.tokens", type="input") == sum(numbers)
    assert captured.value("llm_router.tokens", type="output") == 2 * len(numbers)
    assert captured.value("llm_router.tokens.generated") == 2 * len(numbers)
    assert captured.value("llm_router.retries") == sum(max(0, number % 3 - 1) for number in numbers)
    assert captured.value("llm_router.fallbacks") == sum(1 for number in numbers if number % 3)
    assert captured.value("llm_router.requests.in_flight") == 0
    assert captured.value("llm_router.attempts.in_flight") == 0
    routes = {_id(span): span for span in captured.spans("route smart")}
    children = [span for span in captured.spans() if span.name != "route smart"]
    assert len(routes) == len(numbers)
    assert len(children) == len(numbers) + extra
    assert all(span.parent is None for span in routes.values())
    assert all(child.parent is not None and child.parent.span_id in routes for child in children)


def test_hedged_attempts_wait_once(captured: testing.Captured, monkeypatch: pytest.MonkeyPatch):
    now = [0]
    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])
    with router.request(model="smart", strategy="hedge") as request:
        first = request.attempt("openai", "gpt-4o")
        now[0] += 1_000_000_000
        second = request.attempt("azure", "gpt-4o")
        now[0] += 2_000_000_000
        first.end("aborted", "cancelled")
        now[0] += 1_000_000_000
        second.end()
        now[0] += 2_000_000_000

    assert captured.value("llm_router.overhead", strategy="hedge") == pytest.approx(2)
    assert captured.value("llm_router.inference.duration") == pytest.approx(6)
    assert captured.value("llm_router.attempt.duration") == pytest.approx(6)
    assert captured.points("llm_router.retries") == []
    assert captured.points("llm_router.fallbacks") == []


def test_overhead_is_the_time_without_an_open_attempt(captured: testing.Captured, monkeypatch: pytest.MonkeyPatch):
    now = [0]
    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])
    with router.request(model="smart", strategy="s") as request:
        now[0] += 1_000_000_000
        with request.attempt("openai", "gpt-4o"):
            now[0] += 5_000_000_000
        now[0] += 2_000_000_000
        with request.attempt("openai", "gpt-4o"):
            now[0] += 7_000_000_000

    assert captured.value("llm_router.overhead") == pytest.approx(3)
    assert captured.value("llm_router.inference.duration") == pytest.approx(15)
    assert captured.value("llm_router.attempt.duration") == pytest.approx(12)


def test_the_request_in_flight_is_found_by_what_is_called_inside(captured: testing.Captured):
    assert router.current() is None
    with router.request(model="outer") as outer:
        assert router.current() is outer
        with router.request(model="inner") as inner:
            assert router.current() is inner
        assert router.current() is outer
    assert router.current() is None
    inner_span, outer_span = captured.spans()
    assert inner_span.parent is not None
    assert inner_span.parent.span_id == _id(outer_span)


def test_async_with_is_the_same_block(captured: testing.Captured):
    async def main() -> None:
        async with router.request(model="smart") as request, request.attempt("openai", "gpt-4o"):
            await asyncio.sleep(0)

    asyncio.run(main())
    assert captured.value("llm_router.inference", status="success") == 1
    assert captured.value("llm_router.attempts", status="success") == 1


def test_a_failed_request_gives_its_open_attempts_up(captured: testing.Captured):
    with contextlib.suppress(ProviderError), router.request(model="smart") as request:
        request.attempt("openai", "gpt-4o")
        raise ProviderError(500)

    assert captured.value("llm_router.attempts", status="aborted") == 1
    assert captured.value("llm_router.attempts.in_flight") == 0
    assert len(captured.spans("chat gpt-4o")) == 1


def test_time_that_goes_backwards_is_no_time(captured: testing.Captured, monkeypatch: pytest.MonkeyPatch):
    now = [10**12]
    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])
    with router.request(model="smart") as request, request.attempt("openai", "gpt-4o"):
        now[0] -= 10**11

    assert captured.value("llm_router.inference.duration") == 0
    assert captured.value("llm_router.attempt.duration") == 0
    for span in captured.spans():
        assert span.end_time is not None
        assert span.start_time is not None
        assert span.end_time >= span.start_time


@pytest.mark.parametrize("step", [-3_600_000_000_000, 3_600_000_000_000])
def test_a_wall_clock_step_moves_no_span_and_changes_no_duration(
    captured: testing.Captured, monkeypatch: pytest.MonkeyPatch, step: int
):
    wall, now = [1_700_000_000_000_000_000], [0]
    monkeypatch.setattr("time.time_ns", lambda: wall[0])
    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])
    began = wall[0]
    with router.request(model="smart") as request:
        now[0] += 1_000_000_000
        wall[0] += step
        with request.attempt("openai", "gpt-4o"):
            now[0] += 2_000_000_000
        request.failed_attempt("eu-1", ProviderError(500))

    times = {span.name: (span.start_time, span.end_time) for span in captured.spans()}
    assert times == {
        "route smart": (began, began + 3_000_000_000),
        "chat gpt-4o": (began + 1_000_000_000, began + 3_000_000_000),
        "chat eu-1": (began + 3_000_000_000, began + 3_000_000_000),
    }
