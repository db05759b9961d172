"""What is in a part: names, files and binary data, values of JSON's kinds.

Room: `telemetry`. Anything comes in; what may be said of it goes out. Of binary data that is its type and size, of
a file elsewhere where it is, without query and credentials.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar, cast
from urllib.parse import urlsplit

from otel_llm_router.telemetry._content._budget import Budget

Part = dict[str, Any]
T = TypeVar("T")

_MAX_DEPTH: Final = 8
_MAX_NAME: Final = 256
_MAX_URL: Final = 2048
_MEDIA: Final = ("image/", "audio/", "video/")


def name(value: Any) -> str | None:
    """Return an identifier or the name of something, or None."""
    value = getattr(value, "value", value)  # an enum's
    return value[:_MAX_NAME] if isinstance(value, str) and value else None


def media(url: Any, modality: str) -> Part | None:
    """Return what a URL is of: data that it has in it, or a file elsewhere."""
    if isinstance(url, str) and url.startswith("data:"):
        head, _, data = url[5:].partition(",")
        return blob(data, name(head.partition(";")[0]), modality)
    return uri(url, modality)


def blob(data: Any, mime: str | None, modality: str | None = None) -> Part | None:
    """Return binary data: its type and size in bytes, and nothing of it."""
    size = byte_size(data)
    if size is None:
        return None
    modality = modality or ((mime or "").partition("/")[0] if (mime or "").startswith(_MEDIA) else "document")
    return {"type": "blob", "modality": modality, "mime_type": mime, "content": "", "byte_size": size}


def byte_size(data: Any) -> int | None:
    """Return how many bytes there are, or that a text in base64 stands for; None of anything else."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        return len(data)  # pyright: ignore[reportUnknownArgumentType]
    return len(data) * 3 // 4 - data[-2:].count("=") if isinstance(data, str) else None  # base64


def uri(url: Any, modality: str, mime: str | None = None) -> Part | None:
    """Return a file elsewhere: where it is, without what could let somebody in."""
    if not isinstance(url, str) or not url:
        return None
    try:
        found = urlsplit(url[:_MAX_URL])
        place = f"{found.scheme}://{found.hostname or ''}{found.path}"
    except ValueError:
        place = ""
    return {"type": "uri", "modality": modality, "mime_type": mime, "uri": place}


def file(identifier: Any, modality: str) -> Part | None:
    found = name(identifier)
    return None if found is None else {"type": "file", "modality": modality, "file_id": found}


def plain(value: Any, budget: Budget, depth: int = 0) -> Any:
    """Return a copy of a value of JSON's kinds, such as a tool's arguments, as far as there is room."""
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return budget.take(value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"[{len(value)} bytes]"  # pyright: ignore[reportUnknownArgumentType]
    if depth >= _MAX_DEPTH:
        budget.truncated = True
        return None
    if isinstance(value, (list, tuple)):
        return [plain(item, budget, depth + 1) for item in _while_room(cast("Sequence[Any]", value), budget)]
    fields = _fields(value)
    if fields is None:
        return f"[{type(value).__name__}]"
    pairs = _while_room(fields.items(), budget)
    return {budget.take(str(key)): plain(item, budget, depth + 1) for key, item in pairs}


def _fields(value: Any) -> Mapping[Any, Any] | None:
    if isinstance(value, Mapping):
        return cast("Mapping[Any, Any]", value)
    own: dict[str, Any] | None = None if isinstance(value, type) else getattr(value, "__dict__", None)
    return None if own is None else {key: item for key, item in own.items() if not key.startswith("_")}


def _while_room(items: Iterable[T], budget: Budget) -> Iterator[T]:
    for item in items:
        if not budget.room():
            return
        yield item
