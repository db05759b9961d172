"""Whether log lines can be written where they are asked for.

Room: `cli`. Nothing is written: the file and the directory are asked, as this user.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from otel_llm_router import logs
from otel_llm_router.cli.doctor import _masking
from otel_llm_router.cli.doctor._findings import Finding
from otel_llm_router.cli.doctor._situation import Situation
from otel_llm_router.signals import options

CHECK: Final = "logs"


def check(situation: Situation) -> Iterator[Finding]:
    """Say where log lines go, and whether they can."""
    where = situation.settings.log_file
    if not where:
        yield Finding(CHECK, "ok", "no log lines are written: set OTEL_LLM_ROUTER_LOG_FILE to have them")
        return
    if where in logs.STANDARD:
        yield Finding(CHECK, "ok", f"log lines go to {where}")
        return
    directory = logs.is_directory(where)
    path = Path(where).expanduser()
    shown = _masking.text(str(path))
    why = _why_not(path if directory else path.parent, None if directory else path)
    if why:
        yield Finding(
            CHECK,
            "fail",
            f"log lines cannot be written to {shown}: {why}",
            f"make it writable for the user that the application runs as, or change {options.LOG_FILE.env}",
        )
    else:
        files = "a file for each stream in " if directory else ""
        yield Finding(CHECK, "ok", f"log lines go to {files}{shown}")


def _why_not(directory: Path, path: Path | None) -> str:
    """Return why a file cannot be written; the directory is made if need be, and rotation renames in it."""
    if path is not None and path.exists() and not os.access(path, os.W_OK):
        return "the file is not writable for this user"
    existing = directory
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir():
        return f"{_masking.text(str(existing))} is no directory"
    if not os.access(existing, os.W_OK | os.X_OK):
        return f"{_masking.text(str(existing))} is not writable for this user"
    return ""
