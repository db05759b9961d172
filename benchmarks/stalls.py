"""Stalls of the host's event loop, with the collector up, refusing connections, and hanging.

One process without telemetry and one with ours for each state of the collector, on the hollow Router, take turns
in windows of some seconds. Spans leave every second and metrics every two, so that each window has exports in it.
The figure is the longest gap of a window, beside that of none's window next to it.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Generator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Final

from benchmarks.configurations import HOME, Configuration, chosen
from benchmarks.driven import Driven
from benchmarks.processes import WorkerError
from benchmarks.rounds import Say, Servers

OURS: Final = "ours"
NONE: Final = f"none@{HOME}"
EXPORTS: Final = {
    "OTEL_BSP_SCHEDULE_DELAY": "1000",
    "OTEL_BLRP_SCHEDULE_DELAY": "1000",
    "OTEL_METRIC_EXPORT_INTERVAL": "2000",
}
WARM_UP: Final = 1.5
"""Seconds."""
REFUSED: Final = "http://127.0.0.1:9"
"""Nobody listens there."""


@contextlib.contextmanager
def hanging() -> Generator[str]:
    """Accept connections, as far as the operating system does that alone, and never answer."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(128)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def measure(servers: Servers, windows: int, seconds: float, say: Say) -> dict[str, dict[str, Any]]:
    """Return the windows of each: ``longest`` gaps in ms, ``late`` beats, or the reason why there are none.

    Args:
        servers: The collector that is up.
        windows: How many for each.
        seconds: Of each.
        say: Told what is going on.
    """
    none, ours = (next(one for one in chosen({name}) if one.name == name) for name in (NONE, OURS))
    busy = replace(ours, environ={**ours.environ, **EXPORTS})
    with ExitStack() as stack:
        sinks = {"none": servers.sink, "up": servers.sink, "refused": REFUSED}
        sinks["hanging"] = stack.enter_context(hanging())
        ones = [_One(state, none if state == "none" else busy, sink) for state, sink in sinks.items()]
        for one in ones:
            say(f"stalls: starting {one.state}")
            one.attempt(lambda one=one: one.start(stack))
        for number in range(windows):
            say(f"stalls: window {number + 1} of {windows}, {seconds:g} s each")
            for one in ones:
                one.attempt(lambda one=one: one.window(seconds))
        for one in ones:
            one.attempt(one.end)
    return {one.state: one.found for one in ones}


class _One:
    """One process.

    Args:
        state: Of its collector.
        configuration: What it runs.
        sink: Base URL of the collector.
    """

    def __init__(self, state: str, configuration: Configuration, sink: str) -> None:
        self.state = state
        self.found: dict[str, Any] = {"longest": [], "late": [], "requests": []}
        self._configuration = configuration
        self._sink = sink
        self._worker: Driven | None = None

    def attempt(self, work: Callable[[], None]) -> None:
        """Do one step, unless one has failed before."""
        if "reason" in self.found:
            return
        try:
            work()
        except WorkerError as error:
            self.found = {"reason": str(error)}

    def start(self, stack: ExitStack) -> None:
        """Start it; its first window is discarded."""
        self._worker = Driven(self._configuration, self._sink, f"stalls-{self.state}", "isolated", None)
        stack.callback(self._worker.close, 1)  # its last exports are not awaited
        self._worker.ready()
        self._worker.ask(do="gaps", seconds=WARM_UP)

    def window(self, seconds: float) -> None:
        """Measure one window."""
        assert self._worker is not None  # it was started
        for key, value in self._worker.ask(do="gaps", seconds=seconds).items():
            self.found[key].append(value)

    def end(self) -> None:
        """See that it has recorded, where somebody has counted."""
        assert self._worker is not None  # it was started
        if self.state in {"none", "up"}:
            self._worker.end()
