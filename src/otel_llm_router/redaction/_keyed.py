"""Values behind names, anywhere in a text.

Room: `redaction`. A text comes in; the spans of values go out whose names say that they are secrets: in JSON, headers,
queries, connection strings, keyword arguments, command lines, and in any of those as text within another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from otel_llm_router.redaction._names import STEMS, Kind, Names
from otel_llm_router.redaction._values import end_of, end_of_tag, is_secret

_LONGEST: Final = 96
"""Characters of a name that are looked at before its stem."""

_NAME_BEFORE: Final = re.compile(r"[A-Za-z0-9_.\-]{0,96}\Z")
_VALUE_NAME: Final = re.compile(r"[\s,]{0,4}(\\{0,15}[\"'])(?:value|val|v|data)\1\s{0,4}[:=]\s{0,4}", re.IGNORECASE)
"""What follows the name where names are values themselves: {"name": "Authorization", "value": "..."}."""

_SCHEMES: Final = re.compile(
    r"(?<![A-Za-z])(bearer|basic|apikey)(?:[ \t]{1,4}|%20|\+)(?=[\w.~+/=%-]{6})", re.IGNORECASE
)
_SCHEMED: Final = re.compile(r"[\w.~+/=%-]+")
_NO_CREDENTIAL: Final = re.compile(r"[A-Za-z]{1,19}[.,]?|realm=.*|[a-z]+(?:-[a-z]+){0,3}", re.IGNORECASE)
_FLAGS: Final = re.compile(r"(?<![\w-])--?([A-Za-z][\w.-]{0,80})(?:[ \t]{1,4}|[\"'],[ \t]{0,4}(?=[\"']))(?=[^\s-])")
_CURL: Final = re.compile(r"(?:(?<![\w-])-u|--user|--proxy-user)[ \t=]{1,4}[\"']?(?=[^\s:]{1,256}:)")
_SQL: Final = re.compile(r"\bidentified\s{1,4}by\s{1,4}(?=[\"'])", re.IGNORECASE)
_ORACLE: Final = re.compile(r"jdbc:oracle:[a-z]{1,8}:(?=[^\s/@]{1,256}/[^\s@]{1,256}@)")
_NETRC: Final = re.compile(r"\blogin[ \t]{1,4}\S{1,256}\s{1,4}password[ \t]{1,4}", re.IGNORECASE)
_BARE_WORD: Final = re.compile(r"[^\s\"'`]+")
_UP_TO_AT: Final = re.compile(r"[^\s@]+")


class Keyed:
    """Finds values by their names.

    Args:
        names: Knows the names.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        stems = sorted({*STEMS, *names.more}, key=len, reverse=True)
        # Names that were added may be written with anything between their words.
        written = "|".join(r"[\W_]?".join(map(re.escape, stem)) if stem in names.more else stem for stem in stems)
        self._stems = ("",) if names.more else STEMS
        self._name = re.compile(
            rf"(?:{written})(?=(?P<tail>[A-Za-z0-9_-]{{0,120}}))(?P=tail)"  # at once, never less of it
            r"(?P<close>(?:\\{0,15}[\"'`])?[ \t]{0,4}[\])]?)"
            r"(?P<separator>[ \t]{0,4}(?:=>|:=|={1,3}|:(?!//)|%3[dDaA])|>(?=[^\s<])|[ \t]{0,4},(?=\s{0,4}[bru]{0,2}\\{0,15}[\"'])"
            r"|[ \t]{1,4}(?=[\"'](?![\s,.;:)])))"
            r"(?:[ \t]|%20|\\[nrt]|\r?\n[ \t]{1,16}){0,4}",
            re.IGNORECASE,
        )

    def spans(self, text: str, lowered: str) -> Iterator[tuple[int, int]]:
        """Return where in ``text`` values are that have to be hidden, not in order."""
        present = [stem for stem in self._stems if stem in lowered]
        if present:
            # Places first: a search for all stems at once, in either case, costs ten times as much.
            yield from self._by_name(text, None if lowered is text or present == [""] else _places(lowered, present))
        if "bearer" in lowered or "basic" in lowered or "apikey" in lowered:
            yield from _by_scheme(text)
        if "--" in text or "curl" in lowered:
            yield from self._by_flag(text, lowered)
        if "identified" in lowered:
            for found in _SQL.finditer(text):
                yield end_of(text, found.end(), Kind.SECRET)
        if "jdbc:oracle:" in lowered:
            yield from _behind(_ORACLE, _UP_TO_AT, text)
        if "login" in lowered and "password" in lowered:
            yield from _behind(_NETRC, _BARE_WORD, text)

    def _next(self, text: str, position: int, places: list[int] | None) -> re.Match[str] | None:
        """Return the next name from ``position`` on, at one of the places if they are known."""
        if places is None:
            return self._name.search(text, position)
        while places:
            place = places.pop()
            if place >= position and (found := self._name.match(text, place)) is not None:
                return found
        return None

    def _by_name(self, text: str, places: list[int] | None) -> Iterator[tuple[int, int]]:
        position = 0
        while (found := self._next(text, position, places)) is not None:
            start, after = found.start(), found.end()
            before = _NAME_BEFORE.search(text[max(0, start - _LONGEST) : start])
            name = (before.group() if before is not None else "") + text[start : found.end("tail")]
            kind = self._names.kind(name)
            position = max(found.start("separator"), start + 1)
            if kind not in _HIDING or not _fits(kind, found["close"], found["separator"], name):
                continue
            named = _VALUE_NAME.match(text, found.start("separator")) if "," in found["separator"] else None
            if named is not None:
                after = named.end()
            if found["separator"] == ">":
                begin, end = after, end_of_tag(text, after)
            else:
                begin, end = end_of(text, after, kind)
            if end > begin and is_secret(text[begin:end], kind):
                yield begin, end
                position = end

    def _by_flag(self, text: str, lowered: str) -> Iterator[tuple[int, int]]:
        for found in _FLAGS.finditer(text):
            kind = self._names.kind(found[1])
            if kind in _HIDING:
                begin, end = end_of(text, found.end(), kind)
                if is_secret(text[begin:end], kind):
                    yield begin, end
        if "curl" in lowered:
            yield from _behind(_CURL, _BARE_WORD, text)


def _places(lowered: str, stems: list[str]) -> list[int]:
    """Return where stems begin, the last one first."""
    found: set[int] = set()
    for stem in stems:
        place = lowered.find(stem)
        while place >= 0:
            found.add(place)
            place = lowered.find(stem, place + 1)
    return sorted(found, reverse=True)


_HIDING: Final = frozenset({Kind.SECRET, Kind.TOKEN, Kind.KEY, Kind.HEADER})


def _fits(kind: Kind, close: str, separator: str, name: str) -> bool:
    """Whether a separator is one in this place: a comma separates quoted names from values, and a space very few."""
    if "," in separator:
        return bool(close.strip()) and kind in {Kind.SECRET, Kind.HEADER, Kind.TOKEN}
    if not separator.strip():
        return not close.strip() and kind is Kind.SECRET and name.lower().endswith(("password", "pwd", "passphrase"))
    return True


def _by_scheme(text: str) -> Iterator[tuple[int, int]]:
    for found in _SCHEMES.finditer(text):
        credential = _SCHEMED.match(text, found.end())
        if credential is not None and not _NO_CREDENTIAL.fullmatch(credential.group()):
            yield credential.span()


def _behind(before: re.Pattern[str], value: re.Pattern[str], text: str) -> Iterator[tuple[int, int]]:
    for found in before.finditer(text):
        credential = value.match(text, found.end())
        if credential is not None:
            yield credential.span()
