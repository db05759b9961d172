"""The end of the process: what is buffered leaves, within one deadline for all signals.

Room: `distro`. The SDK's own exit handlers run one after the other and take up to 50 s with a collector that does not
answer; and many processes end without any exit handler: by a signal, or as a child of `multiprocessing`'s.

A signal handler can run in the midst of anything, another run of `close` included. So nothing here waits for a lock
that the interrupted code may hold.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from otel_llm_router.distro import _children, _signals, _uvicorn
from otel_llm_router.export._ending import Ending
from otel_llm_router.telemetry.instrumenting import guard, when_stopped

Work = Callable[[], object]
Flush = Callable[[int], object]
"""Takes the milliseconds that it may take."""

FIRST: Final = 0.5
"""Share of the budget that the last work waits for the others: metrics say what became of the other signals."""
LOCAL_SECONDS: Final = 5.0
"""How long local work may take at most: it waits for nobody else, and takes moments where the machine has time for it."""
RECENT: Final = 5.0
"""Seconds for which a flush at a server's stop counts as part of the process's end."""


class _Closing:
    """One piece of closing work and the thread that waits to do it.

    The thread begins now: Python 3.12 and newer start none once the interpreter is ending.
    """

    def __init__(self, work: Work) -> None:
        self._work = work
        self._begin = threading.Lock()
        self._finished = threading.Lock()
        self._begin.acquire()
        self._finished.acquire()
        threading.Thread(target=self._wait, name="otel-llm-router-exit", daemon=True).start()

    def begin(self) -> None:
        """Let it be done, if it has not begun."""
        with contextlib.suppress(RuntimeError):
            self._begin.release()

    def finished(self, deadline: float) -> bool:
        """Return whether it is done by ``deadline``."""
        if not self._finished.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return False
        self._finished.release()
        return True

    def _wait(self) -> None:
        self._begin.acquire()
        try:
            with guard("exit"):
                self._work()
        finally:
            self._finished.release()


class Lifecycle:
    """Runs the closing work once, whichever way the process ends.

    Args:
        budget: Seconds that all of it may take together.
    """

    def __init__(self, budget: float) -> None:
        self.ending = Ending()
        self._budget = budget
        self._inherited: list[tuple[Work, bool, bool]] = []
        self._flushes: list[Flush] = []
        self._flush_last: list[Flush] = []
        self._begin()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._in_child)

    def _begin(self) -> None:
        self._first: list[_Closing] = []
        self._last: list[_Closing] = []
        self._local: list[_Closing] = []
        self._spent = (0.0, 0.0)
        self.ending.deadline = None

    def add(self, work: Sequence[Work], *, inherited: bool = True, last: bool = False, local: bool = False) -> None:
        """Add closing work; each piece runs in a thread of its own, beside the others.

        Args:
            work: What to call.
            inherited: Whether a forked child has the same work to do at its own end.
            last: Whether it waits for the work that is not, for a part of the budget.
            local: Whether it has nothing to do with a collector, and is waited for beyond the budget.
        """
        for one in work:
            if inherited:
                self._inherited.append((one, last, local))
            (self._local if local else self._last if last else self._first).append(_Closing(one))

    def add_flush(self, flushes: Sequence[Flush], *, last: bool = False) -> None:
        """Add what delivers what is buffered without closing anything."""
        (self._flush_last if last else self._flushes).extend(flushes)

    def _in_child(self) -> None:
        """Begin again in a forked child, which has the handlers but none of the threads that they wait for."""
        work, self._inherited = self._inherited, []
        self._begin()
        with guard("fork"):
            for one, last, local in work:
                self.add([one], last=last, local=local)
            _children.arm(self)

    def arm(self) -> None:
        """Run the work at every end of the process that leaves a chance to."""
        atexit.register(self.close)
        _signals.arm(self.close)
        when_stopped(self.flush)
        _uvicorn.arm()

    def close(self) -> None:
        """Run the work, if it has not been run, and return when it is done or the budget is spent."""
        # Each call does it all: a signal may come while the call before it waits, which then goes on after this one.
        deadline = self.ending.begin(self._left())
        local_deadline = time.monotonic() + LOCAL_SECONDS
        for one in (*self._local, *self._first):
            one.begin()
        until = deadline - self._budget * (1 - FIRST)
        for one in self._first:
            one.finished(until)
        for one in self._last:
            one.begin()
        for one in (*self._last, *self._first):
            one.finished(deadline)
        for one in self._local:
            one.finished(max(deadline, local_deadline))

    def _left(self) -> float:
        when, seconds = self._spent
        return self._budget - (seconds if time.monotonic() - when < RECENT else 0.0)

    def flush(self) -> None:
        """Deliver what is buffered now, within the budget; the process goes on, or ends soon."""
        began = time.monotonic()
        deadline = began + self._left()
        waiting = [
            threading.Thread(target=self._flushed, args=(one, deadline), name="otel-llm-router-flush", daemon=True)
            for one in self._flushes
        ]
        with guard("flush"):
            for thread in waiting:
                thread.start()
            for thread in waiting:
                thread.join(max(0.0, deadline - self._budget * (1 - FIRST) - time.monotonic()))
            for one in self._flush_last:
                self._flushed(one, deadline)
            for thread in waiting:
                thread.join(max(0.0, deadline - time.monotonic()))
        self._spent = time.monotonic(), time.monotonic() - began

    @staticmethod
    def _flushed(flush: Flush, deadline: float) -> None:
        with guard("flush"):
            try:
                flush(max(1, int((deadline - time.monotonic()) * 1000)))
            except Exception:
                if time.monotonic() < deadline:
                    raise
                # The SDK's meter provider raises when the time is over.
