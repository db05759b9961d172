"""Values of log records, as JSON can hold them.

Room: `logs`. Whatever an application has put into a record comes in: numbers that are none, lists that hold themselves, text that
no encoder takes, secrets. What JSON knows goes out, bounded and redacted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from otel_llm_router import _sanitize, redaction

MAX_TEXT: Final = 32_768
"""Longest text, in characters."""
MAX_ITEMS: Final = 128
"""Most items of one list or mapping, and most attributes of a record."""
MAX_DEPTH: Final = 6
"""How deep lists and mappings may lie in each other."""
MAX_CHARACTERS: Final = 65_536
"""Most characters of one record, and with escapes less than 1 MiB of a line."""
MAX_VALUES: Final = 2_000
"""Most values of one record."""
CUT: Final = "…"
"""What stands for what was left out."""

_MAX_INTEGER: Final = 2**63


class Plain:
    """Makes the values of one record plain; what is beyond the record's bounds is left out, and `cut` says so."""

    def __init__(self) -> None:
        self.cut = False
        self._characters = MAX_CHARACTERS
        self._values = MAX_VALUES

    def mapping(self, given: Mapping[Any, Any], depth: int = 0) -> dict[str, Any]:
        """Return a mapping with texts as keys and plain values."""
        found: dict[str, Any] = {}
        for key, value in given.items():
            if len(found) >= MAX_ITEMS or self._values <= 0:
                self.cut = True
                break
            name = self.text(redaction.text(_sanitize.text(key)))
            found[name] = self.value(name, value, depth)
        return found

    def value(self, key: str, given: object, depth: int = 0) -> Any:
        """Return the plain value of what is called ``key``."""
        self._values -= 1
        shown = redaction.value(key, given if not isinstance(given, str) else _bounded(given))
        if shown is None or shown is True or shown is False:
            return shown
        if isinstance(shown, str):
            return self.text(shown)
        if isinstance(shown, int):
            return int(shown) if -_MAX_INTEGER <= shown < _MAX_INTEGER else self.text(_sanitize.text(shown))
        if isinstance(shown, float):
            number = float(shown)
            return number if math.isfinite(number) else str(number)
        if isinstance(shown, Mapping) or (isinstance(shown, Iterable) and not isinstance(shown, (bytes, bytearray))):
            return self._several(key, cast("Any", shown), depth + 1)
        if isinstance(shown, (bytes, bytearray)):
            shown = bytes(shown[: MAX_TEXT + 1]).decode("utf-8", "replace")
        return self.text(redaction.text(_sanitize.prose(shown, MAX_CHARACTERS)))

    def text(self, given: str) -> str:
        """Return text that can be encoded, within the bounds of a text and of the record."""
        room = min(MAX_TEXT, self._characters)
        if len(given) > room:
            self.cut = True
            if room <= 0:
                return CUT
        shown = _sanitize.prose(given, room or 1)
        self._characters -= len(shown)
        return shown

    def _several(self, key: str, given: Any, depth: int) -> Any:
        if depth > MAX_DEPTH or self._values <= 0:
            self.cut = True
            return CUT
        try:
            if isinstance(given, Mapping):
                return self.mapping(cast("Mapping[Any, Any]", given), depth)
            if not isinstance(given, (list, tuple, set, frozenset)):
                return self.text(redaction.text(_sanitize.prose(given, MAX_CHARACTERS)))
            items: list[Any] = []
            for item in cast("Iterable[Any]", given):
                if len(items) >= MAX_ITEMS or self._values <= 0:
                    self.cut = True
                    break
                items.append(self.value(key, item, depth))
        except Exception:  # noqa: BLE001  # somebody else's mapping
            return _sanitize.UNPRINTABLE
        else:
            return items


def _bounded(given: str) -> str:
    """Return text of a length that can be looked through for secrets; what is cut off is gone."""
    return given if len(given) <= MAX_CHARACTERS else given[:MAX_CHARACTERS]
