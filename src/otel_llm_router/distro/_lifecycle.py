"""The end of the process: what is buffered leaves, within one deadline for all signals.

Room: `distro`. The SDK's own exit handlers run one after the other and take up to 50 s with a
collector that does not answer; and a server such as uvicorn ends itself with the signal it was
stopped by, so that no exit handler runs at all.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from otel_llm_router.telemetry.instrumenting import guard


class Lifecycle:
    """Runs the closing work once, whichever way the process ends.

    Args:
        budget: Seconds that all of it may take together.
    """

    def __init__(self, budget: float) -> None:
        self._budget = budget
        self._inherited: list[Callable[[], None]] = []
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._in_child)

    def _begin(self) -> None:
        self._threads: list[threading.Thread] = []
        self._ending = threading.Event()
        self._closed = threading.Lock()

    def add(self, work: Sequence[Callable[[], None]], *, inherited: bool = True) -> None:
        """Add closing work; each piece runs in a thread of its own, beside the others.

        The threads begin here and wait: Python 3.12 and newer start none once the interpreter is ending.

        Args:
            work: What to call.
            inherited: Whether a forked child has the same work to do at its own end.
        """
        if inherited:
            self._inherited.extend(work)
        for one in work:
            thread = threading.Thread(target=self._wait, args=(one,), name="otel-llm-router-exit", daemon=True)
            thread.start()
            self._threads.append(thread)

    def _in_child(self) -> None:
        """Begin again in a forked child, which has the handlers but none of the threads that they wait for."""
        work, self._inherited = self._inherited, []
        self._begin()
        with guard("fork"):
            self.add(work)

    def arm(self) -> None:
        """Run the work at interpreter exit and at SIGTERM."""
        atexit.register(self.close)
        # Only where SIGTERM would end the process outright; a handler of the application's comes first
        # and ends it in its own way. Handlers can be set in the main thread only.
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._terminated)

    def close(self) -> None:
        """Run the work, if it has not been run, and return when it is done or the budget is spent."""
        if not self._closed.acquire(blocking=False):
            return
        deadline = time.monotonic() + self._budget
        self._ending.set()
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _wait(self, work: Callable[[], None]) -> None:
        self._ending.wait()
        with guard("exit"):
            work()

    def _terminated(self, number: int, _frame: FrameType | None) -> Any:
        self.close()
        # End as the process would have ended without us: killed by the signal.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
