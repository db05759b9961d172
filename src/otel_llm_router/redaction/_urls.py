"""Credentials in URLs: before the host, and in the query.

Room: `redaction`. A text with URLs in it comes in; the spans of what gives access go out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from otel_llm_router.redaction._names import Names

_URL: Final = re.compile(r"://[^\s\"'<>`\\{}|^]+")
_PORT: Final = re.compile(r"[^@:/?#]*:\d{1,5}(?:[/?#]|$)")
_AUTHORITY_END: Final = re.compile(r"[/?#]")
_PARAMETER: Final = re.compile(r"([^=&;#?]{1,128})=([^&;#]*)")


class Urls:
    """Finds credentials in URLs.

    Args:
        names: Knows the names of parameters.
    """

    def __init__(self, names: Names) -> None:
        self._names = names

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Return where in ``text`` credentials of URLs are."""
        for found in _URL.finditer(text):
            start, end = found.start() + 3, found.end()
            credentials = _userinfo_end(text, start, end)
            if credentials > start:
                yield start, credentials
            question = _first(text, "?#", credentials, end)
            if question >= 0:
                yield from self.of_query(text, question + 1, end)

    def of_query(self, text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Return where in a query, from ``start`` to ``end``, secrets are."""
        for found in _PARAMETER.finditer(text, start, end):
            name = found[1]
            if found[2] and self._names.in_query(unquote(name) if "%" in name else name, found[2]):
                yield found.span(2)


def _first(text: str, characters: str, start: int, end: int) -> int:
    places = [place for one in characters if (place := text.find(one, start, end)) >= 0]
    return min(places, default=-1)


def _userinfo_end(text: str, start: int, end: int) -> int:
    """Return where the credentials end that begin at ``start``; ``start`` where there are none."""
    found = _AUTHORITY_END.search(text, start, end)
    authority = found.start() if found is not None else end
    at = text.rfind("@", start, authority)
    if at >= 0:
        # A password may have an @ of its own, and a slash behind it.
        question = _first(text, "?#", at, end)
        return text.rfind("@", at, question if question >= 0 else end) if ":" in text[start:at] else at
    # A password with a slash in it, as people write it; but not what follows a port.
    at = text.rfind("@", authority, end)
    colon = text.find(":", start, authority)
    if at < 0 or colon < 0 or _PORT.match(text, start, end):
        return start
    return at
