"""All shapes of secrets, and where in a text they can begin.

Room: `redaction`. A text comes in; the spans of what looks like a vendor's key go out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from otel_llm_router.redaction import _shapes_clouds, _shapes_code, _shapes_models, _shapes_services
from otel_llm_router.redaction._shapes import Shape

SHAPES: Final[tuple[Shape, ...]] = (
    *_shapes_models.SHAPES,
    *_shapes_clouds.SHAPES,
    *_shapes_code.SHAPES,
    *_shapes_services.SHAPES,
)

_REGION: Final = re.compile(r"[A-Za-z0-9_./+=:~$%@-]{16,}")
"""Nothing shorter is a key; prose has none, and costs next to nothing."""

_SHORT: Final = re.compile(r"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))sk-(?!learn)(?=[\w-]{0,40}(?:\d|\*\*))[\w*-]{4,}")
"""The one prefix that people give to short keys of their own too, such as LiteLLM's master key."""

_ESCAPES: Final = {"n": 1, "r": 1, "t": 1, "b": 1, "f": 1, "v": 1, "x": 3, "u": 5}
"""How many characters of an escape follow its backslash, and are no part of a word."""


def _trie(words: Iterable[str]) -> str:
    """Return a pattern of any of the words; where one begins another, of the shorter one."""
    root: dict[str, Any] = {}
    for word in words:
        node = root
        for character in word:
            node = node.setdefault(character, {})
        node[""] = {}
    return _of_node(root)


def _of_node(node: dict[str, Any]) -> str:
    if "" in node:
        return ""
    parts = [re.escape(character) + _of_node(below) for character, below in node.items()]
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"


class Finder:
    """Finds shapes; made once, which takes some milliseconds."""

    def __init__(self, shapes: tuple[Shape, ...] = SHAPES) -> None:
        plain = [one for one in shapes if not one.before]
        self._others = [one for one in shapes if one.before]
        self._by_start: dict[str, list[Shape]] = {}
        self._width = 2
        for one in plain:
            self._by_start.setdefault(one.literal[: self._width], []).append(one)
        heads = "|".join([_trie(one.literal for one in plain), *[one.head for one in self._others]])
        self._anywhere = re.compile(heads)
        self._start = re.compile(rf"(?<![A-Za-z0-9])(?:{heads})")
        self._escaped = re.compile(rf"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{{2}}))(?:{heads})")

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Return where in ``text`` keys are, in order."""
        end = 0
        for region in _REGION.finditer(text):
            start, stop = region.span()
            if stop <= end:
                continue
            position = max(start, end)
            if position == start and start and text[start - 1] == "\\":
                position += _ESCAPES.get(text[start], 0)
                found = self._anywhere.match(text, position, stop)
                if found is not None and (last := self._end(text, position)):
                    yield position, last
                    end = position = last
            find = (self._escaped if "%" in region.group() else self._start).search
            while position < stop and (found := find(text, position, stop)) is not None:
                position = found.start()
                if last := self._end(text, position):
                    yield position, last
                    end = position = last
                else:
                    position += 1

    def _end(self, text: str, start: int) -> int:
        """Return the end of the longest key that begins at ``start``, or 0."""
        end = 0
        for one in (*self._by_start.get(text[start : start + self._width], ()), *self._others):
            found = one.pattern.match(text, start)
            if found is not None:
                end = max(end, found.end())
        return end

    @staticmethod
    def short(text: str) -> Iterator[tuple[int, int]]:
        """Return where in ``text`` short keys are."""
        return (found.span() for found in _SHORT.finditer(text))
