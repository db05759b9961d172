"""Personal data, hidden only where that is asked for.

Room: `redaction`. A text comes in; the spans of what a person is known by go out. Numbers count when their check
digits hold, so that ids and prices stay.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Final

_EMAIL: Final = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9][\w.+%-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w-])"
)
_PHONE: Final = re.compile(
    r"(?<![\w.+-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,5}\)[ .-]?)?\d{1,5}(?:[ .-]?\d{2,5}){1,4}|\(\d{3}\)[ .-]?\d{3}[ .-]\d{4}"
    r"|\d{3}[ .-]\d{3}[ .-]\d{4})(?![\w-]|\.\d)"
)
_CARD: Final = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-]|\.\d)")
_IBAN: Final = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?![A-Za-z0-9])")
_SSN: Final = re.compile(r"(?<![\w.-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-]|\.\d)")
_IPV4: Final = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w]|\.\d)")
_IPV6: Final = re.compile(r"(?<![\w:.])[0-9a-fA-F]{0,4}(?::[0-9a-fA-F]{0,4}){2,7}(?:\.\d{1,3}){0,3}(?![\w:])")

_DIGITS_OF_PHONE: Final = range(8, 16)
_DIGITS_OF_CARD: Final = range(13, 20)
_SHORTEST_IBAN: Final = 15


def _is_phone(found: str) -> bool:
    return sum(map(str.isdigit, found)) in _DIGITS_OF_PHONE


def _is_card(found: str) -> bool:
    """Luhn's check."""
    digits = [int(one) for one in found if one.isdigit()]
    if len(digits) not in _DIGITS_OF_CARD or len(set(digits)) == 1:
        return False
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _is_iban(found: str) -> bool:
    """ISO 7064's check, of what is before a word that follows too."""
    parts = found.replace(" ", "")
    if len(parts) < _SHORTEST_IBAN:
        return False
    number = "".join(str(int(one, 36)) for one in parts[4:] + parts[:4])
    return int(number) % 97 == 1


def _is_address(found: str) -> bool:
    try:
        address = ipaddress.ip_address(found)
    except ValueError:
        return False
    return not (address.is_loopback or address.is_unspecified)


def _always(_found: str) -> bool:
    return True


_RULES: Final[Mapping[str, tuple[str, tuple[re.Pattern[str], ...], Callable[[str], bool]]]] = {
    "email": ("@", (_EMAIL,), _always),
    "iban": ("", (_IBAN,), _is_iban),
    "card": ("", (_CARD,), _is_card),
    "ssn": ("-", (_SSN,), _always),
    "phone": ("", (_PHONE,), _is_phone),
    "ip": ("", (_IPV4, _IPV6), _is_address),
}
KINDS: Final = tuple(_RULES)
"""What can be asked for."""


class Personal:
    """Finds personal data.

    Args:
        kinds: Of `KINDS`.
    """

    def __init__(self, kinds: frozenset[str]) -> None:
        self._rules = [rule for kind, rule in _RULES.items() if kind in kinds]

    def __bool__(self) -> bool:
        """Whether anything was asked for."""
        return bool(self._rules)

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Return where in ``text`` personal data is."""
        for literal, patterns, holds in self._rules:
            if literal in text:
                for pattern in patterns:
                    yield from (found.span() for found in pattern.finditer(text) if holds(found.group()))
