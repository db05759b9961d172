"""One part of a message, whichever provider's shape it has: text, reasoning, a tool call, a file.

Room: `telemetry`. Parts of the OpenAI, Anthropic, Gemini and Ollama shapes come in; parts of the conventions go
out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

from otel_llm_router.telemetry._content._budget import Budget
from otel_llm_router.telemetry._content._values import Part, blob, file, media, name, plain, uri
from otel_llm_router.telemetry._usage import fields_of

Fields = Callable[[str], Any]


def either(fields: Fields, *names: str) -> Any:
    """Return the first of several fields that there is: JSON and Python name the same ones differently."""
    for one in names:
        value = fields(one)
        if value is not None:
            return value
    return None


def sequence(value: Any) -> Sequence[Any]:
    """Return a list as it is, and nothing for anything else."""
    return cast("Sequence[Any]", value) if isinstance(value, (list, tuple)) else ()


def parts_of(content: Any, budget: Budget) -> list[Part]:
    """Return the parts of a message's content: text, one part, or a list of them."""
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [text(content, budget)]
    found: list[Part] = []
    for item in sequence(content) or (content,):
        if not budget.room():
            break
        part = part_of(item, budget)
        if part is not None:
            found.append(part)
    return found


def text(content: str, budget: Budget, kind: str = "text") -> Part:
    """Return a part with text."""
    return {"type": kind, "content": budget.take(content)}


def tool_call(identifier: Any, called: Any, arguments: Any, budget: Budget) -> Part:
    """Return a tool call that the model asks for."""
    return {
        "type": "tool_call",
        "id": name(identifier),
        "name": name(called) or "",
        "arguments": plain(arguments, budget),
    }


def tool_result(identifier: Any, content: Any, budget: Budget) -> Part:
    """Return what a tool answered."""
    if not isinstance(content, str) and sequence(content):
        found = parts_of(content, budget)
        texts = [part["content"] for part in found if part["type"] == "text"]
        content = "".join(texts) if len(texts) == len(found) else found
    else:
        content = plain(content, budget)
    return {"type": "tool_call_response", "id": name(identifier), "response": content}


def part_of(item: Any, budget: Budget) -> Part | None:
    """Return one part; of one that is not known, its type alone."""
    if isinstance(item, str):
        return text(item, budget)
    fields = fields_of(item)
    kind = name(fields("type"))
    if kind is None:
        return _without_type(fields, budget)
    read = _KINDS.get(kind)
    return (read(fields, budget) if read is not None else None) or {"type": kind}


def _without_type(fields: Fields, budget: Budget) -> Part | None:
    """Return one of Gemini's parts, which are told apart by the field they have."""
    content = fields("text")
    if isinstance(content, str):
        return text(content, budget, "reasoning" if fields("thought") is True else "text")
    called = either(fields, "functionCall", "function_call")
    if called is not None:
        of = fields_of(called)
        return tool_call(of("id"), of("name"), of("args"), budget)
    answered = either(fields, "functionResponse", "function_response")
    if answered is not None:
        of = fields_of(answered)
        return tool_result(either(of, "id", "name"), of("response"), budget)
    data = either(fields, "inlineData", "inline_data")
    if data is not None:
        of = fields_of(data)
        return blob(of("data"), name(either(of, "mimeType", "mime_type")))
    data = either(fields, "fileData", "file_data")
    if data is not None:
        of = fields_of(data)
        return uri(either(of, "fileUri", "file_uri"), "document", name(either(of, "mimeType", "mime_type")))
    return None


def _said(field: str, kind: str = "text") -> Callable[[Fields, Budget], Part | None]:
    def read(fields: Fields, budget: Budget) -> Part | None:
        content = fields(field)
        return text(content, budget, kind) if isinstance(content, str) else None

    return read


def _linked(field: str, modality: str) -> Callable[[Fields, Budget], Part | None]:
    """OpenAI's images and videos: a URL, which may have all of the data in it."""

    def read(fields: Fields, _budget: Budget) -> Part | None:
        found = fields(field)
        url = found if isinstance(found, str) else fields_of(found)("url")
        return media(url, modality) or file(fields("file_id"), modality)

    return read


def _sourced(modality: str) -> Callable[[Fields, Budget], Part | None]:
    """Anthropic's images and documents."""

    def read(fields: Fields, budget: Budget) -> Part | None:
        of = fields_of(fields("source"))
        mime, kind = name(of("media_type")), of("type")
        if kind == "text" and isinstance(of("data"), str):
            return text(of("data"), budget)
        if kind == "url":
            return uri(of("url"), modality, mime)
        return file(of("file_id"), modality) if kind == "file" else blob(of("data"), mime, modality)

    return read


def _audio(fields: Fields, _budget: Budget) -> Part | None:
    of = fields_of(fields("input_audio"))
    kind = name(of("format"))
    return blob(of("data"), f"audio/{kind}" if kind else None, "audio")


def _document(fields: Fields, _budget: Budget) -> Part | None:
    held = fields("file")
    of = fields if held is None else fields_of(held)
    return media(either(of, "file_data", "file_url"), "document") or file(of("file_id"), "document")


def _tool_use(fields: Fields, budget: Budget) -> Part | None:
    return tool_call(fields("id"), fields("name"), fields("input"), budget)


def _server_tool_use(fields: Fields, budget: Budget) -> Part | None:
    details = {"type": name(fields("name")) or "", "input": plain(fields("input"), budget)}
    return {
        "type": "server_tool_call",
        "id": name(fields("id")),
        "name": name(fields("name")) or "",
        "server_tool_call": details,
    }


def _tool_result(fields: Fields, budget: Budget) -> Part | None:
    return tool_result(fields("tool_use_id"), fields("content"), budget)


def _function_call(fields: Fields, budget: Budget) -> Part | None:
    """An item of the Responses API."""
    return tool_call(either(fields, "call_id", "id"), fields("name"), fields("arguments"), budget)


def _function_output(fields: Fields, budget: Budget) -> Part | None:
    return tool_result(fields("call_id"), fields("output"), budget)


def _reasoning(fields: Fields, budget: Budget) -> Part | None:
    summary = [fields_of(item)("text") for item in sequence(fields("summary"))[:16]]
    texts = [item for item in (*summary, fields("text")) if isinstance(item, str)]
    return text("\n".join(texts), budget, "reasoning")


_KINDS: Final[Mapping[str, Callable[[Fields, Budget], Part | None]]] = {
    **dict.fromkeys(("text", "input_text", "output_text"), _said("text")),
    "thinking": _said("thinking", "reasoning"),
    "reasoning": _reasoning,
    "refusal": _said("refusal"),
    "image_url": _linked("image_url", "image"),
    "input_image": _linked("image_url", "image"),
    "video_url": _linked("video_url", "video"),
    "image": _sourced("image"),
    "document": _sourced("document"),
    "input_audio": _audio,
    "file": _document,
    "input_file": _document,
    "tool_use": _tool_use,
    "server_tool_use": _server_tool_use,
    "tool_result": _tool_result,
    "function_call": _function_call,
    "function_call_output": _function_output,
}
