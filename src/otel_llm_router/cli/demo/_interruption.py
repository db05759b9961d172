"""The end of the demonstration by Ctrl-C or by a service manager.

Room: `cli`. Signals come in; a cancelled task or one `KeyboardInterrupt` goes out.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Callable, Coroutine
from types import FrameType
from typing import Any, TypeVar

_Result = TypeVar("_Result")


class Interruption:
    """Ends the run at a signal, so that it leaves no process behind.

    The event loop's task is cancelled: an exception out of the signal handler would end whichever task
    runs just then. Once the loop is left, further signals do not disturb the cleaning up.
    """

    def __init__(self) -> None:
        self.number = 0
        self._cancel: Callable[[], object] | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        first, self.number = not self.number, self.number or number
        if self._cancel is not None:
            # anyio forgets a coroutine when it is cancelled while it connects; the warning tells a user nothing.
            warnings.filterwarnings("ignore", r"coroutine .* was never awaited", RuntimeWarning)
            self._cancel()
        elif first:
            raise KeyboardInterrupt

    async def cancels(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Await ``work``; a signal cancels it."""
        loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
        self._cancel = lambda: loop.call_soon_threadsafe(task.cancel)
        try:
            return await task
        finally:
            self._cancel = None
