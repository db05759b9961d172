"""Passwords as hashes: scrypt of the standard library, and bcrypt where that package is installed.

Room: `export`. A file of users has a line ``name:hash`` for each; bcrypt's hashes are those of ``htpasswd -B``
and of Prometheus' own web configuration.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import importlib
import os
from collections.abc import Mapping
from typing import Any, Final

_SCRYPT: Final = "scrypt"
_N: Final = 2**14
_R: Final = 8
_P: Final = 1
_LARGEST_N: Final = 2**17
_MEMORY: Final = 256 * 1024 * 1024
_BCRYPT: Final = ("$2a$", "$2b$", "$2y$")

MAX_USERS: Final = 1000


def hashed(password: str, *, salt: bytes | None = None) -> str:
    """Return the hash of a password, to be written behind a user's name."""
    salt = os.urandom(16) if salt is None else salt
    digest = hashlib.scrypt(password.encode(), salt=salt, n=_N, r=_R, p=_P, maxmem=_MEMORY)
    return "$".join((_SCRYPT, str(_N), str(_R), str(_P), _text(salt), _text(digest)))


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()


def users(content: bytes) -> Mapping[str, str]:
    """Read a file of users.

    Raises:
        ValueError: a line is no ``name:hash``, or a hash is of no known kind.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, colon, stored = text.partition(":")
        if not (colon and name and stored):
            raise ValueError(f"line {number} is not name:hash")
        if stored.startswith(_BCRYPT):
            _bcrypt()
        elif not _scrypt_parts(stored):
            raise ValueError(f"line {number} has a hash of no known kind (scrypt, bcrypt)")
        found[name] = stored
    if not found or len(found) > MAX_USERS:
        raise ValueError(f"it names {len(found)} users; from 1 to {MAX_USERS} are allowed")
    return found


def verified(password: str, stored: str) -> bool:
    """Return whether a password is that of a hash."""
    if stored.startswith(_BCRYPT):
        return bool(_bcrypt().checkpw(password.encode()[:72], stored.encode()))
    parts = _scrypt_parts(stored)
    if parts is None:
        return False
    n, r, p, salt, digest = parts
    return hmac.compare_digest(
        hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=_MEMORY, dklen=len(digest)), digest
    )


def _scrypt_parts(stored: str) -> tuple[int, int, int, bytes, bytes] | None:
    try:
        kind, n, r, p, salt, digest = stored.split("$")
        parts = (int(n), int(r), int(p), base64.b64decode(salt, validate=True), base64.b64decode(digest, validate=True))
    except (ValueError, binascii.Error):
        return None
    usable = kind == _SCRYPT and 2 <= parts[0] <= _LARGEST_N and 1 <= parts[1] <= 16 and 1 <= parts[2] <= 16  # noqa: PLR2004  # what may not hold a processor up for long
    return parts if usable and parts[3] and parts[4] else None


def _bcrypt() -> Any:
    try:
        return importlib.import_module("bcrypt")
    except ImportError:
        raise ValueError("bcrypt's hashes need the package bcrypt (pip install bcrypt)") from None
