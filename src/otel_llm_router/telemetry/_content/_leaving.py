"""Content as it may leave: without secrets, without data in the text, as long as is allowed.

Room: `telemetry`. Messages that were read come in; the same, fit for any exporter, go out. Done when the call has
ended, off the request path where the meter knows how.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable
from typing import Any, Final, cast

from otel_llm_router import _sanitize, redaction
from otel_llm_router.telemetry._content._budget import Budget
from otel_llm_router.telemetry._content._values import byte_size

CUT: Final = "… [truncated]"
"""Where text was cut off."""

_STRUCTURAL: Final = frozenset({"type", "role", "modality", "mime_type", "finish_reason", "id", "name", "file_id"})
"""Fields of a message or part that are no content: short, and never cut."""

_DATA: Final = re.compile(r"data:([\w.+-]{1,60}/[\w.+-]{1,60})?(?:;[\w=.+-]{1,60}){0,4};base64,[A-Za-z0-9+/=_-]*")
_LONGEST: Final = 10**7
_INT64: Final = 2**63


def fit(items: Iterable[Any], limit: int, *, keys: bool = True) -> tuple[list[Any], bool]:
    """Return ``items`` as they may leave, and whether something of them was left out.

    Args:
        items: Messages, parts or definitions, those first for which there has to be room.
        limit: Characters that they may have together.
        keys: Whether a key that says that its value is a secret is believed; in a schema it only names one.
    """
    leaving = _Leaving(Budget(limit), keys=keys)
    found: list[Any] = []
    for item in items:
        if leaving.budget.left <= 0:
            leaving.budget.truncated = True
            break
        found.append(leaving.item(item))
    return found, leaving.budget.truncated


class _Leaving:
    """Works through one attribute.

    Args:
        budget: What there is room for.
        keys: See `fit`.
    """

    def __init__(self, budget: Budget, *, keys: bool) -> None:
        self.budget = budget
        self._keys = keys

    def item(self, item: Any) -> Any:
        """Return a message or part, whose fields are the conventions'."""
        if not isinstance(item, dict):
            return self._value(item)
        found: dict[str, Any] = {}
        for field, value in cast("dict[str, Any]", item).items():
            if field in _STRUCTURAL:
                found[field] = None if value is None else _sanitize.text(redaction.text(str(value)))
            elif field in {"parts", "response"} and isinstance(value, list):
                found[field] = [self.item(part) for part in cast("list[Any]", value)]
            elif field == "arguments" and isinstance(value, str):
                found[field] = self._value(_parsed(value))
            else:
                found[field] = self._value(value)
        return found

    def _value(self, value: Any, key: str = "") -> Any:
        if isinstance(value, str):
            return self._text(value, key)
        if value is None or isinstance(value, bool):
            return value
        if key and self._keys and redaction.value(key, "-") == redaction.HIDDEN:
            return redaction.HIDDEN
        if isinstance(value, dict):
            fields = cast("dict[Any, Any]", value)
            return {self._text(str(name)): self._value(item, str(name)) for name, item in fields.items()}
        if isinstance(value, list):
            return [self._value(item, key) for item in cast("list[Any]", value)]
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        return value if -_INT64 <= value < _INT64 else _sanitize.text(value)

    def _text(self, text: str, key: str = "") -> str:
        text = _DATA.sub(_size, text)
        text = str(redaction.value(key, text)) if key and self._keys else redaction.text(text)
        text = _sanitize.prose(text, _LONGEST)
        kept = self.budget.take(text)
        return kept if len(kept) == len(text) else kept + CUT


def _size(data: re.Match[str]) -> str:
    _, _, encoded = data[0].partition(";base64,")
    return f"[{data[1] or 'data'}, {byte_size(encoded)} bytes]"


def _parsed(arguments: str) -> Any:
    """Return a tool's arguments as what they are the JSON of, so that their keys are seen."""
    try:
        return json.loads(arguments)
    except (ValueError, RecursionError):  # cut off, or not JSON
        return arguments
