"""Every chunk of a stream is seen for what it is, though most are looked at quickly."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from types import SimpleNamespace
from typing import Any, TypeAlias

import pytest
from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.telemetry._context import current, step_back, step_in

Make: TypeAlias = Callable[..., Any]


def as_object(content: str | None = None, finish: str | None = None, usage: Any = None) -> Any:
    delta = SimpleNamespace(content=content)
    return SimpleNamespace(choices=[SimpleNamespace(delta=delta, finish_reason=finish)], usage=usage)


def as_namespace(content: str | None = None, finish: str | None = None, usage: Any = None) -> Any:
    """Have a field for usage only with usage."""
    made = as_object(content, finish, usage)
    if usage is None:
        del made.usage
    return made


def as_mapping(content: str | None = None, finish: str | None = None, usage: Any = None) -> Any:
    choice: dict[str, Any] = {"delta": {} if content is None else {"content": content}}
    if finish is not None:
        choice["finish_reason"] = finish
    made: dict[str, Any] = {"choices": [choice]}
    if usage is not None:
        made["usage"] = vars(usage)
    return made


class Model(SimpleNamespace):
    """As pydantic's: what a class does not declare is kept aside."""

    def __init__(self, declared: dict[str, Any], extra: dict[str, Any]) -> None:
        super().__init__(**declared)
        object.__setattr__(self, "_extra", extra)

    @property
    def __pydantic_extra__(self) -> Any:
        return self._extra

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_extra"][name]
        except KeyError:
            raise AttributeError(name) from None


def as_model(content: str | None = None, finish: str | None = None, usage: Any = None) -> Any:
    delta = Model({}, {"content": content, "tool_calls": None})
    choice = Model({}, {"delta": delta, "finish_reason": finish})
    return Model({"choices": [choice]}, {} if usage is None else {"usage": usage})


shapes = pytest.mark.parametrize("make", [as_object, as_namespace, as_mapping, as_model])


def streamed(chunks: Iterable[Any]) -> Generator[Any]:
    with router.request(model="smart") as request:
        return request.stream((chunk for chunk in chunks), model="gpt-4o", provider="openai")


@shapes
def test_only_chunks_with_content_are_counted(captured: testing.Captured, make: Make):
    silent: list[Any] = [make(), make(""), SimpleNamespace(choices=[]), {"choices": []}]
    chunks = [make(""), *[make("a"), make("b"), *silent] * 4, make("c"), make(finish="stop")]
    assert list(streamed(chunks)) == chunks
    assert captured.value("llm_router.tokens", type="output", source="estimated") == 9


@shapes
def test_the_time_of_the_last_is_that_of_the_last_with_content(
    captured: testing.Captured, make: Make, monkeypatch: pytest.MonkeyPatch
):
    now = [0]
    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])

    def events() -> Generator[Any]:
        for content in (None, "a", "b", "c", "d", None, None):
            now[0] += 1_000_000_000
            yield make(content)

    list(streamed(events()))
    assert captured.value("llm_router.time_to_first_token") == pytest.approx(2)
    assert captured.value("llm_router.time_per_output_token") == pytest.approx(1)
    assert captured.value("gen_ai.client.operation.time_per_output_chunk") == pytest.approx(1)


@shapes
def test_an_end_that_comes_with_content_is_an_end(captured: testing.Captured, make: Make):
    stream = streamed([make("a"), make("b"), make("c", finish="length"), make("never read")])
    for _ in range(3):
        next(stream)
    stream.close()
    assert captured.value("llm_router.inference", status="success") == 1
    assert captured.value("llm_router.tokens", type="output", source="estimated") == 3
    (span,) = captured.spans("chat gpt-4o")
    assert (span.attributes or {})["gen_ai.response.finish_reasons"] == ("length",)


@shapes
def test_without_an_end_it_is_not_one(captured: testing.Captured, make: Make):
    stream = streamed([make("a"), make("b"), make("c")])
    next(stream)
    next(stream)
    stream.close()
    assert captured.value("llm_router.inference", status="aborted") == 1
    assert captured.value("llm_router.tokens.wasted", reason="aborted") == 2


@shapes
def test_usage_that_comes_with_content_counts(captured: testing.Captured, make: Make):
    usage = [SimpleNamespace(prompt_tokens=9, completion_tokens=number) for number in (1, 2, 3)]
    list(streamed([make("a"), make("b"), *(make("c", usage=one) for one in usage), make("d")]))
    assert captured.value("llm_router.tokens", type="input", source="reported") == 9
    assert captured.value("llm_router.tokens", type="output", source="reported") == 3


def test_shapes_may_change_within_a_stream(captured: testing.Captured):
    makes = (as_object, as_mapping, as_model, as_namespace)
    chunks = [make(content) for content in ("a", None, "b") for make in makes]
    assert list(streamed([*chunks, *chunks])) == [*chunks, *chunks]
    assert captured.value("llm_router.tokens", type="output", source="estimated") == 16


def test_typed_events_are_counted_by_their_type(captured: testing.Captured, monkeypatch: pytest.MonkeyPatch):
    now = [0]
    monkeypatch.setattr("time.perf_counter_ns", lambda: now[0])

    def events() -> Generator[Any]:
        for kind in ("message_start", *("content_block_delta", "ping") * 3, "content_block_stop", "message_stop"):
            now[0] += 1_000_000_000
            yield {"type": kind}

    list(streamed(events()))
    assert captured.value("llm_router.time_to_first_token") == pytest.approx(2)
    assert captured.value("gen_ai.client.operation.time_per_output_chunk") == pytest.approx(2)  # 2, 4 and 6 seconds


def test_a_chunk_that_cannot_be_looked_at_is_passed_on(captured: testing.Captured):
    class Hostile:
        @property
        def choices(self) -> Any:
            raise AttributeError

    chunks = [as_object("a"), as_object("b"), Hostile(), as_object("c")]
    assert list(streamed(chunks)) == chunks
    assert captured.value("llm_router.inference", status="success") == 1


def test_what_is_stepped_into_is_what_opentelemetry_says_is_current():
    before = otel_context.get_current()
    inside = Context({"a": 1})
    token = step_in(inside)
    assert otel_context.get_current() is inside
    assert current() is inside
    step_back(token)
    assert otel_context.get_current() == before
