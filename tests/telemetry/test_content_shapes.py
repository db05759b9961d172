"""Content of every protocol, asked and answered, whole and in pieces, by the conventions' one shape."""

from __future__ import annotations

import json
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing


def objects(value: Any) -> Any:
    """Return what an SDK makes of JSON: objects with attributes."""
    if isinstance(value, list):
        return [objects(item) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return SimpleNamespace(**{key: objects(item) for key, item in value.items()}) if isinstance(value, dict) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def recorded(asked: Any = None, answers: Iterable[Any] = ()) -> dict[str, Any]:
    """What is recorded of a call whose answer comes in these pieces."""
    with testing.capture(content="SPAN_ONLY", fast_path=True) as captured:
        with router.request("smart") as request, request.attempt("provider", "model") as attempt:
            attempt.content(asked)
            stream = request.stream(iter(list(answers)))
        list(stream)
        (span,) = captured.spans("chat model")
        found = {key: value for key, value in (span.attributes or {}).items() if "messages" in key or "." in key}
        return {key: json.loads(found[key]) for key in found if isinstance(found[key], str) and found[key][:1] == "["}  # type: ignore[index]


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "content": content}


def call(identifier: str | None, name: str, arguments: Any) -> dict[str, Any]:
    return {"type": "tool_call", "id": identifier, "name": name, "arguments": arguments}


def result(identifier: str | None, response: Any) -> dict[str, Any]:
    return {"type": "tool_call_response", "id": identifier, "response": response}


ASKED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "openai": (
        {
            "messages": [
                {"role": "system", "content": "be brief"},
                {"role": "user", "name": "ada", "content": [{"type": "text", "text": "weather?"}]},
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "c1", "function": {"name": "look", "arguments": '{"at": "Paris"}'}}],
                },
                {"role": "tool", "tool_call_id": "c1", "content": "rain"},
            ],
            "tools": [
                {"type": "function", "function": {"name": "look", "description": "Looks", "parameters": {"a": 1}}}
            ],
        },
        {
            "gen_ai.input.messages": [
                {"role": "system", "parts": [text("be brief")]},
                {"role": "user", "parts": [text("weather?")], "name": "ada"},
                {"role": "assistant", "parts": [call("c1", "look", {"at": "Paris"})]},
                {"role": "tool", "parts": [result("c1", "rain")]},
            ],
            "gen_ai.tool.definitions": [
                {"type": "function", "name": "look", "description": "Looks", "parameters": {"a": 1}}
            ],
        },
    ),
    "text completion": (
        {"prompt": ["once", "upon"]},
        {
            "gen_ai.input.messages": [
                {"role": "user", "parts": [text("once")]},
                {"role": "user", "parts": [text("upon")]},
            ]
        },
    ),
    "responses": (
        {
            "instructions": "be brief",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "weather?"}]},
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
                {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"at": "Paris"}'},
                {"type": "function_call_output", "call_id": "c1", "output": "rain"},
            ],
            "tools": [{"type": "web_search"}, {"type": "function", "name": "look", "parameters": {"a": 1}}],
        },
        {
            "gen_ai.system_instructions": [text("be brief")],
            "gen_ai.input.messages": [
                {"role": "user", "parts": [text("weather?")]},
                {"role": "assistant", "parts": [{"type": "reasoning", "content": "hm"}]},
                {"role": "assistant", "parts": [call("c1", "look", {"at": "Paris"})]},
                {"role": "tool", "parts": [result("c1", "rain")]},
            ],
            "gen_ai.tool.definitions": [
                {"type": "web_search", "name": "web_search"},
                {"type": "function", "name": "look", "parameters": {"a": 1}},
            ],
        },
    ),
    "anthropic": (
        {
            "system": [{"type": "text", "text": "be brief"}],
            "messages": [
                {"role": "user", "content": "weather?"},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "hm", "signature": "xyz"},
                        {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": "Paris"}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {"type": "tool_result", "tool_use_id": "c1", "content": [{"type": "text", "text": "rain"}]}
                    ],
                },
            ],
            "tools": [{"name": "look", "input_schema": {"a": 1}}],
        },
        {
            "gen_ai.system_instructions": [text("be brief")],
            "gen_ai.input.messages": [
                {"role": "user", "parts": [text("weather?")]},
                {
                    "role": "assistant",
                    "parts": [{"type": "reasoning", "content": "hm"}, call("c1", "look", {"at": "Paris"})],
                },
                {"role": "user", "parts": [result("c1", "rain")]},
            ],
            "gen_ai.tool.definitions": [{"type": "function", "name": "look", "parameters": {"a": 1}}],
        },
    ),
    "gemini": (
        {
            "systemInstruction": {"parts": [{"text": "be brief"}]},
            "contents": [
                {"role": "user", "parts": [{"text": "weather?"}]},
                {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {"at": "Paris"}}}]},
                {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"sky": "rain"}}}]},
            ],
            "tools": [{"functionDeclarations": [{"name": "look", "parameters": {"a": 1}}]}, {"googleSearch": {}}],
        },
        {
            "gen_ai.system_instructions": [text("be brief")],
            "gen_ai.input.messages": [
                {"role": "user", "parts": [text("weather?")]},
                {"role": "assistant", "parts": [call(None, "look", {"at": "Paris"})]},
                {"role": "user", "parts": [result("look", {"sky": "rain"})]},
            ],
            "gen_ai.tool.definitions": [
                {"type": "function", "name": "look", "parameters": {"a": 1}},
                {"type": "googleSearch", "name": "googleSearch"},
            ],
        },
    ),
    "ollama": (
        {"prompt": "weather?", "system": "be brief"},
        {
            "gen_ai.system_instructions": [text("be brief")],
            "gen_ai.input.messages": [{"role": "user", "parts": [text("weather?")]}],
        },
    ),
    "ollama with a picture": (
        {"messages": [{"role": "user", "content": "what?", "images": ["aGVsbG8="]}]},
        {
            "gen_ai.input.messages": [
                {
                    "role": "user",
                    "parts": [
                        text("what?"),
                        {"type": "blob", "modality": "image", "mime_type": None, "content": "", "byte_size": 5},
                    ],
                }
            ]
        },
    ),
}


@pytest.mark.parametrize("shape", ASKED)
def test_what_is_asked(shape: str) -> None:
    asked, expected = ASKED[shape]
    assert recorded(asked) == expected


def test_messages_may_be_objects_of_an_sdk() -> None:
    asked, expected = ASKED["anthropic"]
    found = recorded({**asked, "messages": objects(asked["messages"])})
    assert found["gen_ai.input.messages"] == expected["gen_ai.input.messages"]


def chunk(index: int = 0, finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"choices": [{"index": index, "delta": delta, "finish_reason": finish}]}


def calls(piece: str, **more: Any) -> dict[str, Any]:
    return chunk(tool_calls=[{"index": 0, "function": {"arguments": piece, **more.pop("function", {})}, **more}])


def gemini(*parts: Any, **more: Any) -> dict[str, Any]:
    return {"candidates": [{"index": 0, "content": {"role": "model", "parts": list(parts)}, **more}]}


def block(kind: str, index: int, **more: Any) -> dict[str, Any]:
    return {"type": f"content_block_{kind}", "index": index, **more}


TOOL = {"role": "assistant", "parts": [text("Let me look."), call("c1", "look", {"at": "Paris"})]}
THINKING = {"type": "reasoning", "content": "It rains."}

ANSWERS: dict[str, tuple[list[Any], list[dict[str, Any]]]] = {
    "openai": (
        [
            {
                "choices": [
                    {
                        "index": 0,
                        "message": {
                            "role": "assistant",
                            "content": "Let me look.",
                            "tool_calls": [
                                {
                                    "id": "c1",
                                    "type": "function",
                                    "function": {"name": "look", "arguments": '{"at": "Paris"}'},
                                }
                            ],
                        },
                        "finish_reason": "tool_calls",
                    }
                ]
            }
        ],
        [{**TOOL, "finish_reason": "tool_call"}],
    ),
    "openai in pieces": (
        [
            chunk(role="assistant", content=""),
            chunk(content="Let me "),
            chunk(content="look."),
            calls("", id="c1", type="function", function={"name": "look"}),
            calls('{"at": '),
            calls('"Paris"}'),
            chunk(finish="tool_calls"),
        ],
        [{**TOOL, "finish_reason": "tool_call"}],
    ),
    "two choices in turns": (
        [
            chunk(0, content="a"),
            chunk(1, content="x"),
            chunk(0, content="b"),
            chunk(1, "length", content="y"),
            chunk(0, "stop"),
        ],
        [
            {"role": "assistant", "parts": [text("ab")], "finish_reason": "stop"},
            {"role": "assistant", "parts": [text("xy")], "finish_reason": "length"},
        ],
    ),
    "reasoning in pieces": (
        [chunk(reasoning_content="It "), chunk(reasoning_content="rains."), chunk(content="Rain"), chunk(content="y.")],
        [{"role": "assistant", "parts": [THINKING, text("Rainy.")]}],
    ),
    "text completion": (
        [{"choices": [{"text": "up", "index": 0}]}, {"choices": [{"text": "on", "index": 0, "finish_reason": "stop"}]}],
        [{"role": "assistant", "parts": [text("upon")], "finish_reason": "stop"}],
    ),
    "anthropic": (
        [
            {
                "type": "message",
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "It rains."},
                    {"type": "text", "text": "Let me look."},
                    {"type": "tool_use", "id": "c1", "name": "look", "input": {"at": "Paris"}},
                ],
                "stop_reason": "tool_use",
            }
        ],
        [{"role": "assistant", "parts": [THINKING, *TOOL["parts"]], "finish_reason": "tool_call"}],
    ),
    "anthropic in pieces": (
        [
            {"type": "message_start", "message": {"role": "assistant", "content": []}},
            block("start", 0, content_block={"type": "thinking", "thinking": ""}),
            block("delta", 0, delta={"type": "thinking_delta", "thinking": "It "}),
            block("delta", 0, delta={"type": "thinking_delta", "thinking": "rains."}),
            block("stop", 0),
            block("start", 1, content_block={"type": "text", "text": ""}),
            block("delta", 1, delta={"type": "text_delta", "text": "Let me look."}),
            block("start", 2, content_block={"type": "tool_use", "id": "c1", "name": "look", "input": {}}),
            block("delta", 2, delta={"type": "input_json_delta", "partial_json": '{"at": '}),
            block("delta", 2, delta={"type": "input_json_delta", "partial_json": '"Paris"}'}),
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
            {"type": "message_stop"},
        ],
        [{"role": "assistant", "parts": [THINKING, *TOOL["parts"]], "finish_reason": "tool_call"}],
    ),
    "responses": (
        [
            {
                "object": "response",
                "output": [
                    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "It rains."}]},
                    {"type": "message", "status": "completed", "content": [{"type": "output_text", "text": "Rainy."}]},
                    {"type": "function_call", "call_id": "c1", "name": "look", "arguments": '{"at": "Paris"}'},
                ],
            }
        ],
        [
            {
                "role": "assistant",
                "parts": [THINKING, text("Rainy."), call("c1", "look", {"at": "Paris"})],
                "finish_reason": "stop",
            }
        ],
    ),
    "responses in pieces, given up": (
        [
            {"type": "response.created", "response": {"output": []}},
            {"type": "response.output_text.delta", "output_index": 0, "delta": "Let me "},
            {"type": "response.output_text.delta", "output_index": 0, "delta": "look."},
            {
                "type": "response.output_item.added",
                "output_index": 1,
                "item": {"type": "function_call", "call_id": "c1", "name": "look", "arguments": ""},
            },
            {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": '{"at": "Pa'},
            {"type": "response.function_call_arguments.delta", "output_index": 1, "delta": 'ris"}'},
        ],
        [TOOL],
    ),
    "responses in pieces": (
        [
            {"type": "response.output_text.delta", "output_index": 0, "delta": "Rai"},
            {"type": "response.output_text.delta", "output_index": 0, "delta": "ny."},
            {
                "type": "response.completed",
                "response": {
                    "output": [{"type": "message", "content": [{"type": "output_text", "text": "Rainy."}]}],
                },
            },
        ],
        [{"role": "assistant", "parts": [text("Rainy.")], "finish_reason": "stop"}],
    ),
    "gemini": (
        [
            gemini(
                {"text": "It rains.", "thought": True},
                {"text": "Let me look."},
                {"functionCall": {"id": "c1", "name": "look", "args": {"at": "Paris"}}},
                finishReason="STOP",
            )
        ],
        [{"role": "assistant", "parts": [THINKING, *TOOL["parts"]], "finish_reason": "stop"}],
    ),
    "gemini in pieces": (
        [gemini({"text": "Rai"}), gemini({"text": "ny."}, finishReason="MAX_TOKENS")],
        [{"role": "assistant", "parts": [text("Rainy.")], "finish_reason": "length"}],
    ),
    "ollama": (
        [
            {"message": {"role": "assistant", "content": "Let me "}, "done": False},
            {"message": {"role": "assistant", "content": "look."}, "done": False},
            {
                "message": {
                    "content": "",
                    "tool_calls": [{"function": {"name": "look", "arguments": {"at": "Paris"}}}],
                },
                "done": True,
                "done_reason": "stop",
            },
        ],
        [
            {
                "role": "assistant",
                "parts": [text("Let me look."), call(None, "look", {"at": "Paris"})],
                "finish_reason": "stop",
            }
        ],
    ),
    "ollama generates": (
        [{"response": "Rai", "done": False}, {"response": "ny.", "done": True, "done_reason": "length"}],
        [{"role": "assistant", "parts": [text("Rainy.")], "finish_reason": "length"}],
    ),
    "text": (["Rai", "ny."], [{"role": "assistant", "parts": [text("Rainy.")]}]),
    "nothing that is known": ([{"event": "ping"}, 3, None, b"raw"], []),
}


@pytest.mark.parametrize("as_objects", [False, True], ids=["mappings", "objects"])
@pytest.mark.parametrize("shape", ANSWERS)
def test_what_is_answered(shape: str, as_objects: bool) -> None:
    answers, expected = ANSWERS[shape]
    found = recorded(answers=objects(answers) if as_objects else answers)
    assert found.get("gen_ai.output.messages", []) == expected
