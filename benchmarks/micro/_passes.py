"""Passes over contenders that take turns."""

from __future__ import annotations

import gc
import itertools
import time
from collections.abc import Callable, Mapping

Passes = dict[str, list[float]]
"""One value for each pass, by figure."""


def repeated(call: Callable[[], object], times: int) -> Callable[[], None]:
    """Return a function that makes ``call`` so many times; the loop's own cost is some 20 ns each."""

    def run() -> None:
        for _ in itertools.repeat(None, times):
            call()

    return run


def turns(contenders: Mapping[str, Callable[[], object]], passes: int, *, divide: float, discard: int = 1) -> Passes:
    """Run every contender once in each pass; return process CPU seconds divided by ``divide``.

    Args:
        contenders: What to run, by figure.
        passes: How many passes count.
        divide: Operations of one run, so that the figure is one operation's; 1e-6 of it gives us.
        discard: Passes before them, to warm up.
    """
    found: Passes = {name: [] for name in contenders}
    names = list(contenders)
    for number in range(-discard, passes):
        names = names[1:] + names[:1]
        for name in names:
            gc.collect()
            began = time.process_time()
            contenders[name]()
            spent = time.process_time() - began
            if number >= 0:
                found[name].append(spent / divide)
    return found


def expect(what: str, found: float, expected: float) -> None:
    """Check that what was recorded arrived.

    Raises:
        RuntimeError: it did not.
    """
    if found != expected:
        raise RuntimeError(f"{what}: {found:g} arrived instead of {expected:g}; nothing was measured")
