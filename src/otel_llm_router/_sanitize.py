"""Values from outside, made fit for telemetry.

Used by every room. Text from clients and counts from providers come in; text that any exporter can
encode and numbers that no sum overflows go out. The SDK and the exporters do neither: a lone
surrogate or a count of 2**70 there poisons every later scrape or export.
"""

from __future__ import annotations

import math
import re
from typing import Final

MAX_TEXT: Final = 256
"""Longest attribute value we emit, in characters."""

MAX_COUNT: Final = 10**9
"""Largest token count that one response can truthfully have; ten billion such responses fit an int64 sum."""

_MAX_INTEGER: Final = 10**9
"""Largest integer that a counter is given as one: an int64 sum of them does not overflow."""

MAX_AMOUNT: Final = 10.0**6
"""Largest cost in USD that one call can truthfully have."""

UNPRINTABLE: Final = "unprintable"

_LONGEST_WORD: Final = 128
_WORD: Final = re.compile(r"(?<=[^\w./+=:~$%@-])[\w./+=:~$%@-]+\Z")
"""What may be the beginning of a key that ends behind the cut: of half a key, nothing tells that it is one."""
_GOES_ON: Final = re.compile(r"[\w./+=:~$%@-]{2}")

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


class Prose(str):
    """Text that is meant to be long and is fit for exporters already: it is not made shorter, nor its lines one."""

    __slots__ = ()


def text(value: object, limit: int = MAX_TEXT) -> str:
    """Return ``value`` as text that every exporter can encode, at most ``limit`` characters long."""
    if type(value) is str and len(value) <= limit and value.isascii() and value.isprintable():
        return value
    value = prose(value, limit)
    return value if value.isascii() and value.isprintable() else _CONTROL.sub("\ufffd", value)


def prose(value: object, limit: int) -> str:
    """Return ``value`` as `text` does, but with the line breaks and control characters that it has."""
    try:
        # A subclass of str is what it contains, not what its own __str__ says: an enum member is its value.
        value = str.__str__(value if isinstance(value, str) else str(value))
    except Exception:  # noqa: BLE001  # somebody else's __str__
        return UNPRINTABLE
    if len(value) > limit:
        value = _cut(value, limit - 1) + "…"
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def _cut(value: str, limit: int) -> str:
    """Return the beginning of a text, without its last word if that goes on behind the cut."""
    kept = value[:limit]
    half = _WORD.search(kept, max(0, limit - _LONGEST_WORD)) if _GOES_ON.match(value, limit - 1) else None
    return kept[: half.start()] if half is not None else kept


def count(value: object) -> int | None:
    """Return ``value`` as a token count, or None when it cannot be one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        if not value.is_integer():  # also inf and nan
            return None
        value = int(value)
    if not isinstance(value, int) or not 0 <= value <= MAX_COUNT:
        return None
    return int(value)


def amount(value: object) -> float | None:
    """Return ``value`` as an amount of money in USD, or None when it cannot be one."""
    number = finite(value)
    return number if number is not None and 0 <= number <= MAX_AMOUNT else None


def finite(value: object) -> float | None:
    """Return ``value`` as a finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def summand(value: float) -> float:
    """Return a finite number in a form whose sum every exporter can encode, however often it is added."""
    return value if -_MAX_INTEGER <= value <= _MAX_INTEGER else float(value)


def status_code(value: object) -> int | None:
    """Return ``value`` as an HTTP status code, or None."""
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:4])
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return int(value) if 100 <= value <= 599 else None  # noqa: PLR2004  # the range of RFC 9110
