"""Names of keys that are no names: hashes keyed with a secret that never leaves the machine.

Room: `logs`. The same key has the same hash in one installation, and nobody finds the key by trying.
"""

from __future__ import annotations

import hmac
import os
from pathlib import Path
from typing import Final

SUFFIX: Final = ".salt"
_BYTES: Final = 32
_CHARACTERS: Final = 16


class Identity:
    """Hashes with the salt that lies beside the audit file.

    Args:
        path: The audit file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + SUFFIX)
        self._salt = b""

    def hashed(self, text: str) -> str:
        """Return what stands for a key, or for another secret.

        Raises:
            OSError: there is no salt, and none can be made.
        """
        if not self._salt:
            self._salt = _salt(self._path)
        return hmac.new(self._salt, text.encode("utf-8", "replace"), "sha256").hexdigest()[:_CHARACTERS]


def _salt(path: Path) -> bytes:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Whole under its name or not there: another process may be making it too.
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    if not path.exists():
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, os.urandom(_BYTES))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    salt = path.read_bytes()
    if len(salt) != _BYTES:
        raise OSError(f"{path} is damaged: it holds no salt")
    return salt
