"""Who asked: team, user, key and organization of a request.

Room: `telemetry`. Names come in, keys never go out: a key is called by its alias or by a hash.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Final

from otel_llm_router import _sanitize
from otel_llm_router.signals import Attribute, attributes

DIMENSIONS: Final = ("team", "user", "key", "organization")
"""What can be counted by, in the order of the labels."""

_HASH_CHARACTERS: Final = 12
_HASH: Final = frozenset("0123456789abcdef")
_SHA256_CHARACTERS: Final = 64
_LONG: Final = 40
_RUN: Final = re.compile(r"[A-Za-z0-9]{32}")
"""Letters and digits with nothing between them, as many as the shortest keys of providers have; names have hyphens."""
_PREFIXES: Final = ("sk-", "sk_", "Bearer ", "Basic ", "AIza", "gsk_", "xai-", "hf_")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asked; what is not known is None.

    Args:
        team: Team.
        user: User.
        key: Alias of the key, or a hash of it.
        organization: Organization.
    """

    team: str | None = None
    user: str | None = None
    key: str | None = None
    organization: str | None = None

    def __post_init__(self) -> None:
        """Take names as text, whatever objects they are, and no key as it is."""
        for name in DIMENSIONS:
            value = getattr(self, name)
            if value is not None:
                text = _sanitize.text(value)
                object.__setattr__(self, name, (key_name(text) if name == "key" else text) or None)

    def labels(self, wanted: frozenset[str]) -> tuple[str | None, ...]:
        """Return the labels in declared order: None of what is not wanted, ``unknown`` of what is not known."""
        return tuple((getattr(self, name) or attributes.UNKNOWN) if name in wanted else None for name in DIMENSIONS)

    def attributes(self) -> dict[Attribute, object]:
        """Return what a span says of the caller."""
        return {
            attributes.REQUEST_USER: self.user,
            attributes.TEAM_SPAN: self.team,
            attributes.KEY_SPAN: self.key,
            attributes.ORGANIZATION_SPAN: self.organization,
        }


NOBODY: Final = Caller()


def key_hash(text: str) -> str:
    """Return twelve characters of a key's SHA-256; ``text`` may be the key, or its SHA-256 already."""
    if len(text) == _SHA256_CHARACTERS and _HASH.issuperset(text):
        return text[:_HASH_CHARACTERS]
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:_HASH_CHARACTERS]


def key_name(text: str) -> str:
    """Return what may be said of a key: an alias as it is, and of what may be a key or its SHA-256 the hash."""
    key = text.startswith(_PREFIXES) or len(text) >= _LONG or _RUN.search(text) is not None
    return key_hash(text) if key else text
