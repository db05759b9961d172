"""What the tests of series that make room share: few label sets, a clock, and what is to be seen."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import AggregationTemporality

from otel_llm_router.aggregation import Description, _store
from otel_llm_router.aggregation._store import IDLE

HITS = Description(name="hits", shape="counter")
BUSY = Description(name="busy", shape="up_down_counter")
WAIT = Description(name="wait", shape="histogram", bounds=(2.0, 4.0))
FAMILIES = (HITS, BUSY, WAIT)
LIMIT = 5
LONG = IDLE + _store.HELD + 1

DELTA: Any = dict.fromkeys(("counter", "histogram", "up_down_counter"), AggregationTemporality.DELTA)


class Clock:
    """Time that passes when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def untyped(whatever: Any) -> Any:
    """Return it to look inside."""
    return whatever


@contextmanager
def few_series(limit: int = LIMIT) -> Generator[None, None, None]:
    """Let an instrument have ``limit`` label sets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_store, "MAX_SERIES", limit)
        yield
