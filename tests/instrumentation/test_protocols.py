"""Which requests are calls to a model, and of which provider."""

from __future__ import annotations

import json
from typing import Any

import pytest

from otel_llm_router.instrumentation._protocols import answers, bodies, decoders
from otel_llm_router.instrumentation._protocols.providers import provider_of
from otel_llm_router.instrumentation._protocols.recognition import possible, recognise

MESSAGES: list[Any] = []


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("api.openai.com", "openai"),
        ("API.OpenAI.com", "openai"),
        ("eu.api.openai.com", "openai"),
        ("my-resource.openai.azure.com", "azure"),
        ("api.anthropic.com", "anthropic"),
        ("generativelanguage.googleapis.com", "gemini"),
        ("us-central1-aiplatform.googleapis.com", "vertex_ai"),
        ("aiplatform.googleapis.com", "vertex_ai"),
        ("bedrock-runtime.eu-west-1.amazonaws.com", "bedrock"),
        ("api.mistral.ai", "mistral"),
        ("openrouter.ai", "openrouter"),
        ("evil-openrouter.ai", None),
        ("openrouter.ai.example.com", None),
        ("localhost", None),
        ("127.0.0.1", None),
        ("", None),
    ],
)
def test_a_provider_is_known_by_its_host(host: str, provider: str | None) -> None:
    assert provider_of(host) == provider


@pytest.mark.parametrize(
    ("path", "body", "provider", "operation"),
    [
        ("/v1/chat/completions", {"model": "m", "messages": MESSAGES}, "openai_compatible", "chat"),
        ("/api/paas/v4/chat/completions", {"model": "m", "messages": MESSAGES}, "openai_compatible", "chat"),
        ("/v1/completions", {"model": "m", "prompt": ""}, "openai_compatible", "text_completion"),
        ("/v1/embeddings", {"model": "m", "input": ""}, "openai_compatible", "embeddings"),
        ("/api/embeddings", {"model": "m", "input": ""}, "openai_compatible", "embeddings"),
        ("/api/embeddings", {"model": "m", "prompt": ""}, "ollama", "embeddings"),
        ("/v1/responses", {"model": "m", "input": ""}, "openai_compatible", "chat"),
        ("/anthropic/v1/messages", {"model": "m", "messages": MESSAGES}, "anthropic", "chat"),
        ("/v1/models/gemini:generateContent", {"contents": []}, "gemini", "generate_content"),
        ("/v1beta/models/embed:batchEmbedContents", {"requests": []}, "gemini", "embeddings"),
        ("/openai/deployments/m/embeddings", {"input": ""}, "azure", "embeddings"),
    ],
)
def test_a_call_is_known_by_its_path_and_body(path: str, body: Any, provider: str, operation: str) -> None:
    assert possible(path)
    for form in (body, json.dumps(body), json.dumps(body).encode()):
        call = recognise(path, "gateway.internal", 8000, lambda form=form: form)
        assert call is not None
        assert (call.provider, call.operation, call.address, call.port) == (
            provider,
            operation,
            "gateway.internal",
            8000,
        )


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": MESSAGES}),
        ("/v1/chat/completions", {"model": "m"}),
        ("/v1/chat/completions", {"model": 3, "messages": MESSAGES}),
        ("/v1/chat/completions", [1]),
        ("/v1/chat/completions", None),
        ("/v1/chat/completions", b"\xff{"),
        ("/v1/threads/t/messages", {"model": "m", "messages": MESSAGES}),
        ("/v1/messages/batches", {"model": "m", "messages": MESSAGES}),
        ("/v1/messages/count_tokens", {"model": "m", "messages": MESSAGES}),
        ("/api/chat", {"text": "hello"}),
        ("/survey/responses", {"answers": []}),
        ("/v1/models/gemini:countTokens", {"contents": []}),
        ("/v1/models/gemini:generateContent", {"other": 1}),
        ("/orders", {"model": "m", "messages": MESSAGES}),
    ],
)
def test_everything_else_is_not(path: str, body: Any) -> None:
    assert recognise(path, "gateway.internal", None, lambda: body) is None


@pytest.mark.parametrize("path", ["/", "", "/orders", "/v1/models", "/v1/messages/batches", "/chat/completions/"])
def test_most_paths_are_passed_over_at_once(path: str) -> None:
    assert not possible(path)


def test_a_large_body_is_read_like_a_small_one() -> None:
    for order in (1, -1):
        members = [("model", "gpt-4o"), ("messages", [{"content": 'x"model": "no"' * 10000}]), ("stream", True)][
            ::order
        ]
        large = json.dumps(dict(members)).encode()
        assert len(large) > bodies.MAX_PARSED
        fields = bodies.read(large) or {}
        assert (fields["model"], fields["stream"], "messages" in fields) == ("gpt-4o", True, True)


PIECES = [{"choices": [{"delta": {"content": "ä\u2028\r\n"}}]}, {"usage": {"prompt_tokens": 1}}]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
def test_events_are_the_same_wherever_they_are_cut(size: int, end: bytes) -> None:
    sent = b": comment" + end + end
    for piece in PIECES:
        sent += b"event: x" + end + b"data: " + json.dumps(piece).encode() + end + end
    sent += b"data: [DONE]" + end + end + b'data: {"last": 1}'
    decoder = decoders.EventStream()
    found = [fields for at in range(0, len(sent), size) for fields in decoder.feed(sent[at : at + size])]
    assert found == [*PIECES, decoders.DONE]
    assert decoder.end() == [{"last": 1}]


def event(delta: Any, finish: str | None = None, **more: Any) -> dict[str, Any]:
    return {"id": "1", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], **more}


QUICK: dict[str, tuple[dict[str, Any], bool]] = {
    "content": (event({"content": "a"}), True),
    "content with a role": (event({"role": "assistant", "content": "a"}), True),
    "content that quotes": (event({"content": 'a "usage": {"error": 1}'}), True),
    "content, and usage of none": (event({"content": "a"}, usage=None), True),
    "usage": (event({"content": "a"}, usage={"prompt_tokens": 1}), False),
    "the end": (event({"content": "a"}, "stop"), False),
    "an error": (event({"content": "a"}, error={"code": 1}), False),
    "no content": (event({"content": ""}), False),
    "content of null": (event({"content": None}), False),
    "a role": (event({"role": "assistant"}), False),
    "nothing": (event({}), False),
}


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
@pytest.mark.parametrize(("fields", "plain"), QUICK.values(), ids=QUICK.keys())
def test_a_quick_look_says_what_a_close_one_says(fields: Any, plain: bool, separators: Any) -> None:
    text = json.dumps(fields, separators=separators).encode()
    assert answers.is_plain(text) is plain
    piece = answers.read("openai", fields)
    says_more = piece.last or piece.error or piece.usage is not None
    assert plain is (piece.content and not says_more)


@pytest.mark.parametrize("size", [1, 3, 10_000])
def test_lines_are_the_same_wherever_they_are_cut(size: int) -> None:
    sent = b"".join(json.dumps(piece).encode() + b"\n" for piece in PIECES) + b'{"last": 1}'
    decoder = decoders.JsonLines()
    found = [fields for at in range(0, len(sent), size) for fields in decoder.feed(sent[at : at + size])]
    assert found + decoder.end() == [*PIECES, {"last": 1}]
