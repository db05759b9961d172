"""Content: where it is recorded and where not, how much of it, and what is never in it."""

from __future__ import annotations

import base64
import gc
import json
import tracemalloc
from collections.abc import Callable, Generator
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import format_span_id

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.signals.content import MODES
from otel_llm_router.telemetry import _foreign
from otel_llm_router.telemetry._content import _bodies

EVENT = "gen_ai.client.inference.operation.details"
ASKED = {
    "system": "be brief",
    "messages": [{"role": "user", "content": "how tall is it?"}],
    "tools": [{"type": "function", "function": {"name": "measure", "parameters": {"type": "object"}}}],
}
ANSWER = {"choices": [{"message": {"role": "assistant", "content": "324 m"}, "finish_reason": "stop"}]}
KEYS = ("gen_ai.system_instructions", "gen_ai.input.messages", "gen_ai.tool.definitions", "gen_ai.output.messages")
TRUNCATED = "llm_router.content.truncated"
CUT = "… [truncated]"
fast = pytest.mark.parametrize("fast_path", [False, True], ids=["sdk", "fast"])


def call(asked: Any = ASKED, answer: Any = ANSWER) -> None:
    with router.request("smart"), router.attempt("openai", "gpt-4o") as attempt:
        attempt.content(asked)
        attempt.response(answer)


def on_span(captured: testing.Captured) -> dict[str, Any]:
    """What the one attempt's span says of content, read from its JSON."""
    (span,) = captured.spans("chat gpt-4o")
    found = {key: value for key, value in (span.attributes or {}).items() if key in (*KEYS, TRUNCATED)}
    return {key: json.loads(value) if isinstance(value, str) else value for key, value in found.items()}


def recorded(asked: Any = ASKED, answer: Any = ANSWER, *, limit: int = 10_000) -> dict[str, Any]:
    with testing.capture(content="SPAN_ONLY", content_limit=limit, fast_path=True) as captured:
        call(asked, answer)
        return on_span(captured)


def as_lists(value: Any) -> Any:
    """The SDK makes tuples of what is in a log record."""
    if isinstance(value, (list, tuple)):
        return [as_lists(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return {key: as_lists(item) for key, item in value.items()} if hasattr(value, "items") else value


@fast
@pytest.mark.parametrize("mode", MODES)
def test_each_value_records_it_in_its_place(mode: Any, fast_path: bool) -> None:
    with testing.capture(content=mode, fast_path=fast_path) as captured:
        call()
        assert set(on_span(captured)) == (set(KEYS) if "SPAN" in mode else set())
        events = captured.events(EVENT)
        (span,) = captured.spans("chat gpt-4o")
        assert len(events) == ("EVENT" in mode)
        for event in events:
            assert event.trace_id == span.get_span_context().trace_id  # pyright: ignore[reportOptionalMemberAccess]
            assert event.span_id == span.get_span_context().span_id  # pyright: ignore[reportOptionalMemberAccess]
            assert event.attributes["gen_ai.request.model"] == "gpt-4o"
            assert event.attributes["gen_ai.operation.name"] == "chat"
            (route,) = captured.spans("route smart")
            assert event.attributes["llm_router.request.id"] == format_span_id(route.get_span_context().span_id)  # pyright: ignore[reportOptionalMemberAccess]
            assert as_lists(event.attributes["gen_ai.output.messages"]) == [
                {"role": "assistant", "parts": [{"type": "text", "content": "324 m"}], "finish_reason": "stop"}
            ]
        if mode == "SPAN_AND_EVENT":
            assert {key: as_lists(events[0].attributes[key]) for key in KEYS} == on_span(captured)


@fast
def test_it_is_as_the_conventions_have_it(fast_path: bool) -> None:
    with testing.capture(content="SPAN_ONLY", fast_path=fast_path) as captured:
        call()
        assert on_span(captured) == {
            "gen_ai.system_instructions": [{"type": "text", "content": "be brief"}],
            "gen_ai.input.messages": [{"role": "user", "parts": [{"type": "text", "content": "how tall is it?"}]}],
            "gen_ai.tool.definitions": [{"type": "function", "name": "measure", "parameters": {"type": "object"}}],
            "gen_ai.output.messages": [
                {"role": "assistant", "parts": [{"type": "text", "content": "324 m"}], "finish_reason": "stop"}
            ],
        }


def test_long_text_and_line_breaks_stay_what_they_are() -> None:
    said = "first\nsecond\t" + "long " * 1000
    assert recorded([{"role": "user", "content": said}])["gen_ai.input.messages"][0]["parts"][0]["content"] == said


def test_a_stream_is_put_together(chunk: Callable[..., Any]) -> None:
    def stream() -> Generator[Any]:
        yield chunk("32")
        yield chunk("4 ")
        yield chunk("m")
        yield chunk(finish="stop")

    with testing.capture(content="SPAN_ONLY") as captured:
        with router.request("smart") as request, request.attempt("openai", "gpt-4o") as attempt:
            attempt.content(ASKED["messages"])
            answer = request.stream(stream())
        assert len(list(answer)) == 4
        (message,) = on_span(captured)["gen_ai.output.messages"]
        assert message == {
            "role": "assistant",
            "parts": [{"type": "text", "content": "324 m"}],
            "finish_reason": "stop",
        }
        assert captured.value("llm_router.tokens", type="output", source="estimated") == 3


def test_of_a_stream_that_is_given_up_there_is_what_came(chunk: Callable[..., Any]) -> None:
    with testing.capture(content="SPAN_ONLY") as captured:
        with router.request("smart") as request, request.attempt("openai", "gpt-4o"):
            answer = request.stream(chunk(text) for text in ("32", "4 ", "m"))
        next(answer)
        answer.close()
        (message,) = on_span(captured)["gen_ai.output.messages"]
        assert message == {"role": "assistant", "parts": [{"type": "text", "content": "32"}]}


def test_a_failed_call_says_what_was_asked_and_nothing_of_the_error() -> None:
    with testing.capture(content="SPAN_AND_EVENT") as captured:
        with (  # noqa: PT012
            pytest.raises(ValueError, match="in the error"),
            router.request("smart"),
            router.attempt("openai", "gpt-4o") as attempt,
        ):
            attempt.content(ASKED)
            raise ValueError("a prompt in the error")
        assert set(on_span(captured)) == set(KEYS) - {"gen_ai.output.messages"}
        (event,) = captured.events(EVENT)
        assert event.attributes["error.type"] == "internal"
        exported = [span.to_json() for span in captured.spans()] + [
            str(event.attributes) for event in captured.events()
        ]
        assert "in the error" not in "".join(exported)


# --- how much ------------------------------------------------------------------------------------


def test_what_is_too_long_is_cut_and_says_so() -> None:
    found = recorded([{"role": "user", "content": "a" * 500}], limit=100)
    assert found["gen_ai.input.messages"][0]["parts"][0]["content"] == "a" * 100 + CUT
    assert found[TRUNCATED] is True
    assert "324 m" in str(found["gen_ai.output.messages"])


def test_the_newest_messages_are_kept() -> None:
    asked = [{"role": "user", "content": f"{number:03} " + "x" * 46} for number in range(100)]
    found = recorded(asked, limit=120)
    texts = [message["parts"][0]["content"] for message in found["gen_ai.input.messages"]]
    assert [text[:3] for text in texts] == ["097", "098", "099"]
    assert [text.endswith(CUT) for text in texts] == [True, False, False]
    assert found[TRUNCATED] is True


def test_a_long_stream_costs_no_more_memory_than_the_limit(chunk: Callable[..., Any]) -> None:
    with testing.capture(content="SPAN_ONLY", content_limit=100) as captured:
        with router.request("smart") as request, request.attempt("openai", "gpt-4o"):
            answer = request.stream(chunk("y" * 990 + str(number)) for number in range(1000))
        tracemalloc.start()
        try:
            assert sum(1 for _ in zip(range(999), answer, strict=False)) == 999
            # What other threads of the session hold meanwhile is not ours.
            ours = [tracemalloc.Filter(inclusive=True, filename_pattern=one) for one in (__file__, "*/telemetry/*")]
            kept = tracemalloc.take_snapshot().filter_traces(ours).statistics("filename")
            assert sum(one.size for one in kept) < 100_000  # of a million characters
        finally:
            tracemalloc.stop()
        answer.close()
        found = on_span(captured)
        assert found["gen_ai.output.messages"][0]["parts"][0]["content"] == "y" * 100 + CUT
        assert found[TRUNCATED] is True


def test_empty_messages_are_bounded_too() -> None:
    found = recorded([{"role": "user", "content": ""}] * 100_000, limit=100)
    assert len(found["gen_ai.input.messages"]) < 1000
    assert found[TRUNCATED] is True


def test_deep_arguments_are_bounded() -> None:
    deep: Any = "end"
    for _ in range(100):
        deep = [deep]
    asked = [{"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": deep}]}]
    found = recorded(asked)
    assert "end" not in str(found)
    assert found[TRUNCATED] is True


def test_bodies_that_wait_are_bounded_for_the_process() -> None:
    large = json.dumps({"messages": "z" * 1_000_000}).encode()
    before = len(_bodies._free)  # pyright: ignore[reportPrivateUsage]
    held = [_bodies.Body(large) for _ in range(100)]
    read = [body.read() for body in held[::2]]
    assert 0 < sum(1 for one in read if one is None) < 50
    del held
    gc.collect()
    assert len(_bodies._free) == before  # pyright: ignore[reportPrivateUsage]
    assert _bodies.Body(b"x" * (_bodies.MAX_BODY + 1)).read() is None


# --- what is never in it -------------------------------------------------------------------------


def test_secrets_are_hidden_wherever_they_are() -> None:
    key = "sk-abcdefghijklmnopqrst"
    asked = {
        "system": f"use {key}",
        "messages": [
            {"role": "user", "content": f"my key is {key}"},
            {
                "role": "assistant",
                "tool_calls": [
                    {"id": "1", "function": {"name": "login", "arguments": '{"password": "hunter2", "n": 1}'}}
                ],
            },
            {"role": "tool", "tool_call_id": "1", "content": f'{{"token": "{key}"}}'},
        ],
        "tools": [{"name": "login", "description": f"with {key}", "input_schema": {"default": key}}],
    }
    answer = {"content": [{"type": "tool_use", "id": "2", "name": "f", "input": {"secret": {"of": 7}, "x": key}}]}
    with testing.capture(content="SPAN_AND_EVENT") as captured:
        call(asked, {**answer, "type": "message", "role": "assistant"})
        exported = captured.spans("chat gpt-4o")[0].to_json() + str(captured.events(EVENT)[0].attributes)
        (_, called, _) = on_span(captured)["gen_ai.input.messages"]
    assert key[:8] not in exported
    assert "hunter2" not in exported
    assert "'of'" not in exported
    assert exported.count("[REDACTED]") >= 14
    assert called["parts"][0]["arguments"]["n"] == 1


def test_a_secret_across_the_limit_is_hidden_too() -> None:
    found = recorded([{"role": "user", "content": "a" * 90 + " sk-" + "b" * 60}], limit=100)
    assert "sk-b" not in str(found)


def test_a_secret_in_pieces_of_a_stream_is_hidden(chunk: Callable[..., Any]) -> None:
    with testing.capture(content="SPAN_ONLY") as captured:
        with router.request("smart") as request, request.attempt("openai", "gpt-4o"):
            answer = request.stream(chunk(text) for text in ("it is sk-", "abcdefghij", "klmnopqrst"))
        assert len(list(answer)) == 3
        assert on_span(captured)["gen_ai.output.messages"][0]["parts"][0]["content"] == "it is [REDACTED]"


def test_of_binary_data_there_is_type_and_size() -> None:
    data = base64.b64encode(b"\x89PNG" + b"q" * 996).decode()
    url = "https://user:pass@files.example/cat.png?sig=1234#x"
    asked = [
        {
            "role": "user",
            "content": [
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
                {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": data}},
                {"type": "input_audio", "input_audio": {"format": "wav", "data": data}},
                {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{data}"}},
                {"type": "image_url", "image_url": {"url": url}},
                {"type": "file", "file": {"file_id": "file-1"}},
                {"inline_data": {"mime_type": "video/mp4", "data": b"\x00" * 10}},
                {"type": "text", "text": f"![cat](data:image/gif;base64,{data})"},
            ],
        }
    ]
    parts = recorded(asked)["gen_ai.input.messages"][0]["parts"]
    assert data[:20] not in str(parts)
    assert [(part["modality"], part["mime_type"], part["byte_size"]) for part in parts if part["type"] == "blob"] == [
        ("image", "image/png", 1000),
        ("image", "image/jpeg", 1000),
        ("audio", "audio/wav", 1000),
        ("document", "application/pdf", 1000),
        ("video", "video/mp4", 10),
    ]
    assert {part["content"] for part in parts if part["type"] == "blob"} == {""}
    assert parts[4] == {"type": "uri", "modality": "image", "mime_type": None, "uri": "https://files.example/cat.png"}
    assert parts[5] == {"type": "file", "modality": "document", "file_id": "file-1"}
    assert parts[7]["content"] == "![cat]([image/gif, 1000 bytes])"


def test_redaction_that_fails_drops_the_content_and_nothing_else(
    lenient: dict[str, int], captured: testing.Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_text: str) -> str:
        raise RuntimeError

    # There alone: labels are redacted too.
    monkeypatch.setattr("otel_llm_router.telemetry._content._leaving.redaction", SimpleNamespace(text=broken))
    router.default.capture_content("SPAN_AND_EVENT")
    call()
    assert on_span(captured) == {}
    assert captured.events(EVENT) == []
    assert captured.value("llm_router.attempts", status="success") == 1
    assert lenient == {"attempt.content": 1}


@pytest.mark.parametrize(
    "hostile",
    [
        {"messages": [{"role": 7, "content": object()}]},
        {"messages": [[[1, 2]], 5, None, {"content": {"type": "text", "text": 9}}]},
        {"messages": {"role": "user", "content": "one"}},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "http://[bad"}]}]},
        {"prompt": [1, 2, 3]},
        {"prompt": {"id": "pmpt_1"}},
        {"messages": [{"role": "user", "content": "\ud800 \x00 \u202e"}], "tools": [None, 3, {"x": 1}]},
        {"messages": [{"content": [{"type": "tool_use", "input": {"n": 2**70, "f": float("nan"), 1: b"x"}}]}]},
        object(),
        "text",
        7,
    ],
)
def test_whatever_is_asked_can_be_exported(hostile: Any) -> None:
    with testing.capture(content="SPAN_AND_EVENT") as captured:  # in which errors of ours are raised
        call(hostile, {"choices": [None, 3, {"message": "no"}, {"message": {"content": [1, {}], "tool_calls": [0]}}]})
        json.dumps(on_span(captured)).encode()
        for event in captured.events():
            json.dumps(as_lists(event.attributes), allow_nan=False).encode()


# --- whose it is ---------------------------------------------------------------------------------


@pytest.fixture
def unsaid() -> Generator[None]:
    _foreign.said.clear()
    yield
    _foreign.said.clear()


@pytest.mark.usefixtures("unsaid")
@pytest.mark.parametrize(("rule", "ours"), [("defer", False), ("own", True)])
def test_where_another_instrumentation_has_the_span_the_content_is_its_business(
    rule: Any, ours: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(router.default, "foreign", rule)
    with testing.capture(content="SPAN_AND_EVENT") as captured:
        theirs = captured.tracer_provider.get_tracer("somebody.else")
        with router.request("smart") as request:
            marks = {"gen_ai.operation.name": "chat"}
            with (
                theirs.start_as_current_span("theirs", kind=trace.SpanKind.CLIENT, attributes=marks),
                request.attempt("openai", "gpt-4o") as attempt,
            ):
                attempt.content(ASKED)
                attempt.response(ANSWER)
        spans = captured.spans()
        assert [span.name for span in spans if "gen_ai.input.messages" in (span.attributes or {})] == (
            ["chat gpt-4o"] if ours else []
        )
        assert len(captured.events(EVENT)) == ours


def test_embeddings_have_no_messages() -> None:
    with testing.capture(content="SPAN_AND_EVENT") as captured:
        with router.request("smart"), router.attempt("openai", "e", operation="embeddings") as attempt:
            attempt.content({"input": "embed me"})
        assert "embed me" not in captured.spans("embeddings e")[0].to_json()
        assert captured.events(EVENT) == []


@fast
def test_by_default_there_is_none_of_it(fast_path: bool) -> None:
    with testing.capture(fast_path=fast_path) as captured:
        call()
        with router.request("smart"), router.attempt("openai", "gpt-4o") as attempt:
            attempt.content(ASKED)
            assert attempt.content_kept is None
        exported = "".join(span.to_json() for span in captured.spans())
        assert "be brief" not in exported
        assert "tall" not in exported
        assert "324 m" not in exported
        assert captured.events() == []
