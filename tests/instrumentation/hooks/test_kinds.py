"""What each kind of hook records."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from otel_llm_router import telemetry, testing

Hooked = Callable[..., Any]

ROUTER = """
    class Refused(Exception):
        status_code = 429

    class Mine(Exception):
        pass

    class AlphaClient:
        def call(self, model, fail=0, answer=None):
            if fail == 1:
                raise Refused
            if fail == 2:
                try:
                    raise Refused
                except Refused as error:
                    raise Mine from error
            return answer

    class Router:
        models = ["small", "large"]

        def __init__(self):
            self.client = AlphaClient()

        def pick(self, text):
            if text == "classify":
                self.client.call("classifier")
            return None if text == "nothing" else {"name": "large", "why": "code", "score": 0.5}

        def chat(self, request):
            chosen = self.pick(request["text"])
            for fail in request.get("fails", [0]):
                try:
                    return self.client.call(chosen["name"], fail, answer=request.get("answer"))
                except (Refused, Mine):
                    pass
            raise Mine
"""
FILE = """
    hooks:
      - hook: "@:Router.chat"
        kind: request
        model: args.request.model
        strategy: "'mine'"
      - hook: "@:Router.pick"
        kind: decision
        model: result.name
        reason: result.why
        score: result.score
        candidates: self.models
      - "@:AlphaClient.call=attempt"
"""
ANSWER = {"model": "large-2026", "usage": {"prompt_tokens": 3, "completion_tokens": 2}}


def labels(captured: testing.Captured, name: str, *keys: str) -> dict[tuple[Any, ...], float]:
    return {tuple(point.labels[key] for key in keys): point.value for point in captured.points(name)}


def test_a_request_its_decision_and_its_attempts(hooked: Hooked, captured: testing.Captured) -> None:
    router = hooked(ROUTER, file=FILE).Router()
    assert router.chat({"model": "smart", "text": "", "fails": [1, 2, 0], "answer": ANSWER}) is ANSWER
    assert labels(captured, "llm_router.inference", "model", "strategy", "status") == {("large", "mine", "success"): 1}
    assert labels(captured, "llm_router.attempts", "provider", "model", "error_type") == {
        ("alpha", "large", "rate_limit"): 2,
        ("alpha", "large", ""): 1,
    }
    assert captured.value("llm_router.retries") == 2
    assert labels(captured, "llm_router.tokens", "type", "source") == {
        ("input", "reported"): 3,
        ("output", "reported"): 2,
    }
    assert labels(captured, "llm_router.decisions", "strategy", "model", "reason") == {("mine", "large", "code"): 1}
    (route,) = captured.spans("route smart")
    attributes = dict(route.attributes or {})
    assert attributes["llm_router.decision.candidates"] == ("small", "large")


def test_failures(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked(ROUTER, file=FILE)
    with pytest.raises(module.Mine):
        module.Router().chat({"model": "smart", "text": "", "fails": [1]})
    with pytest.raises(TypeError):
        module.Router().chat({"model": "smart", "text": "nothing"})
    assert captured.value("llm_router.inference", status="error") == 2
    assert captured.value("llm_router.decisions", reason="none_available") == 1


def test_calls_made_while_deciding_are_no_traffic(hooked: Hooked, captured: testing.Captured) -> None:
    hooked(ROUTER, file=FILE).Router().chat({"model": "smart", "text": "classify", "answer": ANSWER})
    reasons = [
        dict(span.attributes or {})["llm_router.attempt.reason"]
        for span in captured.spans()
        if span.name.startswith("chat")
    ]
    assert sorted(map(str, reasons)) == ["initial", "routing"]
    assert captured.value("llm_router.retries") == captured.value("llm_router.fallbacks") == 0


def test_an_attempt_alone_is_a_request(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked(ROUTER, "@:AlphaClient.call=attempt(provider_and_model='openai/gpt-4o'; deployment='eu'; cost=0.5)")
    module.AlphaClient().call("gpt-4o")
    assert captured.value("llm_router.inference", model="gpt-4o", status="success") == 1
    assert captured.value("llm_router.cost.usd", provider="openai", model="gpt-4o") == 0.5


def test_an_attempt_inside_somebody_elses_is_that_one(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked(ROUTER, file=FILE)
    with telemetry.request("smart"), telemetry.attempt("openai", "gpt-4o"):
        module.AlphaClient().call("gpt-4o")
    assert labels(captured, "llm_router.attempts", "provider") == {("openai",): 1}


def test_a_failure_that_is_returned(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked(
        "def call(model, answer):\n    return answer\n",
        "@:call=attempt(error=result.error; status=result.code; response=result.raw;"
        " input_tokens=result.tokens_in; output_tokens=result.tokens_out)",
    )
    module.call("a", {"error": "no: a prompt", "code": 503})
    module.call("b", {"error": TimeoutError()})
    module.call("c", {"error": None, "tokens_in": 4, "tokens_out": 1, "raw": {}})
    module.call("d", {"error": "", "raw": ANSWER, "tokens_in": 99})
    assert labels(captured, "llm_router.attempts", "model", "error_type") == {
        ("a", "server_error"): 1,
        ("b", "timeout"): 1,
        ("c", ""): 1,
        ("d", ""): 1,
    }
    assert labels(captured, "llm_router.tokens", "model", "type") == {
        ("c", "input"): 4,
        ("c", "output"): 1,
        ("d", "input"): 3,
        ("d", "output"): 2,
    }


def test_the_innermost_attempt_is_the_call(hooked: Hooked, captured: testing.Captured) -> None:
    """What is around it, the retries, is no call of its own; the function called may be an argument."""
    module = hooked(
        """
        def again(once, times):
            for number in range(times):
                try:
                    return once(number)
                except OSError:
                    pass

        class BetaAdapter:
            def invoke(self, model):
                def once(number):
                    if number < 2:
                        raise ConnectionError
                    return "done"
                return again(once, 5)

            def shell(self, model):
                return self.invoke(model)
        """,
        "@:BetaAdapter.shell=attempt, @:BetaAdapter.invoke=scope,"
        "@:again(once)=attempt(provider=outer.provider; model=outer.model)",
    )
    assert module.BetaAdapter().shell("m") == "done"
    assert labels(captured, "llm_router.attempts", "provider", "model", "error_type") == {
        ("beta", "m", "connection"): 2,
        ("beta", "m", ""): 1,
    }
    assert captured.value("llm_router.inference") == captured.value("llm_router.inference", status="success") == 1
    assert captured.value("llm_router.retries") == 2
    assert captured.value("llm_router.attempts.in_flight") == captured.value("llm_router.requests.in_flight") == 0


def test_a_refusal_takes_the_attempt_back(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked(
        """
        def is_open(state):
            return state

        def call(model, state):
            if is_open(state):
                raise RuntimeError("open")
        """,
        "@:call=attempt,@:is_open=refusal",
    )
    with telemetry.request("smart"):
        module.call("m", False)
        with pytest.raises(RuntimeError):
            module.call("m", True)
    assert captured.value("llm_router.attempts") == 1
    assert captured.value("llm_router.attempts.in_flight") == 0
    assert [span.name for span in captured.spans()] == ["chat m", "route smart"]
    with pytest.raises(RuntimeError):
        module.call("alone", True)
    assert captured.value("llm_router.inference", model="alone", status="error") == 1
    assert captured.value("llm_router.requests.in_flight") == 0


def test_streams(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked(
        """
        class Stream:
            def __init__(self, chunks):
                self._chunks = iter(chunks)
            def __iter__(self):
                return self
            def __next__(self):
                return next(self._chunks)

        def call(model, chunks):
            return Stream(chunks)

        def chat(chunks):
            return call("m", chunks)
        """,
        "@:chat=request,@:call=attempt(provider='alpha')",
    )
    chunk = {"choices": [{"delta": {"content": "a"}}]}
    usage: dict[str, Any] = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    stream = module.chat([chunk, chunk, usage])
    assert isinstance(stream, module.Stream)
    assert captured.value("llm_router.inference") == 0
    assert list(stream) == [chunk, chunk, usage]
    assert captured.value("llm_router.inference", status="success") == 1
    assert labels(captured, "llm_router.tokens", "type", "source") == {
        ("input", "reported"): 3,
        ("output", "reported"): 2,
    }


def test_caches(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked(
        """
        store = {"a": 1, "falsy": 0}

        def get(key):
            return store.get(key)

        def near(key):
            return (store.get(key), 0.75)

        def drop(keys):
            return len(keys)
        """,
        "@:get=cache(answers=false),@:near=cache(name='semantic'; hit=result[0]; similarity=result[1]),"
        "@:drop=eviction(name='semantic'; entries=result)",
    )
    with telemetry.request("smart"):
        for key in ("a", "falsy", "none"):
            module.get(key)
    assert captured.value("llm_router.inference", cached="true") == 0
    with telemetry.request("smart"):
        module.near("a")
        module.near("falsy")
    assert captured.value("llm_router.inference", cached="true") == 1
    module.drop(["a", "b"])
    assert labels(captured, "llm_router.cache.hits", "cache_type") == {("get",): 2, ("semantic",): 1}
    assert labels(captured, "llm_router.cache.misses", "cache_type") == {("get",): 1, ("semantic",): 1}
    assert captured.value("llm_router.cache.evictions", cache_type="semantic") == 2


async def test_queues_and_connections(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked(
        """
        async def wait(seen):
            seen.append("waiting")

        def take(free):
            return free

        def serve(seen):
            seen()
        """,
        "@:wait=queue(name='slots'),@:take=queue(name='slots'),@:serve=connection(type='websocket'; protocol='ws')",
    )
    await module.wait([])
    module.take(False)  # as a lock that could not be had in time
    assert captured.count("llm_router.queue.wait", queue_type="slots") == 1
    assert captured.value("llm_router.queue.size", queue_type="slots") == 0
    during: list[float] = []
    module.serve(lambda: during.append(captured.value("llm_router.active_connections", type="websocket")))
    assert during == [1]
    assert captured.value("llm_router.active_connections", type="websocket") == 0
    assert captured.count("llm_router.connection.duration", protocol="ws") == 1


def test_models(hooked: Hooked, captured: testing.Captured, tmp_path: Path) -> None:
    module = hooked(
        """
        class Model:
            def __init__(self, model_path):
                if model_path == "missing":
                    raise FileNotFoundError(model_path)
                self.model_path = model_path
            def close(self):
                self.model_path = None
        """,
        "@:Model=model_load,@:Model.close=model_unload(name=self.model_path)",
    )
    path = tmp_path / "tiny.gguf"
    path.write_bytes(b"x" * 1000)
    model = module.Model(str(path))
    assert labels(captured, "llm_router.model.memory", "model", "format") == {("tiny.gguf", "gguf"): 1000}
    assert captured.value("llm_router.models.loaded", format="gguf", size_category="small") == 1
    with pytest.raises(FileNotFoundError):
        module.Model("missing")
    assert captured.value("llm_router.errors", component="model") == 1
    model.close()
    assert captured.value("llm_router.models.loaded") == 0


def test_the_rest(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked(
        "def told(*args, **kwargs):\n    return kwargs.get('result')\n",
        "@:told=error(component='worker'; when=args[0]),@:told=cooldown(deployment=kwargs.name; seconds=30; when=kwargs.name),"
        "@:told=rate_limited(scope=kwargs.team; when=kwargs.team),@:told=auth_failure(reason='expired'; when=kwargs.expired),"
        "@:told=budget(scope=kwargs.budget; limit_usd=10; spent_usd=result; when=kwargs.budget),"
        "@:told=saved(usd=result; model='m'; when=kwargs.saved)",
    )
    module.told(TimeoutError("a prompt"))
    module.told(name="eu-1")
    module.told(team="a")
    module.told(expired=True)
    module.told(budget="b", result=3)
    module.told(saved=True, result=0.25)
    assert labels(captured, "llm_router.errors", "component", "type") == {("worker", "timeout"): 1}
    assert captured.value("llm_router.cooldowns") == 1
    assert captured.value("llm_router.rate_limit.triggers", scope="a") == 1
    assert captured.value("llm_router.auth.failures", reason="expired") == 1
    assert captured.value("llm_router.budget.used.usd", scope="b") == 3
    assert captured.value("llm_router.cost.saved.usd", model="m") == 0.25


def alive() -> int:
    gc.collect()
    return sum(type(one) in {telemetry.Request, telemetry.Attempt} for one in gc.get_objects())


def test_nothing_is_kept(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked(ROUTER, file=FILE)
    before = alive()
    for _ in range(5):
        module.Router().chat({"model": "smart", "text": "", "fails": [1, 0], "answer": ANSWER})
        module.AlphaClient().call("alone")
    assert captured.value("llm_router.inference") == 10
    assert alive() <= before + 1  # the last one is still in our hands


def test_no_object_becomes_a_label(hooked: Hooked, captured: testing.Captured) -> None:
    """Its ``repr`` could hold a prompt."""
    module = hooked("def pick(x):\n    return x\n", "@:pick=decision(model=result.model; reason=result)")
    module.pick(SimpleNamespace(model="m", prompt="a secret"))
    assert labels(captured, "llm_router.decisions", "model", "reason") == {("m", ""): 1}
