"""Text and attributes without the secrets in them: one engine for everything that leaves the process.

Room: `redaction`. Text, keys and values of the application come in; the same without secrets goes out. What finds them
is loaded with the first text.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from otel_llm_router.redaction._rules import HIDDEN, TEXT, PatternError, Reason, Rules, nothing

if TYPE_CHECKING:
    from otel_llm_router.redaction._engine import Engine

_current: Engine | None = None
_wanted: Rules | None = None
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


def hides(key: str) -> bool:
    """Whether all values of ``key`` are hidden, whatever they are."""
    return (_current or _made()).hides(key)


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
    global _current, _wanted  # there is one, for every way out
    listed: tuple[tuple[str, str], ...] = ()
    if patterns.strip():
        from otel_llm_router.redaction import _custom  # noqa: PLC0415  # where somebody has some

        listed = tuple(_custom.read(patterns))
        _custom.Custom(listed)
    rules = Rules(
        personal=frozenset(personal),
        patterns=listed,
        keys=tuple(keys),
        allowed=tuple(allowed),
        limit=limit or TEXT,
        dropped=dropped or nothing,
    )
    with _making:
        _wanted, _current = rules, None


def _made() -> Engine:
    global _current  # noqa: PLW0603  # same
    from otel_llm_router.redaction._engine import Engine  # noqa: PLC0415  # with the first text

    with _making:
        if _current is None:
            _current = Engine(_wanted)
        return _current


__all__ = ["HIDDEN", "PatternError", "configure", "hides", "text", "url", "value"]
