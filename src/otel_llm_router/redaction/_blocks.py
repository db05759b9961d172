"""Secrets of several lines or parts: private keys, and tokens in parts.

Room: `redaction`. A text comes in; their spans go out, of what was cut off in the middle too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_BEGIN: Final = re.compile(r"-----BEGIN[A-Z0-9 _-]{0,60}PRIVATE KEY[A-Z ]{0,12}-----")
_END: Final = "-----END"
_END_LINE: Final = re.compile(r"-----END[A-Z0-9 _-]{0,80}-----")
_LINES: Final = re.compile(r"(?:[A-Za-z0-9+/=:,. \t\r\n\ufffd-]|\\+[nrt]|%[0-9A-Fa-f]{2})*")
"""What is in a block: as it is, escaped, or with what `_sanitize` makes of the end of a line."""

_PUTTY: Final = re.compile(r"Private-Lines:[ \t]{0,4}\d{1,6}")

_PART: Final = r"[A-Za-z0-9_-]"
_DOTS: Final = rf"(?:\.{_PART}*){{1,4}}"
# Where a part begins, so that each run of its characters is gone through once; behind an escape it is a letter.
_EDGE: Final = r"(?:(?<![A-Za-z0-9_-])|(?<=\\[nrt])|(?<=%[0-9A-Fa-f]{2}))"
_TOKEN: Final = re.compile(rf"{_EDGE}ey[A-Za-z0-9]{_PART}{{8,}}(?:{_DOTS}|%2[eE]{_PART}*)={{0,2}}")
_ENCODED: Final = re.compile(rf"{_EDGE}ZXlK[A-Za-z0-9+/_-]{{40,}}={{0,2}}")
_SERVICE_ACCOUNT: Final = re.compile(r"(?<![A-Za-z0-9+/])LS0tLS1CRUdJTi[A-Za-z0-9+/=_-]{16,}")
"""A block that begins with BEGIN, in base64."""


def spans(text: str) -> Iterator[tuple[int, int]]:
    """Return where in ``text`` blocks and tokens in parts are."""
    if "PRIVATE KEY" in text:
        yield from _keys(text)
    if "Private-Lines:" in text:
        position = 0
        while (found := _PUTTY.search(text, position)) is not None:
            lines = _LINES.match(text, found.end())
            position = lines.end() if lines is not None else found.end()
            yield found.end(), position
    if "ey" in text and "." in text:
        yield from _tokens(text, _TOKEN)
    if "ZXlK" in text:
        yield from _tokens(text, _ENCODED)
    if "LS0tLS1CRUdJTi" in text:
        yield from _tokens(text, _SERVICE_ACCOUNT)


def _keys(text: str) -> Iterator[tuple[int, int]]:
    position = 0
    while (found := _BEGIN.search(text, position)) is not None:
        start, position = found.span()
        end = text.find(_END, position)
        if end >= 0:
            line = _END_LINE.match(text, end)
            position = line.end() if line is not None else end + len(_END)
        else:
            lines = _LINES.match(text, position)
            position = lines.end() if lines is not None else position
        yield start, position


def _tokens(text: str, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    for found in pattern.finditer(text):
        yield found.span()
