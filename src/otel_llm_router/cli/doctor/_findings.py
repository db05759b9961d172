"""What a check says.

Room: `cli`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Args:
        check: Name of the check.
        status: ``fail`` where something that was asked for does not happen; ``warn`` where it may surprise.
        message: What was found, in a sentence; never a secret.
        suggestion: What to do about it, if anything.
    """

    check: str
    status: Status
    message: str
    suggestion: str = ""
