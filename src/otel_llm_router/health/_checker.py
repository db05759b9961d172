"""Runs checks and says what state the service is in.

Room: `health`. Requirement A2: five seconds for a check, every thirty seconds, three tries before it
counts as failed; critical when one of `CRITICAL` fails, degraded when another does.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any, Final
from weakref import WeakSet

from otel_llm_router.health._result import Check, Result
from otel_llm_router.health._watched import Watched

TIMEOUT: Final = 5.0
"""Seconds a check may take."""
INTERVAL: Final = 30.0
"""Seconds between two runs of a check."""
RETRIES: Final = 3
"""Tries before a check counts as failed."""
STALE: Final = 60.0
"""Seconds beyond its interval after which a result no longer says what the state is."""
MAX_CHECKS: Final = 200
"""Checks that are kept; each is a series."""

CRITICAL: Final = frozenset({"router_initialized", "models_available", "memory_usage"})
"""Checks whose failure makes the service critical, unless said otherwise; any other makes it degraded."""

STATES: Final = ("healthy", "degraded", "critical")
"""What a service can be, the better first."""

_SETTLING: Final = 1.0
"""Seconds that the application may start in peace before the first run that nobody asks for."""

OnChange = Callable[[str, bool, str], None]
"""Told a check's name, whether it is healthy now and its message, when that has changed."""


class Checker:
    """The checks of one process.

    Args:
        version: Version to report.
        clock: Monotonic seconds.
    """

    def __init__(self, *, version: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._version = version
        self._clock = clock
        self._started = clock()
        self._checks: dict[str, Watched] = {}
        self._on_change: OnChange | None = None
        self._defaults = (TIMEOUT, INTERVAL)
        self._running = False
        self._begin()
        _checkers.add(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()  # over the checks
        self._runs = threading.Lock()  # over a round of runs
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    # --- what is checked ------------------------------------------------------------------------

    def defaults(self, *, timeout: float, interval: float) -> None:
        """Set time-out and interval, in seconds, of checks that are added later without their own."""
        self._defaults = (timeout, interval)

    def add(
        self,
        name: str,
        check: Check,
        *,
        timeout: float | None = None,
        interval: float | None = None,
        retries: int = RETRIES,
        critical: bool | None = None,
    ) -> None:
        """Add a check, or replace the one of that name.

        Args:
            name: Name in reports, metrics and events.
            check: What to run, in a thread of its own.
            timeout: Seconds that one try may take.
            interval: Seconds between two runs.
            retries: Tries before it counts as failed.
            critical: Whether its failure makes the service critical (readiness 503); None: if it is one of `CRITICAL`.

        Raises:
            ValueError: a number is not positive, or there are `MAX_CHECKS` already.
        """
        timeout = self._defaults[0] if timeout is None else timeout
        interval = self._defaults[1] if interval is None else interval
        for what, value in (("timeout", timeout), ("interval", interval), ("retries", retries)):
            if not value > 0:
                raise ValueError(f"health check {name!r}: {what}={value!r} is not allowed: it takes a number above 0")
        watched = Watched(
            check,
            timeout=timeout,
            interval=interval,
            retries=int(retries),
            critical=name in CRITICAL if critical is None else critical,
            clock=self._clock,
        )
        with self._lock:
            if name not in self._checks and len(self._checks) >= MAX_CHECKS:
                raise ValueError(f"health check {name!r}: there are {MAX_CHECKS} checks already, which is the limit")
            self._checks[name] = watched
        self._wake.set()

    def remove(self, name: str) -> None:
        """Remove a check; one that is not there is ignored."""
        with self._lock:
            self._checks.pop(name, None)

    def __contains__(self, name: str) -> bool:
        """Whether there is a check of that name."""
        return name in self._checks

    # --- running --------------------------------------------------------------------------------

    def listen(self, on_change: OnChange) -> None:
        """Tell ``on_change`` of every check that fails or recovers."""
        self._on_change = on_change

    def start(self) -> None:
        """Run every check when it is due, in a thread of its own, also in forked children."""
        self._running = True
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="otel-llm-router-health", daemon=True)
                self._thread.start()

    def stop(self) -> None:
        """Run checks no longer than until the current ones have ended."""
        self._running = False
        self._wake.set()

    def _watch(self) -> None:
        time.sleep(min(_SETTLING, self._defaults[1]))
        while self._running:
            self._wake.clear()
            with contextlib.suppress(Exception):  # a listener of ours; the next round tries again
                self._refresh(everything=True)
            now = self._clock()
            with self._lock:
                ends = [watched.at + watched.interval for watched in self._checks.values()]
            self._wake.wait(max(0.05, min(ends, default=now + INTERVAL) - now))

    def _refresh(self, *, everything: bool) -> None:
        """Run what is due: everything, or only what has no result yet."""
        if not self._due(everything=everything):
            return  # nothing to wait for, whatever hangs
        with self._runs:
            due = self._due(everything=everything)
            for _, watched in due:
                watched.start()
            for name, watched in due:
                self._tell(name, watched, watched.settle())

    def _due(self, *, everything: bool) -> list[tuple[str, Watched]]:
        now = self._clock()
        with self._lock:
            return [
                (name, watched)
                for name, watched in self._checks.items()
                if watched.result is None or (everything and watched.due(now))
            ]

    def _tell(self, name: str, watched: Watched, result: Result) -> None:
        before, watched.reported = watched.reported, result.healthy
        # The first word is news only when it is bad.
        if self._on_change is not None and before is not result.healthy and not (before is None and result.healthy):
            self._on_change(name, result.healthy, result.message)

    def in_child(self) -> None:
        """Begin again in a forked child, which has none of the threads."""
        self._begin()
        for watched in self._checks.values():
            watched.forget_run()
        if self._running:
            self.start()

    # --- reading --------------------------------------------------------------------------------

    def report(self) -> dict[str, Any]:
        """Return status, timestamp, uptime, version, every check's last result and a summary of totals.

        Waits only for checks that have no result yet, or, where no thread runs them, for those that are due.
        """
        self._refresh(everything=self._thread is None)
        with self._lock:
            watched = {name: one for name, one in self._checks.items() if one.result is not None}
        checks = {name: _shown(one) for name, one in watched.items()}
        failed = [one for one in watched.values() if one.result is not None and not one.result.healthy]
        return {
            "status": _status(failed),
            "timestamp": datetime.now(timezone.utc).isoformat(),
            "uptime": round(self._clock() - self._started, 3),
            "version": self._version,
            "checks": checks,
            "summary": {"total": len(checks), "healthy": len(checks) - len(failed), "failed": len(failed)},
        }

    def states(self) -> dict[str, bool]:
        """Return for each check whether it was healthy when last seen; runs nothing, and leaves out what is stale."""
        return {name: result.healthy for name, (_, result) in self._seen().items()}

    def status(self) -> str | None:
        """Return healthy, degraded or critical as last seen; runs nothing. None while nothing is known."""
        seen = self._seen()
        return _status([watched for watched, result in seen.values() if not result.healthy]) if seen else None

    def brief(self) -> dict[str, Any]:
        """Return state and the failed checks with their messages as last seen, for another process; runs nothing."""
        failed = {name: (watched, result) for name, (watched, result) in self._seen().items() if not result.healthy}
        return {
            "pid": os.getpid(),
            "status": _status([watched for watched, _ in failed.values()]),
            "failed": {name: result.message for name, (_, result) in failed.items()},
        }

    def _seen(self) -> dict[str, tuple[Watched, Result]]:
        now = self._clock()
        with self._lock:
            return {
                name: (watched, watched.result)
                for name, watched in self._checks.items()
                if watched.result is not None and now - watched.at <= watched.interval + STALE
            }


def _status(failed: list[Watched]) -> str:
    if any(watched.critical for watched in failed):
        return "critical"
    return "degraded" if failed else "healthy"


def _shown(watched: Watched) -> dict[str, Any]:
    result = watched.result or Result(healthy=False)
    return {
        "status": "healthy" if result.healthy else "failed",
        "critical": watched.critical,
        "message": result.message,
        "duration": round(watched.duration, 6),
        "details": dict(result.details),
    }


_checkers: WeakSet[Checker] = WeakSet()


def _in_child() -> None:
    for checker in tuple(_checkers):
        checker.in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
