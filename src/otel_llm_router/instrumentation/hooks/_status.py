"""What became of a hook.

Room: `instrumentation`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["waiting", "in place", "wrong", "not for this application"]


@dataclass(frozen=True, slots=True)
class Status:
    """What became of a hook.

    Args:
        hook: Its target and kind, as they are written.
        source: Where it was declared: an option, a file, a profile.
        state: Whether its module has been imported, and what was found there.
        detail: What is wrong, if something is.
        calls: How often what it is on was called.
    """

    hook: str
    source: str
    state: State
    detail: str = ""
    calls: int = 0
