"""What a check is, and what it finds.

Room: `health`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

MESSAGE_LIMIT: Final = 500
"""Characters of a message that are kept."""


@dataclass(frozen=True)
class Result:
    """What a check found.

    Args:
        healthy: Whether all is well.
        message: What was found, in words.
        details: The numbers behind it; ``value`` and ``threshold`` where there is a limit.
    """

    healthy: bool
    message: str = ""
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])


Check = Callable[[], "Result | bool | Awaitable[Result | bool | None] | None"]
"""A check, sync or async. A `Result` says what was found; False is failed, True and None are healthy; one that
raises has failed."""


Probe = Callable[[], Result]
"""A check of ours."""


def of_value(value: Any) -> Result:
    """Return the result that a check's return value stands for."""
    if isinstance(value, Result):
        return Result(bool(value.healthy), str(value.message)[:MESSAGE_LIMIT], value.details)
    if value is None or isinstance(value, bool):
        healthy = value is not False
        return Result(healthy, "ok" if healthy else "the check says no")
    return Result(healthy=False, message=f"the check returned {type(value).__name__}, not a Result or a bool")


def compared(what: str, value: float, threshold: float, **details: Any) -> Result:
    """Return the result of holding a percentage against its limit.

    Args:
        what: What is in use, for the message.
        value: Percent.
        threshold: Percent from which on it has failed.
        details: Further numbers.
    """
    return Result(
        healthy=value < threshold,
        message=f"{value:.0f} % of {what} in use, limit {threshold:g} %",
        details={"value": round(value, 2), "threshold": threshold, **details},
    )
