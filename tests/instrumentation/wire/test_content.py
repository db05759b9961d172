"""Content of calls that only the wire sees, through real clients and SDKs."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Generator
from typing import Any

import httpx
import openai
import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.telemetry import _foreign
from tests.instrumentation.wire.clients import STREAM, WHOLE, Way
from tests.instrumentation.wire.test_owners import CHAT, CHUNK, FOREIGN, USAGE
from tests.instrumentation.wire.upstreams import Answer, Upstreams, events, lines, whole

EVENT = "gen_ai.client.inference.operation.details"
SECRET = "sk-abcdefghijklmnopqrst"
QUESTION = f"which way, with {SECRET}?"
ASK: dict[str, Any] = {"model": "gpt-4o", "messages": [{"role": "user", "content": QUESTION}]}
MESSAGE = {"role": "assistant", "content": "to the lighthouse"}
ANSWER = {**CHAT, "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}]}
LOOK: dict[str, Any] = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {"at": {"type": "string"}}}},
}

INPUT = [{"role": "user", "parts": [{"type": "text", "content": "which way, with [REDACTED]?"}]}]
OUTPUT = [{"role": "assistant", "parts": [{"type": "text", "content": "to the lighthouse"}], "finish_reason": "stop"}]


def pieces(*deltas: dict[str, Any]) -> Answer:
    choices: list[Any] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    last: dict[str, Any] = {"index": 0, "delta": {}, "finish_reason": "stop"}
    chunks: list[Any] = [{**CHUNK, "choices": [choice]} for choice in (*choices, last)]
    return events(*chunks, {**CHUNK, "choices": [], "usage": USAGE})


DELTAS = ({"role": "assistant", "content": "to "}, {"content": "the "}, {"content": "lighthouse"})


@pytest.fixture
def captured() -> Generator[testing.Captured]:
    with testing.capture(content="SPAN_AND_EVENT", fast_path=True) as found:
        yield found


def recorded(captured: testing.Captured, name: str = "chat gpt-4o") -> dict[str, Any]:
    """What the one span of a call says of content; its event says the same."""
    (span,) = captured.spans(name)
    found = {key: value for key, value in (span.attributes or {}).items() if str(value)[:2] == "[{"}
    (event,) = captured.events(EVENT)
    assert set(found) == {key for key in event.attributes if "messages" in key or "instr" in key or "tool" in key}
    return {key.removeprefix("gen_ai."): json.loads(str(value)) for key, value in found.items()}


@pytest.mark.parametrize("way", [*WHOLE, *STREAM], ids=lambda way: way.__name__)
async def test_a_call_by_each_client(way: Way, upstream: Upstreams, captured: testing.Captured) -> None:
    base = upstream.gives(whole(ANSWER))
    status, body = await way(f"{base}/v1/chat/completions", ASK)
    assert (status, json.loads(body)) == (200, ANSWER)
    assert SECRET.encode() in upstream.received[0].body
    assert recorded(captured) == {"input.messages": INPUT, "output.messages": OUTPUT}


@pytest.mark.parametrize("way", [*WHOLE, *STREAM], ids=lambda way: way.__name__)
async def test_a_stream_by_each_client(way: Way, upstream: Upstreams, captured: testing.Captured) -> None:
    base = upstream.gives(pieces(*DELTAS))
    await way(f"{base}/v1/chat/completions", {**ASK, "stream": True})
    assert recorded(captured) == {"input.messages": INPUT, "output.messages": OUTPUT}
    assert captured.value("llm_router.tokens", type="output", source="reported") == 7


def sdk(base: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{base}/v1", api_key=SECRET, max_retries=0)


@pytest.mark.parametrize("stream", [False, True])
def test_a_tool_call_by_openais_sdk(stream: bool, upstream: Upstreams, captured: testing.Captured) -> None:
    function = {"name": "look", "arguments": '{"at": "the map"}'}
    message = {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": function}],
    }
    deltas = (
        {"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": ""}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"at": '}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '"the map"}'}}]},
    )
    complete = {**CHAT, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    with sdk(upstream.gives(pieces(*deltas) if stream else whole(complete))) as client:
        completions: Any = client.chat.completions
        answer = completions.create(**ASK, tools=[LOOK], stream=stream)
        if stream:
            assert len(list(answer)) == 5
    found = recorded(captured)
    assert found["tool.definitions"] == [{"type": "function", **LOOK["function"]}]
    assert found["output.messages"] == [
        {
            "role": "assistant",
            "parts": [{"type": "tool_call", "id": "c1", "name": "look", "arguments": {"at": "the map"}}],
            "finish_reason": "stop",
        }
    ]


def test_the_responses_api_by_openais_sdk(upstream: Upstreams, captured: testing.Captured) -> None:
    said: Any = {"type": "output_text", "text": "to the lighthouse", "annotations": []}
    output: Any = [{"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [said]}]
    answer = {"id": "r", "object": "response", "model": "gpt-4o", "status": "completed", "output": output}
    with sdk(upstream.gives(whole(answer))) as client:
        responses: Any = client.responses
        assert (
            responses.create(model="gpt-4o", instructions="be brief", input=QUESTION).output_text == "to the lighthouse"
        )
    assert recorded(captured) == {
        "system_instructions": [{"type": "text", "content": "be brief"}],
        "input.messages": INPUT,
        "output.messages": OUTPUT,
    }


OTHERS: dict[str, tuple[str, dict[str, Any], Answer, str]] = {
    "anthropic": (
        "/v1/messages",
        {"model": "claude", "stream": True, "messages": ASK["messages"]},
        events(
            {"type": "message_start", "message": {"model": "claude", "usage": {"input_tokens": 1}}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "to the "}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lighthouse"}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
            {"type": "message_stop"},
        ),
        "chat claude",
    ),
    "gemini": (
        "/v1beta/models/gemini-2:streamGenerateContent",
        {"contents": [{"role": "user", "parts": [{"text": QUESTION}]}]},
        events(
            {"candidates": [{"content": {"parts": [{"text": "to the "}]}}]},
            {"candidates": [{"content": {"parts": [{"text": "lighthouse"}]}, "finishReason": "STOP"}]},
        ),
        "generate_content gemini-2",
    ),
    "ollama": (
        "/api/chat",
        {"model": "llama", "messages": ASK["messages"]},
        lines(
            {"message": {"role": "assistant", "content": "to the "}, "done": False},
            {"message": {"role": "assistant", "content": "lighthouse"}, "done": True, "done_reason": "stop"},
        ),
        "chat llama",
    ),
}


@pytest.mark.parametrize("protocol", OTHERS)
def test_each_protocol(protocol: str, upstream: Upstreams, captured: testing.Captured) -> None:
    path, body, answer, name = OTHERS[protocol]
    with httpx.stream("POST", upstream.gives(answer) + path, json=body) as response:
        response.read()
    assert recorded(captured, name) == {"input.messages": INPUT, "output.messages": OUTPUT}


def test_a_large_request_is_read_and_a_large_answer_says_that_it_was_not(
    upstream: Upstreams, captured: testing.Captured
) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "QUJD" * 100_000}}
    asked = {**ASK, "messages": [{"role": "user", "content": [image, {"type": "text", "text": QUESTION}]}]}
    message = {**MESSAGE, "content": "left " * 20_000}
    answer = {**CHAT, "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    httpx.post(f"{upstream.gives(whole(answer))}/v1/chat/completions", json=asked)
    (span,) = captured.spans("chat gpt-4o")
    assert span.attributes is not None
    (said,) = json.loads(str(span.attributes["gen_ai.input.messages"]))
    assert said["parts"][0]["byte_size"] == 300_000
    assert said["parts"][1] == INPUT[0]["parts"][0]
    assert "gen_ai.output.messages" not in span.attributes
    assert span.attributes["llm_router.content.truncated"] is True


def test_an_error_of_the_provider_is_no_content(upstream: Upstreams, captured: testing.Captured) -> None:
    refused = whole({"error": {"message": "your prompt was: which way"}, "message": {"content": "no"}}, status=400)
    httpx.post(f"{upstream.gives(refused)}/v1/chat/completions", json=ASK)
    assert recorded(captured) == {"input.messages": INPUT}
    assert "your prompt was" not in captured.spans("chat gpt-4o")[0].to_json()


def test_the_wire_adds_to_an_attempt_of_the_application(upstream: Upstreams, captured: testing.Captured) -> None:
    with router.request("smart"), router.attempt("mine", "gpt-4o"):
        httpx.post(f"{upstream.gives(whole(ANSWER))}/v1/chat/completions", json=ASK)
    assert recorded(captured) == {"input.messages": INPUT, "output.messages": OUTPUT}


def test_what_the_application_says_itself_is_believed(upstream: Upstreams, captured: testing.Captured) -> None:
    with router.request("smart"), router.attempt("mine", "gpt-4o") as call:
        call.content([{"role": "user", "content": "which way?"}])
        httpx.post(f"{upstream.gives(whole(ANSWER))}/v1/chat/completions", json=ASK)
        call.content(answered="left, I say")
    found = recorded(captured)
    assert found["input.messages"] == [{"role": "user", "parts": [{"type": "text", "content": "which way?"}]}]
    assert found["output.messages"] == [{"role": "assistant", "parts": [{"type": "text", "content": "left, I say"}]}]


def test_a_stream_that_the_application_gives_on_is_recorded_once(
    upstream: Upstreams, captured: testing.Captured
) -> None:
    with sdk(upstream.gives(pieces(*DELTAS))) as client:
        completions: Any = client.chat.completions
        with router.request("smart") as request, request.attempt("mine", "gpt-4o"):
            answer = request.stream(completions.create(**ASK, stream=True))
        assert len(list(answer)) == 5
    assert recorded(captured) == {"input.messages": INPUT, "output.messages": OUTPUT}


@pytest.fixture
def forgotten() -> Generator[None]:
    _foreign.said.clear()
    yield
    _foreign.beneath.clear()


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("around", [False, True], ids=["alone", "in an attempt of ours"])
def test_beside_another_instrumentation_there_is_none(
    around: bool, upstream: Upstreams, captured: testing.Captured
) -> None:
    tracer = captured.tracer_provider.get_tracer("somebody.else")
    with contextlib.ExitStack() as stack:
        if around:
            stack.enter_context(router.request("smart"))
            call = stack.enter_context(router.attempt("mine", "gpt-4o"))
            call.content(ASK)
        stack.enter_context(tracer.start_as_current_span("theirs", attributes=FOREIGN["openai"]))
        httpx.post(f"{upstream.gives(whole(ANSWER))}/v1/chat/completions", json=ASK)
    assert "which way" not in "".join(span.to_json() for span in captured.spans())
    assert captured.events(EVENT) == []
    assert captured.value("llm_router.attempts") == 1


@pytest.mark.parametrize(
    "answer", [whole(ANSWER), pieces(*DELTAS), whole(ANSWER, status=500)], ids=["whole", "stream", "500"]
)
def test_by_default_not_a_byte_of_it_is_kept(
    answer: Answer, upstream: Upstreams, caplog: pytest.LogCaptureFixture, serialised: Callable[[testing.Captured], str]
) -> None:
    with testing.capture(fast_path=True) as found:
        httpx.post(f"{upstream.gives(answer)}/v1/chat/completions", json={**ASK, "stream": True})
        exported = serialised(found) + caplog.text
    assert "gpt-4o" in exported
    for word in ("which way", SECRET, "lighthouse"):
        assert word not in exported


@pytest.fixture
def serialised() -> Callable[[testing.Captured], str]:
    def everything(captured: testing.Captured) -> str:
        data = captured._reader.get_metrics_data()  # pyright: ignore[reportPrivateUsage]
        logs = [str(dict(record.attributes)) for record in captured.events()]
        return "".join(span.to_json() for span in captured.spans()) + (data.to_json() if data else "") + "".join(logs)

    return everything
