"""Every protocol, whole and in pieces: model, usage by type, finish reasons, errors inside a good answer."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from otel_llm_router import testing
from tests.instrumentation.wire.upstreams import Answer, Upstreams, events, lines, whole

pytestmark = pytest.mark.parametrize("captured", [True], indirect=True, ids=["fast"])

MESSAGES = [{"role": "user", "content": "hello"}]
ANTHROPIC_USAGE = {
    "input_tokens": 10,
    "cache_read_input_tokens": 4,
    "cache_creation_input_tokens": 3,
    "output_tokens": 7,
}
GEMINI_USAGE = {
    "promptTokenCount": 12,
    "cachedContentTokenCount": 5,
    "candidatesTokenCount": 6,
    "thoughtsTokenCount": 2,
    "totalTokenCount": 20,
}
RESPONSES_USAGE = {
    "input_tokens": 9,
    "input_tokens_details": {"cached_tokens": 3},
    "output_tokens": 8,
    "output_tokens_details": {"reasoning_tokens": 5},
}
OPENAI_USAGE = {"prompt_tokens": 5, "completion_tokens": 3}
RESPONSE: dict[str, Any] = {"id": "resp_1", "model": "gpt-5-2026", "status": "completed", "output": []}


def gemini(text: str, reason: str | None = None, **more: Any) -> dict[str, Any]:
    candidate = {"content": {"parts": [{"text": text}]}, "finishReason": reason}
    return {"candidates": [candidate], "modelVersion": "gemini-2.5-001", "responseId": "g1", **more}


CASES: dict[str, tuple[str, dict[str, Any], Answer, dict[str, float], dict[str, Any]]] = {
    "completions": (
        "/v1/completions",
        {"model": "davinci", "prompt": "hello"},
        whole(
            {
                "id": "c1",
                "model": "davinci-2",
                "choices": [{"text": "a", "finish_reason": "length"}],
                "usage": OPENAI_USAGE,
            }
        ),
        {"input": 5, "output": 3},
        {"operation": "text_completion", "model": "davinci-2", "finish": ("length",)},
    ),
    "embeddings": (
        "/v1/embeddings",
        {"model": "embed-3", "input": ["a", "b"]},
        whole(
            {"model": "embed-3-large", "data": [{"embedding": [0.1]}], "usage": {"prompt_tokens": 6, "total_tokens": 6}}
        ),
        {"input": 6},
        {"operation": "embeddings", "model": "embed-3-large"},
    ),
    "embeddings of many megabytes": (
        "/v1/embeddings",
        {"model": "embed-3", "input": ["a"] * 1000},
        whole(
            {"model": "embed-3-large", "data": [{"embedding": [0.123456789] * 300_000}], "usage": {"prompt_tokens": 7}}
        ),
        {"input": 7},
        {"operation": "embeddings"},
    ),
    "responses": (
        "/v1/responses",
        {"model": "gpt-5", "input": "hello"},
        whole({**RESPONSE, "usage": RESPONSES_USAGE}),
        {"input": 9, "cache_read": 3, "output": 8, "reasoning": 5},
        {"operation": "chat", "model": "gpt-5-2026", "id": "resp_1", "finish": ("completed",)},
    ),
    "responses in pieces": (
        "/v1/responses",
        {"model": "gpt-5", "input": "hello", "stream": True},
        events(
            {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "usage": None}},
            {"type": "response.output_text.delta", "delta": "hi"},
            {"type": "response.output_text.delta", "delta": " you"},
            {"type": "response.completed", "response": {**RESPONSE, "usage": RESPONSES_USAGE}},
            done=False,
        ),
        {"input": 9, "cache_read": 3, "output": 8, "reasoning": 5},
        {"operation": "chat", "model": "gpt-5-2026", "id": "resp_1", "finish": ("completed",), "streamed": True},
    ),
    "anthropic": (
        "/v1/messages",
        {"model": "claude", "max_tokens": 9, "messages": MESSAGES},
        whole(
            {"id": "msg_1", "type": "message", "model": "claude-1", "stop_reason": "end_turn", "usage": ANTHROPIC_USAGE}
        ),
        {"input": 17, "cache_read": 4, "cache_write": 3, "output": 7},
        {"operation": "chat", "provider": "anthropic", "model": "claude-1", "id": "msg_1", "finish": ("end_turn",)},
    ),
    "anthropic in pieces": (
        "/v1/messages",
        {"model": "claude", "max_tokens": 9, "messages": MESSAGES, "stream": True},
        events(
            {
                "type": "message_start",
                "message": {"id": "msg_1", "model": "claude-1", "usage": {**ANTHROPIC_USAGE, "output_tokens": 1}},
            },
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
            {"type": "ping"},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hi"}},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}},
            {"type": "message_stop"},
            done=False,
        ),
        {"input": 17, "cache_read": 4, "cache_write": 3, "output": 7},
        {"operation": "chat", "provider": "anthropic", "model": "claude-1", "finish": ("end_turn",), "streamed": True},
    ),
    "gemini": (
        "/v1beta/models/gemini-2.5:generateContent",
        {"contents": [{"parts": [{"text": "hello"}]}]},
        whole(gemini("hi", "STOP", usageMetadata=GEMINI_USAGE)),
        {"input": 12, "cache_read": 5, "output": 8, "reasoning": 2},
        {
            "operation": "generate_content",
            "provider": "gcp.gemini",
            "model": "gemini-2.5-001",
            "id": "g1",
            "finish": ("STOP",),
        },
    ),
    "gemini in pieces": (
        "/v1beta/models/gemini-2.5:streamGenerateContent",
        {"contents": [{"parts": [{"text": "hello"}]}]},
        events(
            gemini("hi", usageMetadata={"promptTokenCount": 12, "candidatesTokenCount": 1}),
            gemini(" you", "STOP", usageMetadata=GEMINI_USAGE),
            done=False,
        ),
        {"input": 12, "cache_read": 5, "output": 8, "reasoning": 2},
        {"operation": "generate_content", "provider": "gcp.gemini", "finish": ("STOP",), "streamed": True},
    ),
    "gemini in pieces of one array": (
        "/v1beta/models/gemini-2.5:streamGenerateContent",
        {"contents": [{"parts": [{"text": "hello"}]}]},
        whole([gemini("hi"), gemini(" you", "STOP", usageMetadata=GEMINI_USAGE)]),
        {"input": 12, "cache_read": 5, "output": 8, "reasoning": 2},
        {"operation": "generate_content", "provider": "gcp.gemini", "finish": ("STOP",)},
    ),
    "ollama chat in pieces": (
        "/api/chat",
        {"model": "llama3", "messages": MESSAGES},
        lines(
            {"model": "llama3:8b", "message": {"role": "assistant", "content": "hi"}, "done": False},
            {
                "model": "llama3:8b",
                "message": {"content": ""},
                "done": True,
                "done_reason": "stop",
                "prompt_eval_count": 8,
                "eval_count": 4,
            },
        ),
        {"input": 8, "output": 4},
        {"operation": "chat", "provider": "ollama", "model": "llama3:8b", "finish": ("stop",), "streamed": True},
    ),
    "ollama generate": (
        "/api/generate",
        {"model": "llama3", "prompt": "hello", "stream": False},
        whole(
            {
                "model": "llama3:8b",
                "response": "hi",
                "done": True,
                "done_reason": "length",
                "prompt_eval_count": 8,
                "eval_count": 4,
            }
        ),
        {"input": 8, "output": 4},
        {"operation": "text_completion", "provider": "ollama", "finish": ("length",)},
    ),
    "ollama embed": (
        "/api/embed",
        {"model": "nomic", "input": ["a"]},
        whole({"model": "nomic", "embeddings": [[0.1]], "prompt_eval_count": 2}),
        {"input": 2},
        {"operation": "embeddings", "provider": "ollama"},
    ),
    "azure": (
        "/openai/deployments/my-gpt/chat/completions",
        {"messages": MESSAGES},
        whole(
            {"id": "z", "model": "gpt-4o", "choices": [{"message": {}, "finish_reason": "stop"}], "usage": OPENAI_USAGE}
        ),
        {"input": 5, "output": 3},
        {"operation": "chat", "provider": "azure.ai.openai", "model": "gpt-4o", "finish": ("stop",)},
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
@pytest.mark.parametrize("read", ["by httpx", "by the application"])
async def test_what_an_answer_says_is_read(
    case: Any, read: str, upstream: Upstreams, captured: testing.Captured
) -> None:
    path, body, answer, tokens, expected = case
    url = f"{upstream.gives(answer)}{path}"
    async with httpx.AsyncClient(verify=False) as client:
        if read == "by httpx":
            assert (await client.post(url, json=body)).content == b"".join(answer.body)
        else:
            async with client.stream("POST", url, json=body) as response:
                assert b"".join([piece async for piece in response.aiter_raw()]) == b"".join(answer.body)
    (span,) = [span for span in captured.spans() if span.name.startswith(expected["operation"] + " ")]
    said: Any = span.attributes or {}
    assert said["gen_ai.provider.name"] == expected.get("provider", "openai_compatible")
    assert captured.value("llm_router.attempts", status="success") == 1
    assert {point.labels["type"]: point.value for point in captured.points("llm_router.tokens")} == tokens
    for key, name in (("model", "model"), ("id", "id"), ("finish", "finish_reasons")):
        if key in expected:
            assert said[f"gen_ai.response.{name}"] == expected[key]
    timed = captured.count("llm_router.time_to_first_token")
    assert timed == (1 if expected.get("streamed") and read == "by the application" else 0)
    assert captured.value("llm_router.usage.missing") == 0


CHUNK = {"id": "1", "model": "m", "choices": [{"delta": {"content": "a"}, "finish_reason": None}]}
BROKEN: dict[str, tuple[str, dict[str, Any], Answer, str]] = {
    "openai": (
        "/v1/chat/completions",
        {"messages": MESSAGES},
        events({"error": {"code": 429}}, done=False),
        "rate_limit",
    ),
    "openai, in the middle": (
        "/v1/chat/completions",
        {"messages": MESSAGES},
        events(CHUNK, {"error": {"type": "server_error", "message": "a secret"}}),
        "stream_interrupted",
    ),
    "openai, in the middle, for its content": (
        "/v1/chat/completions",
        {"messages": MESSAGES},
        events(CHUNK, {"error": {"code": "content_filter"}}),
        "content_policy",
    ),
    "anthropic": (
        "/v1/messages",
        {"messages": MESSAGES},
        events({"type": "error", "error": {"type": "overloaded_error"}}, done=False),
        "server_error",
    ),
    "responses": (
        "/v1/responses",
        {"input": "hello"},
        events({"type": "response.failed", "response": {"status": "failed", "error": {"code": "rate_limit_exceeded"}}}),
        "rate_limit",
    ),
    "responses, an event of its own": (
        "/v1/responses",
        {"input": "hello"},
        events({"type": "error", "code": "server_error", "message": "a secret"}),
        "server_error",
    ),
    "ollama": ("/api/chat", {"messages": MESSAGES}, lines({"error": "a secret"}), "server_error"),
    "a whole answer that is an error": (
        "/v1/chat/completions",
        {"messages": MESSAGES, "stream": False},
        whole({"error": {"code": 402, "message": "a secret"}}),
        "bad_request",
    ),
    "context window": (
        "/v1/chat/completions",
        {"messages": MESSAGES},
        whole({"error": {"code": "context_length_exceeded"}}, status=400),
        "context_window",
    ),
    "overloaded": ("/v1/messages", {"messages": MESSAGES}, whole({"type": "error"}, status=529), "server_error"),
    "a page of a proxy": (
        "/v1/chat/completions",
        {"messages": MESSAGES},
        Answer([b"<html>bad gateway \xff\xfe"], status=502, content_type="text/html"),
        "server_error",
    ),
}


@pytest.mark.parametrize("case", BROKEN.values(), ids=BROKEN.keys())
async def test_a_failure_that_the_provider_reports_is_a_failed_attempt(
    case: Any, upstream: Upstreams, captured: testing.Captured
) -> None:
    path, body, answer, error_type = case
    url = f"{upstream.gives(answer)}{path}"
    async with (
        httpx.AsyncClient(verify=False) as client,
        client.stream("POST", url, json={"model": "m", "stream": True, **body}) as response,
    ):
        assert await response.aread() == b"".join(answer.body)
    assert captured.value("llm_router.attempts") == 1
    assert captured.value("llm_router.attempts", status="error", error_type=error_type) == 1
    assert "a secret" not in str([span.to_json() for span in captured.spans()])


async def test_the_cost_that_openrouter_states_is_taken(
    upstream: Upstreams, captured: testing.Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = whole({"model": "m", "choices": [], "usage": {**OPENAI_USAGE, "cost": 0.0123}})
    transport = httpx.AsyncHTTPTransport()
    real = transport.handle_async_request

    async def to_the_upstream(request: httpx.Request) -> httpx.Response:
        request.url = httpx.URL(upstream.base).join(request.url.raw_path.decode())
        return await real(request)

    upstream.gives(answer)
    monkeypatch.setattr(transport, "handle_async_request", to_the_upstream)
    async with httpx.AsyncClient(transport=transport) as client:
        await client.post("http://openrouter.ai/api/v1/chat/completions", json={"model": "m", "messages": MESSAGES})
    assert captured.value("llm_router.cost.usd", provider="openrouter", source="reported") == 0.0123
