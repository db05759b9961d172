"""Text and attributes without the secrets in them: one engine for everything that leaves the process.

Room: `redaction`. Text, keys and values of the application come in; the same without secrets goes out. What finds them
is loaded with the first text.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from otel_llm_router.redaction._engine import Engine, Reason, Rules

HIDDEN: Final = "[REDACTED]"
"""What stands in place of a secret."""

_current: Engine | None = None
_rules: Rules | None = None
_making = threading.Lock()


def text(value: str) -> str:
    """Return ``value`` with `HIDDEN` in place of each secret; ``[REDACTED: ...]`` for one that is over the budget."""
    return (_current or _made()).text(value)


def value(key: str, given: object) -> Any:
    """Return an attribute's value as it may leave.

    All of it is hidden when its key says that it is a secret; otherwise the secrets in it are, at any depth. What has
    none is returned itself.
    """
    return (_current or _made()).value(key, given)


def url(value: str) -> str:
    """Return a URL, or the path and query of one, without its credentials."""
    return (_current or _made()).url(value)


def configure(
    *,
    personal: Iterable[str] = (),
    patterns: str = "",
    keys: Iterable[str] = (),
    allowed: Iterable[str] = (),
    limit: int | None = None,
    dropped: Callable[[Reason], None] | None = None,
) -> None:
    """Say what is hidden beside what always is. Nothing is loaded yet, unless there are patterns.

    Args:
        personal: Kinds of personal data: email, phone, card, iban, ssn, ip.
        patterns: Regular expressions, ``name = pattern`` each, with ``;;`` between them; or the path of a file of such lines.
        keys: More names whose values are secrets.
        allowed: Names whose values are none, and texts that are none.
        limit: Characters of the longest text that is looked at; None for the usual one.
        dropped: Told why, each time that a text is dropped for being over the budget.

    Raises:
        PatternError: a pattern cannot be used, or the file cannot be read; what was configured before stays.
    """
    global _current, _rules  # there is one, for every way out
    from otel_llm_router.redaction import _custom, _engine  # noqa: PLC0415  # with the first that needs it

    kept: dict[str, Any] = {}
    if limit is not None:
        kept["limit"] = limit
    if dropped is not None:
        kept["dropped"] = dropped
    rules = _engine.Rules(
        personal=frozenset(personal),
        patterns=tuple(_custom.read(patterns)),
        keys=tuple(keys),
        allowed=tuple(allowed),
        **kept,
    )
    _custom.Custom(rules.patterns)
    with _making:
        _rules, _current = rules, None


def _made() -> Engine:
    global _current  # noqa: PLW0603  # same
    from otel_llm_router.redaction._engine import Engine  # noqa: PLC0415  # with the first text

    with _making:
        if _current is None:
            _current = Engine(_rules)
        return _current


__all__ = ["HIDDEN", "configure", "text", "url", "value"]
