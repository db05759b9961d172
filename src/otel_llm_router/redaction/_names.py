"""What a name says about its value: that it is a secret, that it may be one, that it is a URL.

Room: `redaction`. Names of attributes, headers, parameters and variables come in, in any of their spellings.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import Enum
from typing import Final


class Kind(Enum):
    """What a name says."""

    PLAIN = "plain"
    SECRET = "secret"  # noqa: S105  # a word
    """Its value is hidden, whatever it is."""
    TOKEN = "token"  # noqa: S105  # same
    """Its value is hidden unless it is a number: models count tokens."""
    KEY = "key"
    """Its value is hidden when it looks like one: most keys are of caches and tables."""
    HEADER = "header"
    """Its value is hidden to the end of the line: it has words and spaces."""
    URL = "url"
    QUERY = "query"


_SECRET: Final = frozenset(
    [
        "password",
        "passwords",
        "passwd",
        "pwd",
        "passphrase",
        "passcode",
        "pass",
        "secret",
        "secrets",
        "credential",
        "credentials",
        "creds",
        "apikey",
        "apikeys",
        "accesskey",
        "secretkey",
        "privatekey",
        "signingkey",
        "encryptionkey",
        "decryptionkey",
        "masterkey",
        "accountkey",
        "sharedaccesskey",
        "storagekey",
        "subscriptionkey",
        "licensekey",
        "authkey",
        "hmackey",
        "sessionkey",
        "servicekey",
        "deploykey",
        "adminkey",
        "virtualkey",
        "clientkey",
        "connectionstring",
        "connstr",
        "sharedaccesssignature",
        "xamzsignature",
        "xamzcredential",
        "xgoogsignature",
        "xgoogcredential",
        "otp",
        "totp",
        "mfacode",
        "jwt",
        "bearer",
        "sas",
        "sig",
        "ssn",
        "cvv",
        "cvc",
        "pgpassword",
        "mysqlpwd",
    ]
)
_HEADER: Final = frozenset({"authorization", "cookie", "cookies", "setcookie", "proxyauthorization"})
_ENDINGS: Final = ("password", "passwd", "passphrase", "secret", "apikey", "credential", "credentials", "secretkey")
"""Ends of words that have been joined: dbpassword."""
_TOKENS: Final = frozenset({"token", "tokens"})
_NO_SECRET_TOKENS: Final = frozenset(
    [
        "eos",
        "bos",
        "pad",
        "unk",
        "sep",
        "cls",
        "mask",
        "stop",
        "first",
        "last",
        "next",
        "per",
        "max",
        "min",
        "special",
        "prompt",
        "completion",
        "input",
        "output",
        "reasoning",
        "cached",
        "page",
        "continuation",
        "image",
        "audio",
        "text",
        "total",
        "count",
        "a",
        "b",
        "no",
        "each",
    ]
)
"""What a token of a model, or of a list's page, is called by."""
_NO_SECRET_KEYS: Final = frozenset(
    [
        "cache",
        "primary",
        "foreign",
        "partition",
        "sort",
        "routing",
        "route",
        "idempotency",
        "public",
        "dict",
        "object",
        "redis",
        "group",
        "row",
        "map",
        "message",
        "kafka",
        "model",
        "deployment",
        "metric",
        "label",
        "attribute",
        "span",
        "sampling",
        "hash",
        "lookup",
        "index",
        "unique",
        "composite",
        "natural",
    ]
)
_URLS: Final = frozenset({"url.full", "http.url", "http.target", "url.path", "url.original", "http.request.url"})
_QUERIES: Final = frozenset({"url.query", "http.query", "http.request.query"})
_IN_QUERIES: Final = frozenset({"key", "code", "auth", "signature", "access", "ticket", "pw"})
"""Names that say so in a URL's query only."""
_ORDINARY_IN_QUERIES: Final = {
    "p": re.compile(r"\d{1,6}"),
    "state": re.compile(r"\d{1,6}|[A-Za-z]+(?:[_,-][A-Za-z]+){0,4}"),
}
"""Names that do so too but for such values: pages of lists, and what the things in them have come to."""

_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_MAX_NAME: Final = 128
_MAX_KEPT: Final = 4096

STEMS: Final = ("pass", "pwd", "secret", "token", "key", "auth", "cookie", "cred", "connstr", "connectionstring",
    "connection", "signature", "sig", "jwt", "bearer", "otp", "sas", "ssn", "cv", "mfa")  # fmt: skip
"""A text without any of these names no secret."""


class Names:
    """Knows names, those that are added and those that are excepted included.

    Args:
        more: Names whose values are secrets, besides those that are known.
        allowed: Names whose values are none.
    """

    def __init__(self, more: Iterable[str] = (), allowed: Iterable[str] = ()) -> None:
        self.more = frozenset(joined(name) for name in more) - {""}
        self._allowed = frozenset(joined(name) for name in allowed) - {""}
        self._kept: dict[str, Kind] = {}

    def kind(self, name: str) -> Kind:
        """Return what a name says."""
        found = self._kept.get(name)
        if found is None:
            found = self._find(name[-_MAX_NAME:])
            if len(self._kept) >= _MAX_KEPT:
                self._kept.clear()
            if len(name) <= _MAX_NAME:
                self._kept[name] = found
        return found

    def in_query(self, name: str, value: str) -> bool:
        """Whether a parameter of a URL by this name is a secret."""
        words = _words(name)
        if not words or "".join(words) in self._allowed:
            return False
        ordinary = _ORDINARY_IN_QUERIES.get(words[-1])
        if ordinary is not None:
            return not ordinary.fullmatch(value)
        return self.kind(name) in {Kind.SECRET, Kind.TOKEN, Kind.HEADER} or words[-1] in _IN_QUERIES

    def _find(self, name: str) -> Kind:
        lowered = name.lower()
        if lowered in _URLS:
            return Kind.URL
        if lowered in _QUERIES:
            return Kind.QUERY
        words = _words(name)
        while words and words[-1].isdigit():
            words.pop()
        if not words:
            return Kind.PLAIN
        ends = {"".join(words[-number:]) for number in range(1, 5)}
        if ends & self._allowed or "".join(words) in self._allowed:
            return Kind.PLAIN
        return _of_ends(words, ends, self.more)


def _of_ends(words: list[str], ends: set[str], more: frozenset[str]) -> Kind:
    last = words[-1]
    before = words[-2] if len(words) > 1 else ""
    if ends & _HEADER:
        return Kind.HEADER
    if ends & _SECRET or ends & more or last.endswith(_ENDINGS):
        return Kind.SECRET
    if last in _TOKENS or last.endswith("token"):
        # Several tokens are what a model counts.
        return Kind.PLAIN if last == "tokens" or before in _NO_SECRET_TOKENS else Kind.TOKEN
    if last in {"key", "auth", "signature"}:
        return Kind.PLAIN if before in _NO_SECRET_KEYS else Kind.KEY
    return Kind.PLAIN


def _words(name: str) -> list[str]:
    found: list[str] = _WORDS.findall(name)
    return [word.lower() for word in found]


def joined(name: str) -> str:
    """Return a name's words without what is between them: the same for all of its spellings."""
    return "".join(_words(name))
