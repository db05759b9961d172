"""Text and attributes without the secrets in them: one engine for everything that leaves the process.

Room: `redaction`. Text, keys and values of the application come in; the same without secrets goes out.
"""

from __future__ import annotations

import re
from typing import Final

HIDDEN: Final = "[REDACTED]"
"""What stands in place of a secret."""

_KEYS: Final = re.compile(r"authorization|cookie|password|passwd|secret|api[-_.]?key|token$|credential", re.IGNORECASE)
_SECRETS: Final = re.compile(
    r"\b(?:bearer|basic)\s+[\w.~+/=-]{8,}|\b(?:sk|pk|rk|ghp|gho|glpat|xox[a-z]|pypi|hf)[-_][\w-]{6,}|(?<=://)[^/@\s]+(?=@)",
    re.IGNORECASE,
)


def text(value: str) -> str:
    """Return ``value`` with `HIDDEN` in place of each secret."""
    return _SECRETS.sub(HIDDEN, value)


def value(key: str, given: object) -> object:
    """Return an attribute's value as it may leave: all of it hidden when its key says that it is a secret."""
    if _KEYS.search(key):
        return HIDDEN
    return text(given) if isinstance(given, str) else given


__all__ = ["HIDDEN", "text", "value"]
