"""Runs checks and says what state the service is in.

Room: `health`. Requirement A2: five seconds for a check, three tries before it counts as failed,
critical when one of `CRITICAL` fails, degraded when another does.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError  # an alias of the builtin only since 3.11
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, Final

TIMEOUT: Final = 5.0
"""Seconds a check may take."""
RETRIES: Final = 3
"""Tries before a check counts as failed."""
FRESH: Final = 5.0
"""Seconds a report is answered from; a flood of probes runs no more checks than this allows."""

STALE: Final = 60.0
"""Seconds after which a report no longer says what the state is: twice the interval of probes."""

CRITICAL: Final = frozenset({"router_initialized", "models_available", "memory_usage"})
"""Checks whose failure makes the service critical; any other makes it degraded."""


@dataclass(frozen=True)
class Result:
    """What a check found.

    Args:
        healthy: Whether all is well.
        message: What was found, in words.
        details: The numbers behind it.
    """

    healthy: bool
    message: str
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])


Check = Callable[[], Result]
"""A check; one that raises has failed."""


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
        self._checks: dict[str, Check] = {}
        self._lock = threading.Lock()
        self._report: dict[str, Any] | None = None
        self._at = 0.0

    def add(self, name: str, check: Check) -> None:
        """Add a check, or replace the one of that name."""
        with self._lock:
            self._checks[name] = check
            self._report = None

    def remove(self, name: str) -> None:
        """Remove a check; one that is not there is ignored."""
        with self._lock:
            self._checks.pop(name, None)
            self._report = None

    def report(self) -> dict[str, Any]:
        """Return status, timestamp, uptime, version, every check's result and a summary of totals."""
        with self._lock:
            now = self._clock()
            if self._report is None or now - self._at >= FRESH:
                self._report = self._run(now)
                self._at = now
            return self._report

    def states(self) -> dict[str, bool]:
        """Return for each check of the last report whether it was healthy; checks nothing itself.

        Nothing once the report is older than `STALE`: nobody has asked since.
        """
        report = self._report
        if report is None or self._clock() - self._at > STALE:
            return {}
        return {name: one["status"] == "healthy" for name, one in report["checks"].items()}

    def _run(self, now: float) -> dict[str, Any]:
        checks = {name: self._run_one(check) for name, check in self._checks.items()}
        failed = {name for name, check in checks.items() if check["status"] != "healthy"}
        status = "healthy" if not failed else "critical" if failed & CRITICAL else "degraded"
        return {
            "status": status,
            "timestamp": datetime.now(timezone.utc).isoformat(),
            "uptime": round(now - self._started, 3),
            "version": self._version,
            "checks": checks,
            "summary": {"total": len(checks), "healthy": len(checks) - len(failed), "failed": len(failed)},
        }

    def _run_one(self, check: Check) -> dict[str, Any]:
        began = self._clock()
        result = Result(healthy=False, message="not run")
        for _ in range(RETRIES):
            result = _bounded(check)
            if result.healthy:
                break
        return {
            "status": "healthy" if result.healthy else "failed",
            "message": result.message,
            "duration": round(self._clock() - began, 6),
            "details": dict(result.details),
        }


def _bounded(check: Check) -> Result:
    """Run a check in a thread that is left behind when it takes too long."""
    future: Future[Result] = Future()

    def run() -> None:
        try:
            future.set_result(check())
        except Exception as error:  # noqa: BLE001  # a check that raises has failed
            future.set_exception(error)

    threading.Thread(target=run, name="otel-llm-router-health", daemon=True).start()
    try:
        return future.result(TIMEOUT)
    except FutureTimeoutError:
        return Result(healthy=False, message=f"no answer within {TIMEOUT:g} s")
    except Exception as error:  # noqa: BLE001
        return Result(healthy=False, message=f"the check raised {type(error).__name__}")
