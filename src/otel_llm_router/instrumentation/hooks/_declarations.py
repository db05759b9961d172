"""Hooks as they are declared: read from text, checked, and said precisely when they are wrong.

Room: `instrumentation`. The text of option ``hooks`` or entries of a file come in; `Hook` objects and
sentences about what is wrong go out. Nothing is imported here.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from otel_llm_router.instrumentation.hooks import _expressions, _kinds
from otel_llm_router.instrumentation.hooks._expressions import Expression, ExpressionError
from otel_llm_router.instrumentation.hooks._kinds import Kind

DOCUMENTATION: Final = "docs/hooks.md"
FORM: Final = "module:function=kind or module:Class.method=kind, with (value=expression; ...) behind it if need be"

_NAME: Final = r"[^\W\d]\w*"
_TARGET: Final = re.compile(rf"({_NAME}(?:\.{_NAME})*):({_NAME}(?:\.{_NAME})*)(?:\(({_NAME})\))?")


class HookError(ValueError):
    """A declaration that is wrong; the message names it, what is wrong and what is allowed."""


@dataclass(frozen=True, slots=True)
class Target:
    """What is hooked.

    Args:
        module: Module that has it.
        path: Names from the module to it.
        argument: Argument that is called in its stead, when it is given a function to call.
    """

    module: str
    path: tuple[str, ...]
    argument: str = ""

    def __str__(self) -> str:
        argument = f"({self.argument})" if self.argument else ""
        return f"{self.module}:{'.'.join(self.path)}{argument}"


@dataclass(frozen=True, slots=True, eq=False)
class Hook:
    """One declared hook."""

    target: Target
    kind: Kind
    values: Mapping[str, Expression] = field(default_factory=dict[str, Expression])
    source: str = ""

    def __str__(self) -> str:
        return f"{self.target}={self.kind.name}"


def target(text: str) -> Target:
    """Read a target.

    Raises:
        HookError: it is none.
    """
    match = _TARGET.fullmatch(text.strip())
    if match is None:
        raise HookError(f"{text.strip()!r} is no target: it takes module:function or module:Class.method")
    if match[1] == "__main__":
        raise HookError("what runs as __main__ cannot be hooked: put it into a module that is imported")
    return Target(match[1], tuple(match[2].split(".")), match[3] or "")


def hook(text: str, kind: str, values: Mapping[str, Any], source: str = "") -> Hook:
    """Make a hook of its parts.

    Raises:
        HookError: a part is wrong.
    """
    place = target(text)
    known = _kinds.KINDS.get(kind)
    if known is None:
        raise HookError(
            f"kind {kind!r} is not known{close(kind, _kinds.KINDS)}: it takes one of {', '.join(_kinds.KINDS)}"
        )
    read: dict[str, Expression] = {}
    allowed = _kinds.values_of(known)
    for name, value in values.items():
        if name not in allowed:
            raise HookError(
                f"value {name!r} is not known to kind {kind}{close(str(name), allowed)}: it takes {', '.join(allowed)}"
            )
        try:
            read[name] = _expressions.parse(value)
        except ExpressionError as error:
            raise HookError(f"{name} = {value} is no expression, {error}: it takes {_expressions.ALLOWED}") from None
    return Hook(place, known, read, source)


def close(name: str, known: Iterable[str]) -> str:
    """Return a hint at the known name that was probably meant."""
    found = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {found[0]}?)" if found else ""


def one(text: str, source: str = "") -> Hook:
    """Read ``module:Class.method=kind(value=expression; ...)``.

    Raises:
        HookError: it is none.
    """
    place, equals, rest = text.partition("=")
    if not equals:
        raise HookError(f"it takes {FORM}")
    kind, bracket, inside = rest.strip().partition("(")
    values: dict[str, Any] = {}
    if bracket:
        if not inside.endswith(")"):
            raise HookError(f"')' is missing at its end: it takes {FORM}")
        for part in split(inside[:-1], ";"):
            name, equals, expression = part.partition("=")
            if not equals:
                raise HookError(f"{part!r} is no value: it takes name=expression")
            values[name.strip()] = expression.strip()
    return hook(place, kind.strip(), values, source)


def many(text: str, source: str = "") -> tuple[list[Hook], list[str]]:
    """Read a comma-separated list; what is wrong with one leaves the others.

    Returns:
        The hooks, and a sentence about each declaration that is wrong.
    """
    hooks: list[Hook] = []
    problems: list[str] = []
    for part in split(text, ","):
        try:
            hooks.append(one(part, source))
        except HookError as error:  # noqa: PERF203  # one that is wrong leaves the others
            problems.append(f"{part!r} is not allowed, {error} (see {DOCUMENTATION}); this hook is left out")
    return hooks, problems


def split(text: str, separator: str) -> list[str]:
    """Split at ``separator`` outside of quotes and brackets; what is empty is dropped."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        elif character in "([":
            depth += 1
        elif character in ")]":
            depth -= 1
        elif character == separator and depth <= 0:
            parts.append("")
            continue
        parts[-1] += character
    return [part.strip() for part in parts if part.strip()]
