"""Without an OpenTelemetry SDK everything is a no-op, and the application's results are the same."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

SCENARIO = """
    import asyncio, gc, inspect, sys, threading
    from types import SimpleNamespace

    from otel_llm_router import telemetry as router

    class Trouble(Exception):
        pass

    answer = SimpleNamespace(model="m", usage=SimpleNamespace(prompt_tokens=1, completion_tokens=2))

    @router.route(strategy="s")
    def plain(model):
        with router.cache("exact") as cache:
            cache.miss()
        with router.decision(["a"]) as decision:
            chosen = decision.select("a")
        with router.queue("slots").wait(threading.Lock()), router.attempt("openai", chosen) as call:
            call.cost(1)
            return call.response(answer)

    @router.route()
    async def coroutine():
        async with router.attempt("openai", "m"):
            await asyncio.sleep(0)
        raise Trouble("mine")

    @router.route()
    def generator():
        received = yield 1
        yield received
        return "end"

    @router.route()
    async def async_generator():
        yield 1
        yield 2

    assert plain("m") is answer
    assert inspect.iscoroutinefunction(coroutine) and inspect.isgeneratorfunction(generator)
    try:
        asyncio.run(coroutine())
    except Trouble as error:
        assert error.args == ("mine",)
    made = generator()
    assert (next(made), made.send("x")) == (1, "x")
    try:
        next(made)
    except StopIteration as end:
        assert end.value == "end"

    async def read():
        return [item async for item in async_generator()]

    assert asyncio.run(read()) == [1, 2]

    with router.request(model="m", user="u") as request:
        request.failed_attempt("eu", Trouble())
        stream = request.stream((item for item in "ab"), model="m", provider="p")
    assert next(stream) == "a"
    stream.close()
    with router.request() as request:
        dropped = request.stream((item for item in "ab"))
    next(dropped)
    del dropped
    gc.collect()

    assert router.cache("exact").hit(answer, saved_usd=1) is answer
    with router.connection("sse"), router.model_load("m") as load:
        load.size_bytes = 1
    router.model_unloaded("m")
    router.observe_queue("q", depth=lambda: 1, capacity=2)
    router.observe_cache("c", bytes=lambda: 1)
    router.observe_connections("p", open=lambda: 1)
    router.budget("team", limit_usd=1, spent_usd=2)
    router.saved(1)
    router.rate_limit("p", "m", requests_left=1)
    router.rate_limited("team")
    router.auth_failure()
    router.deployment("eu", provider="p", model="m")
    router.cooldown("eu", provider="p", model="m", seconds=1, error=Trouble())
    router.error(Trouble())
    router.counter("app.counter", labels=["a"]).add(1, a="b")
    router.histogram("app.histogram").record(1)
    assert router.current() is None

    loaded = sorted(name for name in sys.modules if name.startswith(("opentelemetry.sdk", "opentelemetry.exporter")))
    assert loaded == [], loaded
    assert threading.active_count() == 1
    print("done")
"""


def test_a_router_that_uses_everything_runs_the_same_without_an_sdk():
    """In a process of its own, and strict: a no-op that raised would show."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(SCENARIO)],
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("OTEL_")},
            "OTEL_LLM_ROUTER_STRICT": "true",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "done\n", "")
