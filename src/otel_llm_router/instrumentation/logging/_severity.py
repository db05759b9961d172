"""Levels of the standard library as severities of OpenTelemetry.

Room: `instrumentation`. By the log data model, appendix B: ten steps of Python's are four of OpenTelemetry's.
"""

from __future__ import annotations

import logging
from typing import Final

from opentelemetry._logs import SeverityNumber

_BASES: Final = (
    (logging.CRITICAL, SeverityNumber.FATAL),
    (logging.ERROR, SeverityNumber.ERROR),
    (logging.WARNING, SeverityNumber.WARN),
    (logging.INFO, SeverityNumber.INFO),
    (logging.DEBUG, SeverityNumber.DEBUG),
)
_TEXTS: Final = {"WARNING": "WARN", "CRITICAL": "FATAL"}
_STEPS: Final = 3


def of(level: int) -> tuple[SeverityNumber, str]:
    """Return the severity's number and text."""
    name = logging.getLevelName(level)
    text = _TEXTS.get(name, name)
    for least, number in _BASES:
        if level >= least:
            return SeverityNumber(number.value + min(level - least, _STEPS)), text
    return SeverityNumber.TRACE if level > 0 else SeverityNumber.UNSPECIFIED, text
