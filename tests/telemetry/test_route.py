"""The decorator: functions of all four kinds stay what they are, and each call is one request."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from types import SimpleNamespace
from typing import Any, Literal, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm_router import telemetry as router
from otel_llm_router import testing


class TroubleError(Exception):
    """What a consumer throws in."""


class OtherError(Exception):
    """What a body makes of it."""


@router.route(strategy="s", model="smart")
def plain(*, fail: bool = False) -> str:
    """Doc of plain."""
    if fail:
        raise TroubleError
    return "answer"


@router.route(strategy="s", model="smart")
async def coroutine(*, fail: bool = False) -> str:
    """Doc of coroutine."""
    await asyncio.sleep(0)
    if fail:
        raise TroubleError
    return "answer"


@router.route(strategy="s", model="smart")
def generator(*, fail: bool = False) -> Generator[str, None, str]:
    """Doc of generator."""
    yield "a"
    if fail:
        raise TroubleError
    return "answer"


@router.route(strategy="s", model="smart")
async def async_generator(*, fail: bool = False) -> AsyncGenerator[str]:
    """Doc of async_generator."""
    yield "a"
    if fail:
        raise TroubleError


KINDS: list[tuple[Callable[..., Any], Callable[[Any], bool]]] = [
    (plain, lambda _: True),
    (coroutine, inspect.iscoroutinefunction),
    (generator, inspect.isgeneratorfunction),
    (async_generator, inspect.isasyncgenfunction),
]


@pytest.mark.parametrize(("function", "is_kind"), KINDS)
def test_the_kind_name_and_signature_of_a_function_are_kept(
    function: Callable[..., Any], is_kind: Callable[[Any], bool]
):
    kinds = [inspect.iscoroutinefunction, inspect.isgeneratorfunction, inspect.isasyncgenfunction]
    assert is_kind(function)
    assert [kind(function) for kind in kinds] == [kind is is_kind for kind in kinds]
    assert function.__name__ in {"plain", "coroutine", "generator", "async_generator"}
    assert function.__doc__ == f"Doc of {function.__name__}."
    assert list(inspect.signature(function).parameters) == ["fail"]


async def _drain(made: Any) -> Any:
    """Run whatever a call returned to its end."""
    if inspect.iscoroutine(made):
        return await made
    if inspect.isasyncgen(made):
        return [item async for item in made]
    return list(made) if inspect.isgenerator(made) else made


@pytest.mark.parametrize("function", [plain, coroutine, generator, async_generator])
def test_each_call_is_one_request(captured: testing.Captured, function: Callable[..., Any]):
    for _ in range(2):
        result = asyncio.run(_drain(function()))
        assert result in ("answer", ["a"])

    assert captured.value("llm_router.inference", strategy="s", model="smart", status="success") == 2
    assert captured.value("llm_router.requests.in_flight") == 0
    assert len(captured.spans("route smart")) == 2


@pytest.mark.parametrize("function", [coroutine, generator, async_generator])
def test_an_exception_reaches_the_caller_and_is_counted(captured: testing.Captured, function: Callable[..., Any]):
    with pytest.raises(TroubleError):
        asyncio.run(_drain(function(fail=True)))

    assert captured.value("llm_router.inference", status="error") == 1
    assert captured.value("llm_router.requests.in_flight") == 0


def test_an_exception_of_a_plain_function(captured: testing.Captured):
    with pytest.raises(TroubleError):
        plain(fail=True)

    assert captured.value("llm_router.inference", status="error") == 1


def test_a_generator_returns_its_value(captured: testing.Captured):
    def outer() -> Generator[str, None, str]:
        return (yield from generator())

    made = outer()
    assert next(made) == "a"
    with pytest.raises(StopIteration) as stop:
        next(made)
    assert stop.value.value == "answer"


def test_wrong_arguments_raise_as_before_and_are_no_request(captured: testing.Captured):
    with pytest.raises(TypeError, match="unexpected keyword"):
        asyncio.run(_drain(plain(nonsense=1)))  # pyright: ignore[reportCallIssue]
    for function in (coroutine, generator, async_generator):
        untyped: Callable[..., Any] = function
        with pytest.raises(TypeError, match="unexpected keyword"):
            asyncio.run(_drain(untyped(nonsense=1)))

    assert captured.value("llm_router.requests.in_flight") == 0


def test_methods_are_functions_too(captured: testing.Captured):
    class Gateway:
        models: list[str]

        def __init__(self) -> None:
            self.models = ["a"]

        @router.route(model="smart")
        def chat(self, prompt: str) -> str:
            return prompt + self.models[0]

        @router.route(model="smart")
        async def achat(self, prompt: str) -> str:
            return prompt + self.models[0]

    assert Gateway().chat("x") == "xa"
    assert asyncio.run(Gateway().achat("x")) == "xa"
    assert captured.value("llm_router.inference") == 2


@pytest.mark.parametrize(
    ("arguments", "keywords"),
    [
        ((), {"model": "gpt-4o"}),
        ((SimpleNamespace(model="gpt-4o"),), {}),
        (({"model": "gpt-4o"},), {}),
        (("text", {"model": "gpt-4o"}), {}),
        ((), {"req": SimpleNamespace(model="gpt-4o")}),
    ],
)
def test_the_requested_model_is_found_among_the_arguments(
    captured: testing.Captured, arguments: tuple[Any, ...], keywords: dict[str, Any]
):
    @router.route()
    def chat(*_args: Any, **_kwargs: Any) -> None: ...

    chat(*arguments, **keywords)
    assert captured.value("llm_router.inference", model="gpt-4o") == 1


@pytest.mark.parametrize("arguments", [(), (None,), (5, "text"), ({"model": 5},), (SimpleNamespace(model=None),)])
def test_where_there_is_none_it_is_unknown(captured: testing.Captured, arguments: tuple[Any, ...]):
    @router.route()
    def chat(*_args: Any) -> None: ...

    chat(*arguments)
    assert captured.value("llm_router.inference", model="unknown") == 1
    assert [span.name for span in captured.spans()] == ["route unknown"]


def test_or_named_or_computed(captured: testing.Captured):
    @router.route(model="named")
    def named() -> None: ...

    def model_of(request: SimpleNamespace) -> str:
        return request.group + "-group"

    @router.route(model=model_of)
    def computed(_request: SimpleNamespace) -> None: ...

    named()
    computed(SimpleNamespace(group="fast"))
    assert captured.value("llm_router.inference", model="named") == 1
    assert captured.value("llm_router.inference", model="fast-group") == 1


def test_a_model_function_that_fails_costs_the_name_only(captured: testing.Captured, lenient: dict[str, int]):
    def model_of() -> str:
        raise OtherError

    @router.route(model=model_of)
    def chat() -> str:
        return "answer"

    assert chat() == "answer"
    assert captured.value("llm_router.inference", model="unknown", status="success") == 1
    assert lenient == {"route.model": 1}


def test_a_stream_that_a_function_returns_ends_its_request(captured: testing.Captured, chunk: Callable[..., Any]):
    @router.route(model="smart")
    def chat() -> Generator[Any]:
        request = router.current()
        assert request is not None
        return request.stream((chunk(text) for text in "ab"), model="gpt-4o", provider="openai")

    stream = chat()
    assert captured.value("llm_router.requests.in_flight") == 1
    assert len(list(stream)) == 2
    assert captured.value("llm_router.requests.in_flight") == 0
    assert captured.value("llm_router.inference", model="gpt-4o", status="success") == 1


def test_a_generator_counts_its_chunks_once(
    captured: testing.Captured, chunk: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
):
    """A tracked stream inside a decorated generator is measured for the attempt, the generator for the request."""
    now = [0]
    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])

    @router.route(model="smart")
    def chat() -> Generator[Any]:
        request = router.current()
        assert request is not None
        with router.attempt("unknown", "phi"):
            for item in request.stream(text for text in ("a", "b", "c")):
                now[0] += 1_000_000_000
                yield item
        now[0] += 5_000_000_000
        yield chunk()  # what follows the provider's stream belongs to the request too

    assert len(list(chat())) == 4
    assert captured.value("llm_router.time_per_output_token") == pytest.approx(1)
    assert captured.value("llm_router.inference.duration") == pytest.approx(8)
    assert captured.value("llm_router.attempt.duration") == pytest.approx(3)


# --- generators behave as without us ---------------------------------------------------------------

Mode: TypeAlias = Literal["raise", "swallow", "return", "translate", "stubborn"]
Program: TypeAlias = list[tuple[int, Mode]]
Step: TypeAlias = tuple[str, Any]

programs: st.SearchStrategy[Program] = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["raise", "swallow", "return", "translate", "stubborn"])), max_size=5
)
steps: st.SearchStrategy[list[Step]] = st.lists(
    st.one_of(
        st.just(("next", None)),
        st.tuples(st.just("send"), st.integers(0, 9)),
        st.tuples(
            st.just("throw"),
            st.sampled_from([TroubleError, OtherError, GeneratorExit, StopIteration, KeyboardInterrupt]),
        ),
        st.just(("close", None)),
    ),
    max_size=8,
)


def body(program: Program, log: list[Any]) -> Generator[Any, Any, str]:
    for value, mode in program:
        try:
            received = yield value
            log.append(received)
        except (TroubleError, GeneratorExit) as error:  # noqa: PERF203  # what a consumer throws in at each step
            log.append((type(error), error.args))
            if mode == "swallow" and isinstance(error, TroubleError):
                continue
            if mode == "stubborn":
                yield "still here"
            if mode == "return":
                return "early"
            if mode == "translate":
                raise OtherError from error
            raise
        finally:
            log.append("finally")
    return "end"


async def async_body(program: Program, log: list[Any]) -> AsyncGenerator[Any, Any]:
    for value, mode in program:
        try:
            await asyncio.sleep(0)
            received = yield value
            log.append(received)
        except (TroubleError, GeneratorExit) as error:  # noqa: PERF203  # what a consumer throws in at each step
            log.append((type(error), error.args))
            await asyncio.sleep(0)
            if mode == "swallow" and isinstance(error, TroubleError):
                continue
            # Not for GeneratorExit: CPython leaves an asynchronous generator that ignored it "already running" for ever.
            if mode == "stubborn" and isinstance(error, TroubleError):
                yield "still here"
            if mode == "return":
                return
            if mode == "translate":
                raise OtherError from error
            raise
        finally:
            log.append("finally")


def _outcome(error: BaseException) -> tuple[Any, ...]:
    if isinstance(error, StopIteration):
        return ("stop", error.value)
    # What an exception says is part of it: "generator ignored GeneratorExit".
    return ("raised", type(error), str(error), type(error.__cause__), type(error.__context__))


def _step(made: Generator[Any, Any, Any], step: Step) -> tuple[Any, ...]:
    name, value = step
    try:
        if name == "throw":
            return ("yielded", made.throw(value("thrown")))
        return (
            ("yielded", made.send(value)) if name == "send" else ("did", next(made) if name == "next" else made.close())
        )
    except BaseException as error:  # noqa: BLE001  # whatever it is, it must be the same
        return _outcome(error)


def _finish(made: Generator[Any, Any, Any]) -> None:
    for _ in range(20):
        if _step(made, ("close", None))[0] == "did":
            return
    raise AssertionError("the generator never ends")


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(program=programs, script=steps)
def test_send_throw_and_close_do_to_a_decorated_generator_what_they_do_to_it_alone(
    program: Program, script: list[Step]
):
    with testing.capture() as captured:
        logs: list[list[Any]] = [[], []]
        alone, decorated = body(program, logs[0]), router.route(model="m")(body)(program, logs[1])
        for step in script:
            assert _step(decorated, step) == _step(alone, step)
            assert logs[0] == logs[1]
        for made in (alone, decorated):
            _finish(made)
        assert logs[0] == logs[1]
        assert captured.value("llm_router.inference") == len(captured.spans("route m")) <= 1
        assert captured.value("llm_router.requests.in_flight") == 0


async def _astep(made: AsyncGenerator[Any, Any], step: Step) -> tuple[Any, ...]:
    name, value = step
    try:
        if name == "throw":
            return ("yielded", await made.athrow(value("thrown")))
        if name == "send":
            return ("yielded", await made.asend(value))
        return ("did", await (made.__anext__() if name == "next" else made.aclose()))
    except BaseException as error:  # noqa: BLE001  # whatever it is, it must be the same
        return _outcome(error)


async def _afinish(made: AsyncGenerator[Any, Any]) -> None:
    for _ in range(20):
        if (await _astep(made, ("close", None)))[0] == "did":
            return
    raise AssertionError("the generator never ends")


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(program=programs, script=steps)
def test_and_to_an_asynchronous_one(program: Program, script: list[Step]):
    async def main(captured: testing.Captured) -> None:
        logs: list[list[Any]] = [[], []]
        alone, decorated = async_body(program, logs[0]), router.route(model="m")(async_body)(program, logs[1])
        for step in script:
            assert await _astep(decorated, step) == await _astep(alone, step)
            assert logs[0] == logs[1]
        for made in (alone, decorated):
            await _afinish(made)
        assert logs[0] == logs[1]
        assert captured.value("llm_router.inference") == len(captured.spans("route m")) <= 1
        assert captured.value("llm_router.requests.in_flight") == 0

    with testing.capture() as captured:
        asyncio.run(main(captured))


def test_what_a_generator_makes_current_is_current_in_its_own_steps_only(captured: testing.Captured):
    tracer = captured.tracer_provider.get_tracer("application")

    @router.route(model="m")
    def chat() -> Generator[int]:
        with tracer.start_as_current_span("outer"):
            yield 1
            with tracer.start_as_current_span("second step"):
                pass
            yield 2
        with tracer.start_as_current_span("afterwards"):
            pass

    for _ in chat():
        with tracer.start_as_current_span("consumer"):
            pass
    spans = {span.name: span for span in captured.spans()}
    ids = {span.context.span_id: name for name, span in spans.items() if span.context is not None}
    parents = {name: ids[span.parent.span_id] if span.parent is not None else None for name, span in spans.items()}
    assert parents == {
        "outer": "route m",
        "second step": "outer",
        "afterwards": "route m",
        "consumer": None,
        "route m": None,
    }


def test_two_readers_of_one_async_generator_are_refused_as_before(captured: testing.Captured):
    async def waiting() -> AsyncGenerator[int]:
        await asyncio.sleep(0)
        yield 1

    async def collide(made: AsyncGenerator[int]) -> list[Any]:
        first = asyncio.create_task(_astep(made, ("next", None)))
        second = asyncio.create_task(_astep(made, ("next", None)))
        return [(await first)[0], (await second)[:2]]

    async def main() -> None:
        assert await collide(router.route(model="m")(waiting)()) == await collide(waiting())

    asyncio.run(main())


# --- the examples of the manual, as they are written there -----------------------------------------

CHAT = """
@router.route(strategy="cheapest")            # sync, async, generator and async-generator functions alike
async def chat(req):
    with router.cache("exact") as c:
        if (hit := store.get(req.key)) is not None:
            return c.hit(hit)
    with router.decision(candidates=MODELS) as d:
        model = d.select(pick(req), reason="code detected", score=0.82, estimated_cost=0.0004)
    async with router.queue("slots").wait(slots):
        async with router.attempt("openai", model) as call:
            return call.response(await client.chat.completions.create(model=model, messages=req.messages))
"""
STREAM = """
async def stream(req):
    with router.request(user=req.user) as r:
        for dep in deployments(req):
            try:
                return r.stream(await dep.open(req), model=dep.model, provider=dep.provider)
            except ProviderError as e:
                r.failed_attempt(dep.name, e)     # the fallback is counted by itself
        raise AllDown()
"""
HOLDS = """
with router.model_load("llama.gguf", format="gguf") as m:
    m.size_bytes = load(path)
router.observe_queue("slots", depth=lambda: slots.waiting, capacity=8)
router.observe_cache("responses", bytes=lambda: store.nbytes, entries=lambda: len(store))
router.budget(scope="team-a", limit_usd=100, spent_usd=31.2)
"""


def _example(code: str, **names: Any) -> dict[str, Any]:
    namespace: dict[str, Any] = {"router": router, **names}
    exec(compile(code, "routers.md", "exec"), namespace)
    return namespace


def _pick(_request: Any) -> str:
    return "gpt-4o"


def test_the_chat_example(captured: testing.Captured, answer: Callable[..., Any]):
    made = answer(10, 5)

    async def create(**_: Any) -> Any:
        await asyncio.sleep(0)
        return made

    store: dict[str, Any] = {}
    request = SimpleNamespace(key="k", model="smart", messages=[])

    async def main() -> None:
        chat = _example(
            CHAT,
            store=store,
            MODELS=["gpt-4o", "phi"],
            pick=_pick,
            slots=asyncio.Semaphore(1),
            client=SimpleNamespace(chat=SimpleNamespace(completions=SimpleNamespace(create=create))),
        )["chat"]
        assert inspect.iscoroutinefunction(chat)
        assert await chat(request) is made
        store["k"] = made
        assert await chat(request) is made

    asyncio.run(main())
    assert captured.value("llm_router.inference", model="gpt-4o", strategy="cheapest", cached="false") == 1
    assert captured.value("llm_router.inference", model="gpt-4o-2024-08-06", strategy="cheapest", cached="true") == 1
    assert captured.value("llm_router.inference", status="success") == 2
    assert captured.value("llm_router.cache.misses", cache_type="exact") == 1
    assert captured.value("llm_router.cache.hits", cache_type="exact") == 1
    assert captured.value("llm_router.decisions", strategy="cheapest", model="gpt-4o", reason="code detected") == 1
    assert captured.count("llm_router.queue.wait", queue_type="slots") == 1
    assert captured.count("llm_router.queue.processing", queue_type="slots") == 1
    assert captured.value("llm_router.queue.size", queue_type="slots") == 0
    assert captured.value("llm_router.attempts", provider="openai", model="gpt-4o", status="success") == 1
    assert captured.value("llm_router.tokens.generated") == 10
    first, second = captured.spans("route smart")
    assert [event.name for event in first.events] == [
        "llm_router.cache.lookup",
        "llm_router.decision",
        "llm_router.queue.wait",
    ]
    assert [event.name for event in second.events] == ["llm_router.cache.lookup"]
    assert (second.attributes or {})["llm_router.cached"] is True


class ProviderError(Exception):
    """Of the example."""


class AllDownError(Exception):
    """Of the example."""


class _Deployment:
    def __init__(self, name: str, chunks: list[Any] | None) -> None:
        self.name, self.provider, self.model = name, "openai", name + "-model"
        self._chunks = chunks

    async def open(self, _request: Any) -> AsyncGenerator[Any]:
        await asyncio.sleep(0)
        if self._chunks is None:
            raise ProviderError
        return self._events(self._chunks)

    @staticmethod
    async def _events(chunks: list[Any]) -> AsyncGenerator[Any]:
        for item in chunks:
            await asyncio.sleep(0)
            yield item


def _stream_example(*deployments: _Deployment) -> Callable[[Any], Coroutine[Any, Any, AsyncGenerator[Any]]]:
    def listed(_request: Any) -> tuple[_Deployment, ...]:
        return deployments

    return _example(STREAM, deployments=listed, ProviderError=ProviderError, AllDown=AllDownError)["stream"]


def test_the_stream_example(captured: testing.Captured, chunk: Callable[..., Any]):
    chunks = [chunk("a"), chunk("b"), chunk(usage=SimpleNamespace(prompt_tokens=3, completion_tokens=2))]

    async def main() -> None:
        stream = await _stream_example(_Deployment("eu", None), _Deployment("us", chunks))(SimpleNamespace(user="ada"))
        untyped: Any = stream
        assert inspect.isasyncgen(untyped)
        assert [item async for item in stream] == chunks

    asyncio.run(main())
    assert captured.value("llm_router.inference", model="us-model", status="success") == 1
    assert captured.value("llm_router.inference") == 1
    assert captured.value("llm_router.attempts", status="error") == 1
    assert captured.value("llm_router.attempts", provider="openai", model="us-model", status="success") == 1
    assert captured.value("llm_router.attempts") == 2
    assert captured.value("llm_router.fallbacks", from_model="eu", to_model="us-model", status="success") == 1
    assert captured.value("llm_router.fallbacks") == 1
    assert captured.points("llm_router.retries") == []
    assert captured.value("llm_router.tokens.generated", model="us-model") == 2
    assert captured.count("llm_router.time_to_first_token") == 1
    (route,) = [span for span in captured.spans() if span.name.startswith("route")]
    assert (route.attributes or {})["user.id"] == "ada"


def test_the_stream_example_when_all_are_down(captured: testing.Captured):
    with pytest.raises(AllDownError):
        asyncio.run(_stream_example(_Deployment("eu", None), _Deployment("us", None))(SimpleNamespace(user="ada")))

    assert captured.value("llm_router.inference", status="error") == 1
    assert captured.value("llm_router.attempts", status="error") == 2
    assert captured.value("llm_router.requests.in_flight") == 0


def test_the_example_of_what_a_router_holds(captured: testing.Captured):
    class Store(dict[str, int]):
        nbytes = 4096

    def load(_path: str) -> float:
        return 4e9

    _example(HOLDS, load=load, path="/models", slots=SimpleNamespace(waiting=3), store=Store(a=1, b=2))
    assert captured.count("llm_router.model.load.duration", model="llama.gguf", format="gguf") == 1
    assert captured.value("llm_router.models.loaded", format="gguf", size_category="medium") == 1
    assert captured.value("llm_router.model.memory", model="llama.gguf", format="gguf") == 4e9
    assert captured.value("llm_router.queue.size", queue_type="slots") == 3
    assert captured.value("llm_router.queue.capacity", queue_type="slots") == 8
    assert captured.value("llm_router.cache.size", cache_type="responses") == 4096
    assert captured.value("llm_router.cache.entries", cache_type="responses") == 2
    assert captured.value("llm_router.budget.limit.usd", scope="team-a") == 100
    assert captured.value("llm_router.budget.used.usd", scope="team-a") == pytest.approx(31.2)
