"""What the headers of an answer say: what is left of the rate limit, when to try again.

Room: `instrumentation`. A look-up of headers, whose names are not case-sensitive, comes in; numbers go out.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Final

Header = Callable[[str], str | None]
"""Returns a header's value, or None."""

_REQUESTS_LEFT: Final = (
    "x-ratelimit-remaining-requests",
    "anthropic-ratelimit-requests-remaining",
    "x-ratelimit-remaining",
)
_TOKENS_LEFT: Final = (
    "x-ratelimit-remaining-tokens",
    "anthropic-ratelimit-tokens-remaining",
)
_MAX_WAIT: Final = 86400.0 * 31
"""Longest wait in seconds that is believed."""


def rate_limit(header: Header) -> tuple[float | None, float | None]:
    """Return the requests and the tokens that are left; None where the answer does not say."""
    return _first(header, _REQUESTS_LEFT), _first(header, _TOKENS_LEFT)


def retry_after(header: Header) -> float | None:
    """Return the seconds after which the provider says to try again, or None."""
    milliseconds = _number(header("retry-after-ms"))
    if milliseconds is not None:
        seconds: float | None = milliseconds / 1000
    else:
        value = header("retry-after")
        seconds = _number(value)
        if seconds is None and value:
            try:
                seconds = max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
            except (ValueError, OverflowError):
                return None
    return seconds if seconds is not None and seconds <= _MAX_WAIT else None


def _first(header: Header, names: tuple[str, ...]) -> float | None:
    for name in names:
        number = _number(header(name))
        if number is not None:
            return number
    return None


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value else None
    except ValueError:
        return None
    return number if number is not None and 0 <= number < 1e15 else None  # noqa: PLR2004  # and neither NaN nor infinite
