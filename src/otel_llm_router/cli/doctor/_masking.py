"""Values of variables, without what is secret in them.

Room: `cli`. `redaction` finds the secrets; here rather too much is hidden, since what is printed is pasted into tickets:
all of what sounds like headers and keys, every query, and long parts of paths.
"""

from __future__ import annotations

import re
from typing import Final

from otel_llm_router import _sanitize, redaction

HIDDEN: Final = redaction.HIDDEN

_NAME: Final = re.compile(r"header|token|key|secret|passw|credential|auth|cookie", re.IGNORECASE)
_PAIR: Final = re.compile(
    rf"([\w.\-]*(?:{_NAME.pattern})[\w.\-]*\s*(?:=|:\s)\s*)[^,;\s]+(?:\s+[^,;=\s]+)*", re.IGNORECASE
)
_LONG: Final = re.compile(r"(?<=/)[^/\s]{24,}")
"""A long part of a URL's path: some vendors put the token there."""


def of_variable(name: str, value: str) -> str:
    """Return the value of a variable as it can be shown."""
    if value and _NAME.search(name):
        return HIDDEN
    return text(value)


def text(value: str) -> str:
    """Return any text as it can be shown."""
    value = redaction.url(value)
    if "@" in value:
        # All before the last one: a password may have an @ of its own, or a slash.
        before, _, after = value.rpartition("@")
        scheme, found, _ = before.partition("://")
        value = f"{scheme}://{HIDDEN}@{after}" if found else f"{HIDDEN}@{after}"
    if "://" in value:
        scheme, _, rest = value.partition("://")
        address, query, _ = rest.partition("?")
        value = f"{scheme}://{_LONG.sub(HIDDEN, address)}{query and f'?{HIDDEN}'}"
    return _sanitize.text(_PAIR.sub(rf"\1{HIDDEN}", value))
