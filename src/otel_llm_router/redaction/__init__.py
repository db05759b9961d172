"""Text and attributes without the secrets in them: one engine for everything that leaves the process.

Room: `redaction`. Text, keys and values of the application come in; the same without secrets goes out. What finds them
is loaded with the first text, or by `load`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from otel_llm_router.redaction._rules import HIDDEN, TEXT, PatternError, Reason, Rules, nothing

if TYPE_CHECKING:
    from otel_llm_router.redaction._engine import Engine

_current: Engine | None = None
_wanted: Rules | None = None
_making = threading.RLock()
_FORK_SECONDS = 1.0
"""How long a fork waits for what another thread is loading: a child would wait for it as long as it lives."""


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


def load() -> None:
    """Load what finds secrets now, which takes some 10 ms, and not with the first text: on somebody's request path."""
    _made()


def _made() -> Engine:
    global _current  # noqa: PLW0603  # same
    with _making:
        # Within the lock: an import that a fork cuts off is one that its child waits for.
        from otel_llm_router.redaction._engine import Engine  # noqa: PLC0415  # with the first text

        if _current is None:
            _current = Engine(_wanted)
        return _current


class _Forking:
    """What a fork does about the lock."""

    held = False

    def before(self) -> None:
        """Wait for whoever is loading."""
        self.held = _making.acquire(timeout=_FORK_SECONDS)

    def in_parent(self) -> None:
        """Let others load."""
        if self.held:
            _making.release()

    def in_child(self) -> None:
        """Begin with a lock of the child's own."""
        global _making  # noqa: PLW0603  # the one there is
        _making = threading.RLock()


if hasattr(os, "register_at_fork"):
    _forking = _Forking()
    os.register_at_fork(before=_forking.before, after_in_parent=_forking.in_parent, after_in_child=_forking.in_child)


__all__ = ["HIDDEN", "PatternError", "configure", "hides", "load", "text", "url", "value"]
