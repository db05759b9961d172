"""One line of the audit file: canonical JSON with the hash of the record before it and its own.

Room: `logs`. Fields come in; a line goes out, and back. The hash covers every member but itself, in the form of RFC
8785, so that it holds however the record is stored later. With a key it is an HMAC, which nobody makes without it.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

import rfc8785

VERSION: Final = 1
"""Format of a line; grows when the meaning of a member changes."""
GENESIS: Final = "0" * 64
"""What stands for the hash before the first record."""
MIN_KEY_BYTES: Final = 16
LONGEST: Final = 1 << 20
"""Bytes of the longest line that is looked at; ours are a hundredth of it."""

_KEY_ID_CHARACTERS: Final = 16
_HASH_CHARACTERS: Final = 64
_HEX: Final = frozenset("0123456789abcdef")


class LineError(ValueError):
    """A line is no record as we write them; the message says in what way."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a chain: the number of a record, from 1, and its hash."""

    sequence: int
    digest: str


START: Final = Place(0, GENESIS)


@dataclass(frozen=True, slots=True)
class Record:
    """A record whose own hash is right.

    Args:
        chain: Identifier of its chain.
        place: Its own place.
        before: Hash of the record before it.
        event: Name of the event.
        key: Identifier of the key that it is sealed with; empty where there is none.
        fields: All members.
    """

    chain: str
    place: Place
    before: str
    event: str
    key: str
    fields: Mapping[str, Any]


class Seal:
    """Makes and checks hashes.

    Args:
        key: Secret of an HMAC; None for a plain SHA-256.

    Raises:
        ValueError: the key is too short to be one.
    """

    def __init__(self, key: bytes | None = None) -> None:
        if key is not None and len(key) < MIN_KEY_BYTES:
            raise ValueError(f"the key has fewer than {MIN_KEY_BYTES} bytes")
        self._key = key
        self.key_id = (
            ""
            if key is None
            else hmac.new(key, b"otel-llm-router audit key", "sha256").hexdigest()[:_KEY_ID_CHARACTERS]
        )

    def digest(self, fields: Mapping[str, Any]) -> str:
        """Return the hash of members.

        Raises:
            ValueError: they have no canonical form.
        """
        data = rfc8785.dumps(dict(fields))
        if self._key is None:
            return hashlib.sha256(data).hexdigest()
        return hmac.new(self._key, data, "sha256").hexdigest()

    def line(self, fields: Mapping[str, Any], chain: str, before: Place) -> tuple[bytes, Place]:
        """Return the line of the record that follows ``before``, and its place.

        Raises:
            ValueError: the fields have no canonical form.
        """
        sequence = before.sequence + 1
        linked = {**fields, "v": VERSION, "chain": chain, "seq": sequence, "prev": before.digest}
        if self.key_id:
            linked["key"] = self.key_id
        digest = self.digest(linked)
        return rfc8785.dumps({**linked, "hash": digest}) + b"\n", Place(sequence, digest)


def read(line: bytes, seals: Mapping[str, Seal]) -> Record:
    """Return the record of a line without its end.

    Args:
        line: The line.
        seals: Seals by the identifiers of their keys; that of no key is empty.

    Raises:
        LineError: it is not written as we write, or its hash is wrong.
        KeyError: it is sealed with a key that is not among the seals.
    """
    try:
        found: Any = json.loads(line) if len(line) <= LONGEST else None
        canonical = rfc8785.dumps(cast("dict[str, Any]", found)) if isinstance(found, dict) else b""
    except (ValueError, RecursionError) as error:
        raise LineError("it is no JSON object") from error
    if canonical != line:
        raise LineError("it is not as it was written: no JSON object in canonical form")
    fields = cast("dict[str, Any]", found)
    digest = fields.pop("hash", None)
    sequence = fields.get("seq")
    texts = {name: fields.get(name, "") for name in ("chain", "prev", "event_name", "key")}
    if (
        type(sequence) is not int
        or sequence < 1
        or not all(isinstance(text, str) for text in texts.values())
        or not isinstance(digest, str)
        or len(digest) != _HASH_CHARACTERS
    ):
        raise LineError("it has not the members of a record")
    if not hmac.compare_digest(seals[texts["key"]].digest(fields), digest):
        raise LineError("its hash is wrong: it was edited")
    return Record(texts["chain"], Place(sequence, digest), texts["prev"], texts["event_name"], texts["key"], fields)


def is_hash(text: str) -> bool:
    """Whether a text is written as a hash."""
    return len(text) == _HASH_CHARACTERS and _HEX.issuperset(text)
