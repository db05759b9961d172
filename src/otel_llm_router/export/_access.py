"""Who may read the scrape server: nobody asked, a bearer token, or users with passwords.

Room: `export`. Liveness and readiness are for everyone: they say one word. A password is hashed once for as long
as it is right and its file unchanged, and few wrong ones are hashed in a second.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from otel_llm_router.export import _passwords
from otel_llm_router.export._files import Watched
from otel_llm_router.export._messages import Request, Response

OPEN: Final = frozenset({"/health/live", "/health/ready"})
"""Paths that everyone may read."""

GUESSES: Final = 10
"""Passwords that are looked at in any second, right ones that were right before apart."""

watchers: Final[list[Callable[[str, str, str], object]]] = []
"""Told of each who was asked: for which path, which known user it is, and why it may not read if it may not."""

_REMEMBERED: Final = 64

_TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class _Refused(Exception):  # noqa: N818  # an answer rather than an error
    response: Response


class Access:
    """Decides on each request.

    Args:
        token: Bearer token.
        token_file: File that holds the bearer token, read again when it changes.
        users_file: File of users; see `_passwords`.

    Raises:
        OSError: a file cannot be read.
        ValueError: a file's content is wrong, or there are a token and a file for it.
    """

    def __init__(self, *, token: str = "", token_file: str = "", users_file: str = "") -> None:
        if token and token_file:
            raise ValueError("a token and a file with a token exclude each other")
        self._token = Watched(token_file, _token) if token_file else None
        self._fixed = token.encode()
        self._users = Watched(users_file, _passwords.users) if users_file else None
        self._right: dict[bytes, None] = {}
        self._key = os.urandom(32)
        self._lock = threading.Lock()
        self._guessed: deque[float] = deque(maxlen=GUESSES)

    @property
    def asked(self) -> bool:
        """Whether anybody is asked who they are."""
        return bool(self._fixed or self._token or self._users)

    def refusal(self, request: Request) -> Response | None:
        """Return the answer for one who may not read; None for one who may."""
        if not self.asked or request.path in OPEN:
            return None
        scheme, _, credentials = request.headers.get("authorization", "").strip().partition(" ")
        credentials = credentials.strip()
        try:
            allowed = bool(credentials) and (
                (scheme.lower() == "bearer" and self._bearer(credentials))
                or (scheme.lower() == "basic" and self._basic(credentials))
            )
        except _Refused as refused:
            self._tell(request.path, scheme, credentials, "too_many")
            return refused.response
        self._tell(request.path, scheme, credentials, "" if allowed else "invalid" if credentials else "missing")
        return None if allowed else self._unauthorized()

    def _tell(self, path: str, scheme: str, credentials: str, reason: str) -> None:
        if watchers:
            # A name that is nobody's may be a password in the wrong place.
            given = _parts(credentials) if scheme.lower() == "basic" else None
            known = given[0] if given and self._users is not None and given[0] in self._users() else ""
            for tell in watchers:
                tell(path, known, reason)

    def _unauthorized(self) -> Response:
        schemes = ["Bearer"] * bool(self._fixed or self._token) + ['Basic realm="otel-llm-router"'] * bool(self._users)
        return Response(401, b"who are you?\n", _TEXT, {"www-authenticate": ", ".join(schemes)})

    def _bearer(self, given: str) -> bool:
        token = self._token() if self._token is not None else self._fixed
        # Digests are of one length: a comparison tells nothing of the token's.
        return bool(token) and hmac.compare_digest(self._digest(given.encode()), self._digest(token))

    def _basic(self, given: str) -> bool:
        if self._users is None:
            return False
        parts = _parts(given)
        if (
            parts is None or "\0" in parts[2]
        ):  # to HMAC, and so to scrypt, a key with NULs at its end is the same without
            return False
        users = self._users()
        name, _, password = parts
        digest = self._digest(*(part.encode() for part in (str(self._users.generation), *parts)))
        with self._lock:
            if digest in self._right:
                return True
        return self._looked_at(users, name, password, digest)

    def _looked_at(self, users: Mapping[str, str], name: str, password: str, digest: bytes) -> bool:
        with self._lock:
            now = time.monotonic()
            if len(self._guessed) == GUESSES and now - self._guessed[0] < 1:
                raise _Refused(Response(429, b"too many passwords are being tried\n", _TEXT, {"retry-after": "1"}))
            self._guessed.append(now)
        # An unknown user is compared with a known one's hash: it takes as long, whatever the hashes are made with.
        others = list(users.values())
        stored = users.get(name, others[int.from_bytes(self._digest(name.encode()), "big") % len(others)])
        right = _passwords.verified(password, stored) and name in users
        if right:
            with self._lock:
                self._right[digest] = None
                while len(self._right) > _REMEMBERED:
                    del self._right[next(iter(self._right))]
        return right

    def _digest(self, *parts: bytes) -> bytes:
        """Return a digest of parts that no other parts have, whatever is in them."""
        found = hmac.new(self._key, digestmod=hashlib.sha256)
        for part in parts:
            found.update(len(part).to_bytes(8, "big") + part)
        return found.digest()


def _parts(credentials: str) -> tuple[str, str, str] | None:
    """Return the name, the colon and the password of basic authentication; None where they are none."""
    try:
        return base64.b64decode(credentials, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None


def _token(content: bytes) -> bytes:
    token = content.strip()
    if not token:
        raise ValueError("it holds no token")
    return token
