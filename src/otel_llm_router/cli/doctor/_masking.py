"""Values of variables, without what is secret in them.

Room: `cli`. It rather hides too much: what is printed is pasted into tickets.
"""

from __future__ import annotations

import re
from typing import Final

from otel_llm_router import _sanitize

HIDDEN: Final = "***"

_WORDS: Final = r"header|token|key|secret|passw|credential|auth|cookie"
_NAME: Final = re.compile(_WORDS, re.IGNORECASE)
_PAIR: Final = re.compile(rf"([\w.\-]*(?:{_WORDS})[\w.\-]*\s*(?:=|:\s)\s*)[^,;\s]+(?:\s+[^,;=\s]+)*", re.IGNORECASE)
_SCHEME: Final = re.compile(r"\b(bearer|basic)\s+\S+", re.IGNORECASE)
_TOKEN: Final = re.compile(r"\b(?:sk|pk|rk|ghp|gho|glpat|glc|xox[a-z]|pypi|hf|nr|lsv2)[-_][\w\-]{6,}")
_LONG: Final = re.compile(r"(?<=/)[^/\s]{24,}")
"""A long part of a URL's path: some vendors put the token there."""


def of_variable(name: str, value: str) -> str:
    """Return the value of a variable as it can be shown."""
    if value and _NAME.search(name):
        return HIDDEN
    return text(value)


def text(value: str) -> str:
    """Return any text as it can be shown."""
    if "@" in value:
        # All before the last one: a password may have an @ of its own, or a slash.
        before, _, after = value.rpartition("@")
        scheme, found, _ = before.partition("://")
        value = f"{scheme}://{HIDDEN}@{after}" if found else f"{HIDDEN}@{after}"
    if "://" in value:
        scheme, _, rest = value.partition("://")
        address, query, _ = rest.partition("?")
        value = f"{scheme}://{_LONG.sub(HIDDEN, address)}{query and f'?{HIDDEN}'}"
    value = _SCHEME.sub(rf"\1 {HIDDEN}", value)
    value = _PAIR.sub(rf"\1{HIDDEN}", value)
    return _sanitize.text(_TOKEN.sub(HIDDEN, value))
