"""Whether the audit trail can be written, and by nobody else.

Room: `cli`. Nothing is written to find out.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from otel_llm_router.cli.doctor._findings import Finding
from otel_llm_router.cli.doctor._situation import Situation
from otel_llm_router.signals import options

CHECK: Final = "audit"

_OTHERS_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH
_OTHERS_READ: Final = stat.S_IRGRP | stat.S_IROTH


def check(situation: Situation) -> Iterator[Finding]:
    """Say whether there will be an audit trail."""
    name, key_name = situation.settings.audit_file, situation.settings.audit_key_file
    if not name:
        yield Finding(CHECK, "ok", "no audit trail is asked for")
        return
    found = [*_key(key_name), *_place(Path(name).absolute())]
    yield from found
    if not found:
        sealed = "with a key" if key_name else "without a key: whoever may write all of its files can write them anew"
        yield Finding(CHECK, "ok", f"the audit trail goes to {name}, {sealed}")


def _key(name: str) -> Iterator[Finding]:
    if not name:
        return
    from otel_llm_router.logs.audit import Seal  # noqa: PLC0415  # for those who have one

    try:
        Seal(Path(name).read_bytes().strip())
        others = Path(name).stat().st_mode & _OTHERS_READ
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        yield Finding(
            CHECK,
            "fail",
            f"there will be no audit trail: {options.AUDIT_KEY_FILE.env}={name} cannot be used: {why}",
            "openssl rand -hex 32 makes a key",
        )
        return
    if others:
        yield Finding(
            CHECK, "warn", f"{name}, the key of the audit trail, can be read by other users", f"chmod 600 {name}"
        )


def _place(path: Path) -> Iterator[Finding]:
    there = next(one for one in (path, *path.parents) if one.exists())
    if there == path:
        writable = path.is_file() and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK | os.X_OK)
    else:
        writable = there.is_dir() and os.access(there, os.W_OK | os.X_OK)
    if not writable:
        yield Finding(
            CHECK,
            "fail",
            f"the audit file {path} cannot be written: {there} does not let this user",
            f"set {options.AUDIT_FILE.env} to a file in a directory of this user's own",
        )
        return
    open_to = [one for one in (path, path.parent) if one.exists() and one.stat().st_mode & _OTHERS_WRITE]
    if open_to:
        yield Finding(
            CHECK,
            "warn",
            f"{' and '.join(map(str, open_to))} can be written by other users, who can remove audit records",
            f"chmod go-w {' '.join(map(str, open_to))}",
        )
