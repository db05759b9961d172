"""Directories that belong to this user alone.

Room: `export`. What others could read, or put something in the place of, is not used.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path


class DirectoryError(OSError):
    """The directory cannot be used; the message says why and what to do."""


def own_directory(root: Path, *names: str, make_root: bool, instead: str) -> Path:
    """Return ``root/names[0]/...``, made if need be, for this user only.

    Args:
        root: Where to make it.
        names: Of the directories in it, each in the one before.
        make_root: Whether ``root`` is made as well.
        instead: What to do when it cannot be used, for people.

    Raises:
        DirectoryError: it is somebody else's, or cannot be made.
    """
    path = root / names[0]
    try:
        if make_root:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = root.stat()
        if found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX:
            raise DirectoryError(  # noqa: TRY301  # as it is, past what follows
                f"others may put what they like in place of {path}: {root} is writable for them; {instead}"
            )
        path = root
        for name in names:
            path /= name
            path.mkdir(mode=0o700, exist_ok=True)
            _require_own(path, instead)
    except DirectoryError:
        raise
    except OSError as error:
        raise DirectoryError(f"{path} cannot be used ({error.strerror or type(error).__name__}); {instead}") from error
    return path


def _require_own(path: Path, instead: str) -> None:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise DirectoryError(f"{path} is not a directory of this user's alone. Remove it, or {instead}")
