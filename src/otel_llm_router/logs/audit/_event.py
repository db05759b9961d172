"""What the application leaves for the audit trail.

Room: `logs`.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from otel_llm_router.signals import Attribute, LogEvent


@dataclass(frozen=True, slots=True)
class Event:
    """Something to put on record.

    Args:
        event: What it is.
        attributes: What is known of it; None of what is not.
        at: When, in nanoseconds of the epoch.
        trace_id: Identifier of its trace in hexadecimal digits; empty where there is none.
        span_id: Identifier of its span.
        receipt: Told whether it is on disk; None where nobody waits.
    """

    event: LogEvent
    attributes: Mapping[Attribute, Any]
    at: int
    trace_id: str = ""
    span_id: str = ""
    receipt: Future[bool] | None = None

    @property
    def kind(self) -> str:
        """The last part of the event's name."""
        return self.event.name.rpartition(".")[2]
