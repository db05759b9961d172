"""Small expressions over a call: where a value is found, as data.

Room: `instrumentation`. Text such as ``result.usage.prompt_tokens | 0`` comes in; something that can be
asked for a value goes out. An expression reads attributes, keys and positions and nothing else: it calls
nothing, names nothing with two leading underscores, is bounded in length and depth, and whatever goes wrong on
the way is an absent value.

    expression = alternative { "|" alternative }
    alternative = literal | root { "." name | "[" ( whole number | quoted text ) "]" }
    literal = number | quoted text | true | false | null
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from otel_llm_router.telemetry.instrumenting import field

MAX_LENGTH: Final = 300
"""Longest expression, in characters."""

MAX_STEPS: Final = 16
"""Most attributes and keys from a root to a value."""

ROOTS: Final = ("args", "kwargs", "self", "result", "error", "outer", "decision")
"""What an expression can begin with; see docs/hooks.md."""

ALLOWED: Final = (
    f"a root ({', '.join(ROOTS)}) with .names and [keys], a number, a 'quoted text', true, false or null; "
    "a | between alternatives"
)

Lookup = Callable[[str], Any]
"""Answers what a root is in one call."""


class ExpressionError(ValueError):
    """A text that is no expression; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Path:
    """A root and the steps from it: a name is text, a position or a quoted key is a one-tuple."""

    root: str
    steps: tuple[str | tuple[int | str], ...] = ()


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression that was read.

    Args:
        text: As it was written.
        alternatives: Paths, and literals as one-tuples; the first that gives a value counts.
    """

    text: str
    alternatives: tuple[Path | tuple[Any], ...]

    def of(self, lookup: Lookup) -> Any:
        """Return the value, or None when there is none. Raises nothing."""
        for alternative in self.alternatives:
            if isinstance(alternative, tuple):
                return alternative[0]
            value = _follow(alternative, lookup)
            if value is not None:
                return value
        return None

    @property
    def roots(self) -> frozenset[str]:
        """The roots that it reads."""
        return frozenset(one.root for one in self.alternatives if isinstance(one, Path))


def _follow(path: Path, lookup: Lookup) -> Any:
    try:
        value = lookup(path.root)
        for step in path.steps:
            if value is None:
                return None
            value = field(value, step) if isinstance(step, str) else _item(value, step[0])
    except Exception:  # noqa: BLE001  # somebody else's property or __getitem__; no value is no value
        return None
    return value


def _item(holder: Any, key: int | str) -> Any:
    if isinstance(holder, Mapping):
        return holder.get(key)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return None if isinstance(holder, (str, bytes)) else holder[key]


_TOKEN: Final = re.compile(
    r"""\s*(?:
        (?P<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)
      | (?P<quoted>'[^']*'|"[^"]*")
      | (?P<name>[A-Za-z_]\w*)
      | (?P<sign>[.\[\]|])
    )""",
    re.VERBOSE | re.ASCII,
)
_LITERALS: Final[Mapping[str, Any]] = {"true": True, "false": False, "null": None}

_Token = tuple[str, str]


def parse(text: object) -> Expression:
    """Read an expression; a number or truth value is one that gives itself.

    Raises:
        ExpressionError: it is none.
    """
    if isinstance(text, (bool, int, float)):
        return Expression(str(text), ((text,),))
    if not isinstance(text, str):
        raise ExpressionError(f"{text!r} is no text")
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"it has {len(text)} characters, more than {MAX_LENGTH}")
    tokens = _tokens(text)
    alternatives: list[Path | tuple[Any]] = []
    position = 0
    while True:
        alternative, position = _alternative(tokens, position)
        alternatives.append(alternative)
        if position == len(tokens):
            return Expression(text, tuple(alternatives))
        if tokens[position] != ("sign", "|"):
            raise ExpressionError(f"{tokens[position][1]!r} is not expected there")
        position += 1


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise ExpressionError(f"{text[position:].strip()[:1]!r} is not expected there")
        tokens.append((str(match.lastgroup), str(match.group(str(match.lastgroup)))))
        position = match.end()
    return tokens


def _at(tokens: list[_Token], position: int) -> _Token:
    return tokens[position] if position < len(tokens) else ("end", "")


def _alternative(tokens: list[_Token], position: int) -> tuple[Path | tuple[Any], int]:
    kind, text = _at(tokens, position)
    if kind == "number":
        return (_number(text),), position + 1
    if kind == "quoted":
        return (text[1:-1],), position + 1
    if kind != "name":
        raise ExpressionError("a value is missing" if kind == "end" else f"{text!r} is not expected there")
    if text in _LITERALS:
        return (_LITERALS[text],), position + 1
    if text not in ROOTS:
        raise ExpressionError(f"{text!r} is no root; write a text in quotes")
    return _path(text, tokens, position + 1)


def _path(root: str, tokens: list[_Token], position: int) -> tuple[Path, int]:
    steps: list[str | tuple[int | str]] = []
    while (sign := _at(tokens, position)) in {("sign", "."), ("sign", "[")}:
        kind, text = _at(tokens, position + 1)
        if sign[1] == ".":
            if kind != "name":
                raise ExpressionError("a name is missing after '.'")
            _allow(text)
            steps.append(text)
            position += 2
        else:
            if kind == "quoted":
                steps.append((text[1:-1],))
            elif kind == "number" and text.lstrip("-").isdigit():
                steps.append((int(text),))
            else:
                raise ExpressionError("a whole number or a quoted text is missing after '['")
            if _at(tokens, position + 2) != ("sign", "]"):
                raise ExpressionError("']' is missing")
            position += 3
    if len(steps) > MAX_STEPS:
        raise ExpressionError(f"it has {len(steps)} steps, more than {MAX_STEPS}")
    return Path(root, tuple(steps)), position


def _allow(name: str) -> None:
    if name.startswith("__"):
        raise ExpressionError(f"{name!r} is not allowed: names with two leading underscores are Python's own")


def _number(text: str) -> int | float:
    return int(text) if text.lstrip("-").isdigit() else float(text)
