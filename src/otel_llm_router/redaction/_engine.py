"""Puts together what finds secrets, within a budget.

Room: `redaction`. Texts, values and names come in; the same go out without what must not leave.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, cast

from otel_llm_router.redaction import _blocks
from otel_llm_router.redaction._budget import Budget
from otel_llm_router.redaction._catalogue import Finder
from otel_llm_router.redaction._custom import Custom
from otel_llm_router.redaction._keyed import Keyed
from otel_llm_router.redaction._names import Kind, Names
from otel_llm_router.redaction._personal import Personal
from otel_llm_router.redaction._rules import HIDDEN, Rules
from otel_llm_router.redaction._urls import Urls
from otel_llm_router.redaction._values import is_secret

TOO_LONG: Final = "[REDACTED: too long]"
TOO_MUCH: Final = "[REDACTED: too much at once]"
TOO_SLOW: Final = "[REDACTED: a pattern took too long]"

_SHORT: Final = 256
"""Characters of the longest text that is remembered as one without secrets."""
_REMEMBERED: Final = 8192
_DEPTH: Final = 8
_SIGNS: Final = re.compile(r"[=:\"'>%-]|(?i:bearer|basic|password)[ \t]")
"""What a text has, one of them at least, that names a secret."""


class Engine:
    """Hides secrets.

    Args:
        rules: What is hidden.
        budget: What may be spent on it.

    Raises:
        PatternError: a pattern cannot be used.
    """

    def __init__(self, rules: Rules | None = None, budget: Budget | None = None) -> None:
        self.rules = rules = rules or Rules()
        self._names = Names(rules.keys, rules.allowed)
        self._allowed = frozenset(rules.allowed)
        self._finder = Finder()
        self._keyed = Keyed(self._names)
        self._urls = Urls(self._names)
        self._personal = Personal(rules.personal)
        self._custom = Custom(rules.patterns)
        self._budget = budget or Budget()
        self._clean: set[str] = set()

    def text(self, value: str) -> str:
        """Return a text without secrets."""
        if value in self._clean:
            return value
        # A text of a class of its own is what it contains.
        return self._hidden(value if type(value) is str else str.__str__(value), self._spans)

    def value(self, key: str, value: object, depth: int = _DEPTH) -> Any:
        """Return the value of ``key`` without secrets; it itself where there are none."""
        kind = self._names.kind(key)
        if kind is Kind.SECRET or kind is Kind.HEADER or kind is Kind.TOKEN:
            return self._secret(value, kind)
        if isinstance(value, str):
            if kind is Kind.PLAIN:
                return self.text(value)
            if kind is Kind.KEY:
                return HIDDEN if is_secret(value, kind) and value not in self._allowed else self.text(value)
            return self.query(value) if kind is Kind.QUERY else self.url(value)
        return self._within(value, depth)

    def hides(self, key: str) -> bool:
        """Whether all values of ``key`` are hidden."""
        return self._names.kind(key) in {Kind.SECRET, Kind.HEADER, Kind.TOKEN}

    def url(self, value: str) -> str:
        """Return a URL, or the path and query of one, without credentials."""
        # What is remembered was looked through as text: names of parameters say less there.
        return value if "?" not in value and value in self._clean else self._hidden(value, self._url_spans)

    def query(self, value: str) -> str:
        """Return a URL's query without credentials."""
        return self._hidden(value, self._query_spans)

    def _url_spans(self, value: str) -> Iterator[tuple[int, int]]:
        yield from self._spans(value)
        question = value.find("?")
        if question >= 0 and "://" not in value:
            yield from self._urls.of_query(value, question + 1, len(value))

    def _query_spans(self, value: str) -> Iterator[tuple[int, int]]:
        yield from self._spans(value)
        yield from self._urls.of_query(value, 0, len(value))

    def _spans(self, value: str) -> Iterator[tuple[int, int]]:
        if _SIGNS.search(value):
            lowered = value.lower()
            yield from self._keyed.spans(value, lowered if len(lowered) == len(value) else value)
            if "://" in value:
                yield from self._urls.spans(value)
        yield from _blocks.spans(value)
        yield from self._finder.spans(value)
        if "sk-" in value:
            yield from self._finder.short(value)
        if self._personal:
            yield from self._personal.spans(value)
        if self._custom:
            yield from self._custom.spans(value)

    def _hidden(self, value: str, find: Callable[[str], Iterator[tuple[int, int]]]) -> str:
        if len(value) > self.rules.limit:
            self.rules.dropped("too_long")
            return TOO_LONG
        began = self._budget.begin(len(value))
        if began is None:
            self.rules.dropped("too_much")
            return TOO_MUCH
        try:
            spans = sorted(find(value))
        except TimeoutError:
            self.rules.dropped("pattern")
            return TOO_SLOW
        except Exception:  # noqa: BLE001  # whatever it is, the text does not leave as it was
            self.rules.dropped("error")
            return HIDDEN
        finally:
            self._budget.end(began)
        if self._allowed:
            spans = [(start, end) for start, end in spans if value[start:end] not in self._allowed]
        if spans:
            return _without(value, spans)
        if len(value) <= _SHORT and find == self._spans:
            if len(self._clean) >= _REMEMBERED:
                self._clean.clear()
            self._clean.add(value)
        return value

    def _secret(self, value: object, kind: Kind) -> Any:
        """Return what takes the place of a secret's value."""
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (int, float)) and kind is Kind.TOKEN:
            return value
        if isinstance(value, str):
            return HIDDEN if is_secret(value, kind) and value not in self._allowed else value
        if isinstance(value, (list, tuple)):
            items = cast("list[object] | tuple[object, ...]", value)
            if kind is Kind.TOKEN and all(isinstance(one, (int, float)) for one in items):
                return items
            return [HIDDEN] if isinstance(value, list) else (HIDDEN,)
        return HIDDEN

    def _within(self, value: object, depth: int) -> Any:
        """Return a value of another kind than text without secrets."""
        if isinstance(value, (bool, int, float)) or value is None:
            return value
        if isinstance(value, (bytes, bytearray)):
            said = bytes(value).decode("utf-8", "backslashreplace")
            hidden = self.text(said)
            return value if hidden == said else hidden.encode()
        if not depth:
            return HIDDEN
        if isinstance(value, Mapping):
            return self._members(cast("Mapping[Any, object]", value), depth)
        if isinstance(value, (list, tuple)):
            return self._items(cast("list[object] | tuple[object, ...]", value), depth)
        return value

    def _members(self, value: Mapping[Any, object], depth: int) -> Any:
        found = {key: self.value(str(key), one, depth - 1) for key, one in value.items()}
        return value if all(found[key] is one for key, one in value.items()) else found

    def _items(self, value: list[object] | tuple[object, ...], depth: int) -> Any:
        found: list[object] = []
        before = ""
        for one in value:
            # A command line's flag, or a header's name, whose value is the next item.
            kind = self._names.kind(before.lstrip("-")) if before.startswith("-") else None
            if kind is None and len(value) == 2 and before:  # noqa: PLR2004  # a pair
                kind = self._names.kind(before)
            if kind is not None and kind is not Kind.PLAIN and isinstance(one, str) and is_secret(one, kind):
                found.append(self.value(before, one, depth - 1))
            else:
                found.append(self.text(one) if isinstance(one, str) else self._within(one, depth - 1))
            before = one if isinstance(one, str) and len(one) <= _SHORT and "=" not in one else ""
        if all(new is old for new, old in zip(found, value, strict=True)):
            return value
        return found if isinstance(value, list) else tuple(found)


def _without(value: str, spans: Iterable[tuple[int, int]]) -> str:
    """Return a text with what takes the place of each span; spans that meet are one."""
    parts: list[str] = []
    end = -1
    for start, stop in spans:
        if stop <= end or stop <= start:
            continue
        if start > end:
            parts += (value[max(end, 0) : start], HIDDEN)
        end = stop
    return "".join((*parts, value[max(end, 0) :]))
