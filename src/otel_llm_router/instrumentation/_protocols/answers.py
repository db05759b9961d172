"""What an answer of a provider says, in one shape for all of them.

Room: `instrumentation`. A JSON object (a whole answer, or one event of a stream) and the dialect it is in
come in; a `Piece` goes out. Anything may come: what has not the expected form says nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast

from otel_llm_router.instrumentation._protocols import failures
from otel_llm_router.instrumentation._protocols.recognition import Dialect

_OUTPUT: Final = ("content", "tool_calls", "reasoning_content", "reasoning", "refusal", "function_call", "audio")
"""Fields of a delta that carry output."""

_MAX_CHOICES: Final = 16


@dataclass(slots=True)
class Piece:
    """What one event, or a whole answer, says.

    Args:
        content: Whether it carries output.
        last: Whether it says that the answer is complete; usage may still follow.
        usage: Usage object in the provider's shape.
        error: Error type, when it says that the provider failed.
        answer: Model, id and finish reasons, in OpenAI's shape; empty when it says nothing of them.
        cost: Cost in USD that the provider states.
    """

    content: bool = False
    last: bool = False
    usage: Any = None
    error: str = ""
    answer: dict[str, Any] = field(default_factory=dict[str, Any])
    cost: Any = None


PLAIN: Final = Piece(content=True)
"""What nearly every event of a stream says: some output, and nothing else."""

# Inside a JSON string every quote has a backslash before it, so that these match real fields only.
_USAGE: Final = re.compile(rb'"usage"\s*:\s*\{')


def is_plain(event: bytes) -> bool:
    """Whether an event of OpenAI's shape says what `PLAIN` says, by a look at its bytes."""
    at = event.find(b'"content":"')
    if at >= 0:
        at += 11
    else:
        at = event.find(b'"content": "') + 12
    return (
        event[at : at + 1] not in {b'"', b""}
        and at >= 12  # noqa: PLR2004  # else it was not found
        and b'"delta"' in event
        and b'"error"' not in event
        and b'"finish_reason":"' not in event
        and b'"finish_reason": "' not in event
        and (b'"usage"' not in event or _USAGE.search(event) is None)
    )


def read(dialect: Dialect, fields: Mapping[str, Any]) -> Piece:
    """Return what ``fields``, a whole answer or one event, says."""
    if dialect == "openai":
        piece = _openai(fields)
    elif dialect == "anthropic":
        piece = _anthropic(fields)
    elif dialect == "gemini":
        piece = _gemini(fields)
    elif dialect == "responses":
        piece = _responses(fields)
    else:
        piece = _ollama(fields)
    if not piece.error and fields.get("error"):
        piece.error = failures.of_body(fields)
    return piece


def _mapping(value: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _items(value: Any) -> list[dict[str, Any]]:
    entries = cast("list[Any]", value)[:_MAX_CHOICES] if isinstance(value, list) else []
    return [cast("dict[str, Any]", entry) for entry in entries if isinstance(entry, dict)]


def _answer(fields: Mapping[str, Any], reasons: list[Any]) -> dict[str, Any]:
    return {
        "model": fields.get("model"),
        "id": fields.get("id"),
        "choices": [{"finish_reason": reason} for reason in reasons if reason],
    }


def _openai(fields: Mapping[str, Any]) -> Piece:
    piece = Piece(usage=fields.get("usage"))
    reasons: list[Any] = []
    for choice in _items(fields.get("choices")):
        delta = _mapping(choice.get("delta"))
        piece.content = piece.content or any(delta.get(name) for name in _OUTPUT) or bool(choice.get("text"))
        reasons.append(choice.get("finish_reason"))
    piece.last = any(reasons)
    piece.answer = _answer(fields, reasons)
    if isinstance(piece.usage, dict):
        piece.cost = cast("dict[str, Any]", piece.usage).get("cost")
    return piece


def _responses(fields: Mapping[str, Any]) -> Piece:
    kind = fields.get("type")
    event = isinstance(kind, str) and (kind.startswith("response.") or kind == "error")
    whole = _mapping(fields.get("response")) if event else fields
    status = whole.get("status")
    piece = Piece(usage=whole.get("usage"))
    if event:
        piece.content = str(kind).endswith(".delta")
        piece.last = kind in {"response.completed", "response.incomplete"}
    if whole:
        reason = _mapping(whole.get("incomplete_details")).get("reason") or status
        piece.answer = _answer(whole, [reason] if not event or piece.last else [])
    if kind == "error":
        piece.error = failures.of_body(fields)
    elif status == "failed":
        piece.error = failures.of_body(whole)
    return piece


def _anthropic(fields: Mapping[str, Any]) -> Piece:
    kind = fields.get("type")
    if kind == "message_start":
        message = _mapping(fields.get("message"))
        return Piece(usage=message.get("usage"), answer=_answer(message, []))
    if kind == "message_delta":
        reason = _mapping(fields.get("delta")).get("stop_reason")
        return Piece(usage=fields.get("usage"), last=bool(reason), answer=_answer({}, [reason]))
    if kind in {"message", None}:
        reasons = [fields.get("stop_reason")]
        return Piece(usage=fields.get("usage"), last=any(reasons), answer=_answer(fields, reasons))
    return Piece(content=kind == "content_block_delta", last=kind == "message_stop")


def _gemini(fields: Mapping[str, Any]) -> Piece:
    piece = Piece(usage=fields.get("usageMetadata"))
    reasons: list[Any] = [fields.get("finishReason")]  # of a large answer, whose ends only were read
    for candidate in _items(fields.get("candidates")):
        piece.content = piece.content or bool(_mapping(candidate.get("content")).get("parts"))
        reasons.append(candidate.get("finishReason"))
    piece.last = any(reasons)
    piece.answer = _answer({"model": fields.get("modelVersion"), "id": fields.get("responseId")}, reasons)
    return piece


def _ollama(fields: Mapping[str, Any]) -> Piece:
    done = fields.get("done") is True
    counted = done or "prompt_eval_count" in fields
    message = _mapping(fields.get("message"))
    return Piece(
        content=bool(message.get("content") or message.get("tool_calls") or fields.get("response")),
        last=done,
        usage=fields if counted else None,
        answer=_answer(fields, [fields.get("done_reason")] if done else []),
    )
