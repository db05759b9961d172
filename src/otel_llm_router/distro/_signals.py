"""Signals that end a process outright: what is buffered leaves first, and the signal still ends it.

Room: `distro`.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Final

NAMES: Final = ("SIGTERM", "SIGQUIT", "SIGHUP")
"""SIGINT is none of them: Python makes a KeyboardInterrupt of it, and exit handlers run."""


def arm(close: Callable[[], None]) -> None:
    """Call ``close`` before one of the signals ends the process.

    Only where it would end it outright: a handler of the application's comes first and ends it in its own way. A
    server such as uvicorn puts its handlers in the place of ours, ours back when it has stopped, and raises the signal
    again. Handlers can be set in the main thread only.
    """
    if threading.current_thread() is not threading.main_thread():
        return

    def handle(number: int, _frame: FrameType | None) -> None:
        close()
        # End as the process would have ended without us: killed by the signal.
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    for name in NAMES:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, handle)
