"""Where a value ends that follows a name in a text.

Room: `redaction`. Code, JSON at any depth of escaping, headers, queries, command lines and prose all put values behind
names, each in its own way. Every character is looked at a bounded number of times.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from otel_llm_router.redaction._names import Kind

_QUOTE: Final = re.compile(r"[bBrRuUfF]{0,2}(\\{0,15})([\"'`])")
_LINE_END: Final = re.compile(r"[\r\n]|\\+[rn]")
_BRACKETS: Final = re.compile(r"[\[\](){}]")
_OPENING: Final = "[({"
_MAX_BRACKETS: Final = 32

_BARE: Final = re.compile(
    r"(?:[^\s;&%\"'`<>,)\]}\\]|%(?!26)|[,)\]}](?![\s,)\]};&\"'\\]|$|[\w.-]{1,40}[=:])|\\(?![nrtbfu\"'\\]))+"
)
"""A value without quotes: to where a list, a query, a call or a tag goes on."""

_SCHEMED: Final = re.compile(
    r"(?:bearer|basic|token|apikey|api-key|negotiate|key|bot|jwt|ntlm)[ \t]{1,4}[^\s,;\"'\\]+", re.IGNORECASE
)
_SCHEME: Final = re.compile(r"[A-Za-z][\w-]{1,30}[ \t]{1,4}[A-Za-z]{1,30}=")
_TO_LINE_END: Final = re.compile(r"[^\r\n\\]*")
_COOKIES: Final = re.compile(r"[^\s;=,\"'\\]{1,256}=[^\s;\"'\\]*(?:;[ \t]{0,4}[^\s;=\"'\\]{1,256}(?:=[^\s;\"'\\]*)?)*")
_TAG: Final = re.compile(r"[^<]*")

_NOTHING: Final = re.compile(r"(?:none|null|nil|true|false|undefined|redacted|)", re.IGNORECASE)
_NUMBER: Final = re.compile(r"[-+]?[\d.,_]*(?:e[-+]?\d+)?(?:ms|s|k)?", re.IGNORECASE)
_RANDOM: Final = re.compile(r"[\w+/=.~-]{16,}")
_PART: Final = re.compile(r"[A-Za-z]{2,}")
_PAIR: Final = re.compile(r"[\[(]\s{0,4}[bru]{0,2}([\"']).{0,256}?\1,\s{0,4}[bru]{0,2}([\"']).{1,256}\2\s{0,4}[\])]")
_ENOUGH_DIGITS: Final = 3


def end_of(text: str, start: int, kind: Kind) -> tuple[int, int]:
    """Return where the value begins and ends that is looked for at ``start``; equal where there is none."""
    quoted = _QUOTE.match(text, start)
    if quoted is not None:
        return quoted.end(), _end_of_quoted(text, quoted.end(), len(quoted[1]), quoted[2])
    if start < len(text) and text[start] in _OPENING:
        return start, _end_of_brackets(text, start)
    if kind is Kind.HEADER:
        return start, _end_of_header(text, start)
    found = _BARE.match(text, start)
    return start, found.end() if found is not None else start


def end_of_tag(text: str, start: int) -> int:
    """Return where the text of an element of XML ends."""
    found = _TAG.match(text, start)
    return found.end() if found is not None else start


@functools.cache
def _closing(backslashes: int, quote: str) -> re.Pattern[str]:
    if not backslashes:
        return re.compile(rf"(?:[^{quote}\\]|\\.)*", re.DOTALL)
    return re.compile(rf"(?<!\\)\\{{{backslashes}}}{quote}")


def _end_of_quoted(text: str, start: int, backslashes: int, quote: str) -> int:
    closing = _closing(backslashes, quote)
    if not backslashes:
        found = closing.match(text, start)
        end = found.end() if found is not None else start
        if end < len(text):
            return end
    else:
        found = closing.search(text, start)
        if found is not None:
            return found.start()
    return _end_of_line(text, start)  # it was cut, or is an apostrophe


def _end_of_line(text: str, start: int) -> int:
    found = _LINE_END.search(text, start)
    return found.start() if found is not None else len(text)


def _end_of_brackets(text: str, start: int) -> int:
    depth = 0
    for number, found in enumerate(_BRACKETS.finditer(text, start)):
        depth += 1 if found.group() in _OPENING else -1
        if depth <= 0:
            return found.end()
        if number >= _MAX_BRACKETS:
            break
    return _end_of_line(text, start)


def _end_of_header(text: str, start: int) -> int:
    for pattern in (_SCHEMED, _COOKIES):
        found = pattern.match(text, start)
        if found is not None:
            return found.end()
    # Digest and signatures have parameters, which are quoted.
    found = (_TO_LINE_END if _SCHEME.match(text, start) else _BARE).match(text, start)
    return found.end() if found is not None else start


def is_secret(value: str, kind: Kind) -> bool:
    """Whether a value, which follows a name of this kind, has to be hidden."""
    if _NOTHING.fullmatch(value):
        return False
    if kind is Kind.TOKEN:
        return len(value) > 3 and not _NUMBER.fullmatch(value)  # noqa: PLR2004  # no token is that short
    if kind is Kind.KEY:
        # Or a pair of name and password.
        return looks_random(value) or bool(_PAIR.fullmatch(value))
    return True


def looks_random(value: str) -> bool:
    """Whether a value looks like a key: long, without spaces, letters and digits mixed."""
    return bool(_RANDOM.fullmatch(value) and sum(map(str.isdigit, value)) >= _ENOUGH_DIGITS and _PART.search(value))
