"""Values of log records, as JSON can hold them.

Room: `logs`. Whatever an application has put into a record comes in: numbers that are none, lists that hold themselves, text that
no encoder takes, secrets. What JSON knows goes out, bounded and redacted.

Each value is first made plain, then looked through for secrets as a whole, and only then cut: half a secret looks like none.
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
        self._seen = MAX_CHARACTERS
        self._written = MAX_CHARACTERS
        self._values = MAX_VALUES

    def mapping(self, given: Mapping[Any, Any]) -> dict[str, Any]:
        """Return a mapping with texts as keys and plain values."""
        found: dict[str, Any] = {}
        for key, value in given.items():
            if len(found) >= MAX_ITEMS or self._values <= 0:
                self.cut = True
                break
            name = self._name(key)
            found[name] = self.value(name, value)
        return found

    def value(self, key: str, given: object) -> Any:
        """Return the plain value of what is called ``key``."""
        return self._cut(redaction.value(key, self._plain(given, 0)))

    def _plain(self, given: object, depth: int) -> Any:
        self._values -= 1
        if given is None or given is True or given is False:
            return given
        if isinstance(given, str):
            return self._text(given)
        if isinstance(given, int):
            return int(given) if -_MAX_INTEGER <= given < _MAX_INTEGER else self._text(_sanitize.text(given))
        if isinstance(given, float):
            number = float(given)
            return number if math.isfinite(number) else str(number)
        if isinstance(given, (bytes, bytearray)):
            return self._text(bytes(given[:MAX_CHARACTERS]).decode("utf-8", "replace"))
        if isinstance(given, (Mapping, list, tuple, set, frozenset)):
            return self._several(cast("Any", given), depth + 1)
        return self._text(_sanitize.prose(given, MAX_CHARACTERS))

    def _several(self, given: Any, depth: int) -> Any:
        if depth > MAX_DEPTH:
            self.cut = True
            return CUT
        members: dict[str, Any] = {}
        items: list[Any] = []
        named = isinstance(given, Mapping)
        try:
            for one in cast("Iterable[Any]", given.items() if named else given):
                if len(members) + len(items) >= MAX_ITEMS or self._values <= 0:
                    self.cut = True
                    break
                if named:
                    members[self._name(one[0])] = self._plain(one[1], depth)
                else:
                    items.append(self._plain(one, depth))
        except Exception:  # noqa: BLE001  # somebody else's mapping, or one that changes meanwhile
            return _sanitize.UNPRINTABLE
        return members if named else items

    def _name(self, key: object) -> str:
        return self._cut(redaction.text(_sanitize.text(key)))

    def _text(self, given: str) -> str:
        """Return text that can be encoded, to be looked through for secrets."""
        if self._seen <= 0:
            self.cut = True
            return CUT
        if len(given) > MAX_CHARACTERS:
            self.cut = True
        shown = _sanitize.prose(given, MAX_CHARACTERS)
        self._seen -= len(shown)
        return shown

    def _cut(self, shown: Any) -> Any:
        """Return a plain value within the bounds of a text and of the record."""
        if isinstance(shown, str):
            room = max(1, min(MAX_TEXT, self._written))
            if len(shown) > room:
                self.cut = True
                shown = shown[: room - 1] + CUT
            self._written -= len(shown)
            return shown
        if isinstance(shown, dict):
            return {key: self._cut(one) for key, one in cast("dict[str, Any]", shown).items()}
        if isinstance(shown, (list, tuple)):
            return [self._cut(one) for one in cast("list[Any]", shown)]
        return shown
