"""The standard variables for batches, with what is wrong with them in sentences.

Room: `export`. Only what the user sets bounds the number of records that wait; by default their bytes are bounded.
"""

from __future__ import annotations

import math
import os
from typing import Final

from otel_llm_router.export._worker import Batching

PREFIXES: Final = {"traces": "OTEL_BSP", "logs": "OTEL_BLRP"}
SIZE: Final = 512
DELAY: Final = 1000.0
"""Milliseconds; the specification has 5,000 for spans, and a process that is killed loses what waits."""


def batching(signal: str, problems: list[str]) -> Batching:
    """Return how records of ``signal`` become batches; what cannot be used is added to ``problems``."""
    prefix = PREFIXES[signal]
    limit = _positive(f"{prefix}_MAX_QUEUE_SIZE", 0, problems)
    size = _positive(f"{prefix}_MAX_EXPORT_BATCH_SIZE", SIZE, problems)
    if limit and size > limit:
        problems.append(
            f"{prefix}_MAX_EXPORT_BATCH_SIZE ({size:g}) is more than {prefix}_MAX_QUEUE_SIZE={limit:g} and becomes the same"
        )
        size = limit
    return Batching(int(size), _positive(f"{prefix}_SCHEDULE_DELAY", DELAY, problems) / 1000, int(limit) or None)


def milliseconds(variable: str, default: float, problems: list[str]) -> float:
    """Return a variable's milliseconds as seconds."""
    return _positive(variable, default, problems) / 1000


def _positive(variable: str, default: float, problems: list[str]) -> float:
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if number > 0 and (math.isfinite(number) or variable.endswith("_INTERVAL")):
        return number
    said = f"{default:g}" if default else "no limit"
    problems.append(f"{variable}={text!r} is not allowed: it takes a number above 0; {said} is used")
    return default
