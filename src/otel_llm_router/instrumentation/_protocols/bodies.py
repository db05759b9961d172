"""JSON bodies, read as far as it is worth it.

Room: `instrumentation`. Bytes of a request or an answer come in; an object with the fields that are of
interest goes out. Small bodies are parsed. Of large ones only both ends are looked at: parsing 50 MB of
prompt or embeddings would hold the application up for what stands in a few bytes of it.
"""

from __future__ import annotations

import json
import re
from typing import Any, Final, cast

MAX_PARSED: Final = 64 * 1024
"""Bytes up to which a body is parsed as a whole."""

HEAD: Final = 2 * 1024
TAIL: Final = 8 * 1024
"""Bytes of a larger body that are looked at."""

Fields = dict[str, Any]

_decoder: Final = json.JSONDecoder()

# Inside a JSON string every quote has a backslash before it, so that these match real fields only.
_TEXT_FIELD: Final = re.compile(
    rb'(?<!\\)"(model|modelVersion|id|responseId|finish_reason|finishReason|stop_reason|status)"\s*:\s*"([^"\\]{1,256})"'
)
_STREAM_FIELD: Final = re.compile(rb'(?<!\\)"stream"\s*:\s*(true|false)')
_OBJECT_FIELD: Final = re.compile(rb'(?<!\\)"(usage|usageMetadata)"\s*:\s*(?=\{)')
_COUNT_FIELD: Final = re.compile(rb'(?<!\\)"(prompt_eval_count|eval_count)"\s*:\s*(\d{1,18})\b')
_PRESENT: Final = re.compile(rb'(?<!\\)"(messages|prompt|input|contents|content|requests)"\s*:')


def parse(data: bytes) -> Fields | None:
    """Return the JSON object that ``data`` is, or None when it is something else."""
    if not data.lstrip().startswith(b"{"):
        return None
    try:
        found: Any = json.loads(data)
    except (ValueError, RecursionError):  # no JSON, no UTF-8, nested beyond reason
        return None
    return cast("Fields", found) if isinstance(found, dict) else None


def read(data: bytes) -> Fields | None:
    """Return the fields of a body: all of a small one, those at both ends of a large one."""
    if len(data) <= MAX_PARSED:
        return parse(data)
    return read_ends(data[:HEAD], data[-TAIL:])


def read_ends(head: bytes, tail: bytes) -> Fields | None:
    """Return the fields that the two ends of a large JSON object show, of several of a name the outermost.

    A list of choices is put together for finish reasons, so that the result reads like the whole.
    """
    if head.lstrip()[:1] != b"{":
        return None
    # At the end the last of a name is the outermost, at the beginning the first; what came first was meant to.
    fields: Fields = {**_texts(_TEXT_FIELD.findall(tail)), **_texts(_TEXT_FIELD.findall(head)[::-1])}
    fields.update((name.decode(), ...) for name in _PRESENT.findall(head) + _PRESENT.findall(tail))
    for flag in _STREAM_FIELD.findall(head) + _STREAM_FIELD.findall(tail):
        fields["stream"] = flag == b"true"
    fields.update((name.decode(), int(number)) for name, number in _COUNT_FIELD.findall(tail))
    for match in _OBJECT_FIELD.finditer(tail):
        value = _object_at(tail, match.end())
        if value is not None:
            fields[match.group(1).decode()] = value
    if "finish_reason" in fields:
        fields["choices"] = [{"finish_reason": fields.pop("finish_reason")}]
    return fields


def _texts(found: list[tuple[bytes, bytes]]) -> Fields:
    return {name.decode(): value.decode("utf-8", "replace") for name, value in found}


def _object_at(data: bytes, start: int) -> Fields | None:
    try:
        value, _ = _decoder.raw_decode(data[start:].decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return cast("Fields", value) if isinstance(value, dict) else None
