"""One check, run again and again in threads that are left behind when they hang.

Room: `health`. A check that hangs costs one thread, however often it is due.
"""

from __future__ import annotations

import inspect
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, cast

from otel_llm_router.health._result import Check, Result, of_value

_STEP: Final = 0.05
"""Seconds between two looks at a run that may have begun its next try."""


class _Run:
    """The tries of one run.

    Args:
        check: What to try.
        timeout: Seconds that an async check may take in one try; a sync one is only given up.
        retries: Tries before it has failed.
    """

    def __init__(self, check: Check, timeout: float, retries: int) -> None:
        self._check = check
        self._timeout = timeout
        self._retries = retries
        self.began = time.monotonic()
        self.done = threading.Event()
        self.result = Result(healthy=False, message="not run")

    def __call__(self) -> None:
        """Try until it is healthy or the tries are used up."""
        try:
            for _ in range(self._retries):
                self.began = time.monotonic()
                self.result = self._try()
                if self.result.healthy:
                    break
        finally:
            self.done.set()

    def _try(self) -> Result:
        try:
            value = self._check()
            if inspect.isawaitable(value):
                value = _awaited(value, self._timeout)
            return of_value(value)
        except TimeoutError:
            return no_answer(self._timeout)
        except BaseException as error:  # noqa: BLE001  # the check is the application's
            return Result(healthy=False, message=f"the check raised {type(error).__name__}")


def _awaited(awaitable: Awaitable[Any], timeout: float) -> Any:
    import asyncio  # noqa: PLC0415  # for async checks only

    async def bounded() -> Any:
        try:
            return await asyncio.wait_for(awaitable, timeout)
        except asyncio.TimeoutError:  # another class before Python 3.11
            raise TimeoutError from None

    return asyncio.run(bounded())


def no_answer(timeout: float) -> Result:
    """Return the result of a check that did not answer in time."""
    return Result(healthy=False, message=f"no answer within {timeout:g} s")


class Watched:
    """A check with its options, its last result and the run that is going on.

    Args:
        check: The check.
        timeout: Seconds that one try may take.
        interval: Seconds between two runs.
        retries: Tries before it counts as failed.
        critical: Whether its failure makes the service critical; else degraded.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        check: Check,
        *,
        timeout: float,
        interval: float,
        retries: int,
        critical: bool,
        clock: Callable[[], float],
    ) -> None:
        self._check = check
        self.timeout = timeout
        self.interval = interval
        self.retries = retries
        self.critical = critical
        self._clock = clock
        self.result: Result | None = None
        self.at = 0.0
        self.duration = 0.0
        self.reported: bool | None = None
        """What the last listener was told; kept by the checker."""
        self._run: _Run | None = None

    def due(self, now: float) -> bool:
        """Whether it is time to run it."""
        return self.result is None or now - self.at >= self.interval

    def start(self) -> None:
        """Begin a run, unless the one before still hangs."""
        if self._run is not None and not self._run.done.is_set():
            return
        self._run = _Run(self._check, self.timeout, self.retries)
        threading.Thread(target=self._run, name="otel-llm-router-health", daemon=True).start()

    def settle(self) -> Result:
        """Wait for the run that was begun, no longer than a try may take, and keep what it found."""
        run = cast("_Run", self._run)
        while not run.done.is_set():
            left = run.began + self.timeout - time.monotonic()
            if left <= 0:
                break
            run.done.wait(min(left, _STEP) if self.retries > 1 else left)
        self.result = run.result if run.done.is_set() else no_answer(self.timeout)
        self.duration = max(0.0, time.monotonic() - run.began)
        self.at = self._clock()
        return self.result

    def forget_run(self) -> None:
        """Forget a run whose thread did not come along into a forked child."""
        self._run = None
