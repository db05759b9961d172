"""Functions of every kind stay what they are, with a hook on them."""

from __future__ import annotations

import asyncio
import gc
import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

from otel_llm_router import telemetry, testing
from otel_llm_router.instrumentation.hooks import HooksInstrumentor

SOURCE = """
    import functools

    class Failed(Exception):
        pass

    def plain(model, *, fail=False):
        '''What it does.'''
        if fail:
            raise Failed("on purpose")
        return {"model": model}

    async def coroutine(model: str, *, fail: bool = False) -> dict:
        return plain(model, fail=fail)

    def generator(model, fail=False):
        got = yield "a"
        yield got
        if fail:
            raise Failed("on purpose")
        return "returned"

    async def async_generator(model, fail=False):
        got = yield "a"
        yield got
        if fail:
            raise Failed("on purpose")

    def hiding(function):
        @functools.wraps(function)
        def inner(*args, **kwargs):
            return function(*args, **kwargs)
        return inner

    class Router:
        def __init__(self, name="r"):
            self.name = name

        def method(self, model):
            return (self, model)

        @classmethod
        def of_class(cls, model):
            return (cls, model)

        @staticmethod
        def static(model):
            return ("static", model)

        async def amethod(self, model):
            return (self, model)

    class Derived(Router):
        def method(self, model):
            return super().method(model)

        @classmethod
        def of_class(cls, model):
            return super().of_class(model)
"""

Hooked = Callable[..., Any]
ALL = "@:plain=request,@:generator=request,@:async_generator=request"


def requests(captured: testing.Captured) -> dict[tuple[str, str], float]:
    return {
        (point.labels["model"], point.labels["status"]): point.value
        for point in captured.points("llm_router.inference")
    }


def test_they_look_the_same(hooked: Hooked) -> None:
    names = ("plain", "coroutine", "generator", "async_generator")
    module = hooked(SOURCE, ",".join(f"@:{name}=request" for name in names))
    bare = hooked(SOURCE)
    for name in names:
        with_hook, without = getattr(module, name), getattr(bare, name)
        for look in (
            inspect.iscoroutinefunction,
            inspect.isgeneratorfunction,
            inspect.isasyncgenfunction,
            inspect.isfunction,
            inspect.signature,
            inspect.getdoc,
        ):
            assert look(with_hook) == look(without), (name, look)
        assert (with_hook.__name__, with_hook.__qualname__) == (without.__name__, without.__qualname__)
        assert isinstance(with_hook, type(without))


async def test_they_give_the_same(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked(SOURCE, ALL + ",@:coroutine=scope")
    assert module.plain("m") == {"model": "m"}
    assert await module.coroutine("m") == {"model": "m"}
    steps = module.generator("m")
    assert inspect.isgenerator(steps) is True
    assert (next(steps), steps.send("sent")) == ("a", "sent")
    with pytest.raises(StopIteration) as stopped:
        next(steps)
    assert stopped.value.value == "returned"
    asteps = module.async_generator("m")
    assert inspect.isasyncgen(asteps) is True
    assert (await anext(asteps), await asteps.asend("sent")) == ("a", "sent")
    with pytest.raises(StopAsyncIteration):
        await anext(asteps)
    assert requests(captured) == {("m", "success"): 4}


async def test_they_raise_the_same(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked(SOURCE, ALL)
    with pytest.raises(module.Failed) as raised:
        module.plain("m", fail=True)
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None
    with pytest.raises(module.Failed):
        await module.coroutine("m", fail=True)
    with pytest.raises(module.Failed):
        list(module.generator("m", fail=True))
    with pytest.raises(module.Failed):
        [one async for one in module.async_generator("m", fail=True)]
    assert requests(captured) == {("m", "error"): 4}


def test_wrong_arguments_are_said_when_called(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked(SOURCE, "@:generator=request,@:async_generator=request")
    for function in (module.generator, module.async_generator):
        with pytest.raises(TypeError):
            function()
    assert requests(captured) == {}


async def test_generators_that_are_left(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked(SOURCE, ALL)
    steps = module.generator("closed")
    next(steps)
    steps.close()
    steps = module.generator("dropped")
    next(steps)
    del steps
    asteps = module.async_generator("aclosed")
    await anext(asteps)
    await asteps.aclose()
    module.generator("never begun")
    gc.collect()
    assert requests(captured) == {
        ("closed", "aborted"): 1,
        ("dropped", "aborted"): 1,
        ("aclosed", "aborted"): 1,
    }


async def test_a_cancelled_coroutine_is_aborted(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked("import asyncio\nasync def chat(model):\n    await asyncio.sleep(60)\n", "@:chat=request")
    task = asyncio.ensure_future(module.chat("m"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert requests(captured) == {("m", "aborted"): 1}


def test_methods_of_every_kind(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked(SOURCE, "@:Router.method=request,@:Router.of_class=request,@:Router.static=request")
    one = module.Router()
    assert one.method("a") == (one, "a")
    assert module.Router.method(one, model="a") == (one, "a")
    assert module.Router.of_class("b") == (module.Router, "b")
    assert one.static("c") == module.Router.static(model="c") == ("static", "c")
    assert requests(captured) == {("a", "success"): 2, ("b", "success"): 1, ("c", "success"): 2}


async def test_a_decorator_may_hide_a_coroutine(hooked: Hooked, captured: testing.Captured) -> None:
    source = SOURCE + "\n    hidden = hiding(coroutine)\n"
    module = hooked(source, "@:hidden=request")
    body = module.hidden("m")
    assert inspect.iscoroutine(body)
    assert await body == {"model": "m"}
    with pytest.raises(module.Failed):
        await module.hidden("m", fail=True)
    assert requests(captured) == {("m", "success"): 1, ("m", "error"): 1}


def test_overrides_are_hooked_and_count_once(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked(SOURCE, "@:Router.method=decision(model=result[1]),@:Router.of_class=decision(model=result[1])")

    class Later(module.Router):
        def method(self, model: str) -> Any:
            return (self, model + "!")

    derived, later = module.Derived(), Later()
    assert derived.method("a") == (derived, "a")
    assert later.method("b") == (later, "b!")
    assert module.Derived.of_class("c") == (module.Derived, "c")
    assert {point.labels["model"]: point.value for point in captured.points("llm_router.decisions")} == {
        "a": 1,
        "b!": 1,
        "c": 1,
    }


def test_a_class_stands_for_making_one(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked(SOURCE, "@:Router=model_load(name=self.name | args.name)")
    assert type(module.Router("llama.gguf")) is module.Router
    assert captured.count("llm_router.model.load.duration", model="llama.gguf", format="gguf") == 1


def test_a_method_of_one_object(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked(
        SOURCE + "\n    router = Router('one')\n", "@:router.method=decision(model=args.model; reason=self.name)"
    )
    assert module.router.method("a") == (module.router, "a")
    module.Router().method("b")
    (point,) = captured.points("llm_router.decisions")
    assert (point.labels["model"], point.labels["reason"], point.value) == ("a", "one", 1)
    HooksInstrumentor().uninstrument()
    assert "method" not in vars(module.router)


def test_hooks_of_before_are_forgotten(
    declare: Any, captured: testing.Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))  # pyright: ignore[reportUnknownMemberType]
    (tmp_path / "home_router_to_come.py").write_text("def chat(model):\n    return model\n")
    declare("home_router_to_come:chat=request(strategy='first')")
    HooksInstrumentor().uninstrument()
    declare("home_router_to_come:chat=request(strategy='second')")
    importlib.import_module("home_router_to_come").chat("m")
    del sys.modules["home_router_to_come"]
    assert [point.labels["strategy"] for point in captured.points("llm_router.inference")] == ["second"]


def wrapped(owner: Any) -> list[str]:
    own = cast("dict[str, object]", vars(owner))
    return [name for name in own if type(own[name]).__name__ == "FunctionWrapper"]


def test_what_was_hooked_is_given_back(hooked: Hooked, declare: Any) -> None:
    module = hooked(SOURCE, "@:plain=request,@:Router.method=request,@:Derived.of_class=request")
    assert wrapped(module.Derived) == ["method", "of_class"]
    HooksInstrumentor().uninstrument()
    assert [wrapped(owner) for owner in (module, module.Router, module.Derived)] == [[], [], []]
    assert "__init_subclass__" not in vars(module.Router)


async def test_a_generator_belongs_to_the_request_that_it_was_made_in(
    hooked: Hooked, captured: testing.Captured
) -> None:
    module = hooked(
        """
        async def chunks(model):
            yield {"choices": [{"delta": {"content": "hi"}}]}

        async def chat(model):
            return chunks("gpt-4o")
        """,
        "@:chat=request,@:chunks=attempt(provider='alpha')",
    )
    stream = await module.chat("smart")
    assert telemetry.current() is None
    assert len([chunk async for chunk in stream]) == 1
    assert requests(captured) == {("gpt-4o", "success"): 1}
    route, chat = captured.spans("route smart")[0], captured.spans("chat gpt-4o")[0]
    assert chat.parent is not None
    assert route.context is not None
    assert chat.parent.span_id == route.context.span_id
