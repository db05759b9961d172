"""Decorated generators behave as they do without us, step by step."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from typing import Any, Literal, TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from tests.telemetry.application_errors import OtherError, TroubleError

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
