"""What this process says, to those who ask and in the file that it leaves behind.

Room: `export.workers`.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from otel_llm_router.aggregation import Snapshot
from otel_llm_router.export.workers._members import Member
from otel_llm_router.export.workers._state import State, Writer

_logger = logging.getLogger("otel_llm_router")

SECONDS: Final = 1.0
"""The least time between two files that nobody asked for."""
SHARE: Final = 0.04
"""Share of a core that they may cost at most, and one with very many series writes less often."""
REST: Final = 10.0
"""Seconds after which what other scopes count is written even if ours counted nothing meanwhile."""


class Source(Protocol):
    """Where a process' numbers are read."""

    def local(self, *, observe: bool) -> tuple[Snapshot, Snapshot]:
        """Return all there is, and the counts of series that have made room; callbacks are asked if ``observe``."""
        ...

    def pulse(self) -> Sequence[float] | None:
        """Return numbers that change when something is counted; None when that cannot be known."""
        ...

    def resource(self) -> Mapping[str, str]:
        """Return who is sending."""
        ...

    def restart(self) -> None:
        """Begin again in a forked child."""
        ...

    def keep_ended(self) -> None:
        """Keep the counts of series that make room."""
        ...


class Voice:
    """Says the numbers of one process.

    Args:
        member: This process among the others.
        source: Its numbers; None where there are none to be scraped.
        supervisor: Whether it only starts and stops others.
    """

    def __init__(self, member: Member, source: Source | None, *, supervisor: bool) -> None:
        self._member = member
        self._source = source
        self.supervisor = supervisor
        self._writer = Writer(time.time_ns)
        self._number = 0
        self._lock = threading.Lock()
        self._written: Sequence[float] | None = None
        self._next = 0.0
        self._latest = 0.0
        self._said = False

    def say(self, *, observe: bool = True, keep: bool = True) -> tuple[State, bytes]:
        """Return what there is to say now, and the same as bytes.

        Args:
            observe: Whether callbacks are asked.
            keep: Whether it is written into the file that is left behind, ahead of anyone's seeing it: what was once
                shown is never lost.
        """
        with self._lock:
            pulse = self._source.pulse() if self._source is not None else None
            live: Snapshot = {}
            ended: Snapshot = {}
            if self._source is not None:
                live, ended = self._source.local(observe=observe)
            self._number += 1
            about = {
                "number": self._number,
                "pid": os.getpid(),
                "supervisor": self.supervisor,
                "resource": dict(self._source.resource()) if self._source is not None else {},
            }
            state = State(about, self._writer.dated(live), ended)
            data = self._writer.write(state)
            if keep and self._keep(data):
                self._written = pulse
                self._latest = time.monotonic()
            return state, data

    def _keep(self, data: bytes) -> bool:
        try:
            self._member.leave_behind(data)
        except OSError as error:
            if not self._said:
                self._said = True
                _logger.warning(
                    "otel-llm-router: what this process counts cannot be left for the other workers (%s); if it is "
                    "killed, its counts are lost (said once; see docs/workers.md)",
                    error.strerror or type(error).__name__,
                )
            return False
        return True

    def keep_up(self) -> None:
        """Write the file if something was counted since, and the last time is long enough ago."""
        now = time.monotonic()
        if self._source is None or now < self._next:
            return
        pulse = self._source.pulse()
        if pulse is not None and pulse == self._written and now < self._latest + REST:
            return
        began = time.thread_time()
        self.say(observe=False)
        self._next = now + max(SECONDS, (time.thread_time() - began) / SHARE)
