"""The decorator: functions of all four kinds stay what they are, and each call is one request."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, Callable, Generator
from types import SimpleNamespace
from typing import Any

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from tests.telemetry.application_errors import OtherError, TroubleError


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


def test_the_model_is_found_where_the_function_takes_it(captured: testing.Captured):
    @router.route()
    def by_position(messages: list[str], model: str) -> str:
        return f"{model} {messages}"

    class Gateway:
        model = "the gateway's own"

        @router.route()
        def chat(self, model: str) -> str:
            return model

        @router.route()
        def ask(self, body: Any) -> str:
            return body["model"]

        @router.route()
        def whatever(self) -> None: ...

    by_position([], "first")
    Gateway().chat("second")
    Gateway().chat(model="third")
    Gateway().ask({"model": "fourth"})
    Gateway().whatever()
    names = [point.labels["model"] for point in captured.points("llm_router.inference")]
    assert names == ["first", "second", "third", "fourth", "the gateway's own"]
