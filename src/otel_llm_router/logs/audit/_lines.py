"""What a record says, before it has its place in the chain.

Room: `logs`. Events come in; members of records go out: without secrets, with keys as hashes.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Final, cast

from otel_llm_router import _sanitize, redaction
from otel_llm_router.logs.audit import _configuration
from otel_llm_router.logs.audit._event import Event
from otel_llm_router.logs.audit._identity import Identity
from otel_llm_router.signals import Attribute, events
from otel_llm_router.signals import attributes as a

_OWN: Final = {
    event.name.rpartition(".")[2]: event for event in (events.AUDIT_OPENED, events.AUDIT_TORN, events.AUDIT_ANOMALY)
}
_HASHES: Final = frozenset({a.AUDIT_KEY_HASH, a.AUDIT_HASH, a.AUDIT_CHAIN})
"""Attributes that are hashes by now, in which no secret is to be looked for."""
_MAX_ITEMS: Final = 100
_MOST: Final = 2**53 - 1
"""Largest integer that JSON says exactly."""


class Lines:
    """Makes the members of records.

    Args:
        path: The audit file.
        who: Members that every record has.
    """

    def __init__(self, path: Path, who: Mapping[str, str]) -> None:
        self._path = path
        self._who = {name: redaction.text(_sanitize.text(value)) for name, value in who.items() if value}
        self._identity = Identity(path)
        self.configuration: Callable[[Callable[[str], str]], Mapping[str, str]] | None = None

    def named(self, event: Event) -> Event:
        """Return an event in which the key has its hash in place of what it was given as.

        Raises:
            OSError: there is nothing to hash with.
        """
        key = event.attributes.get(a.AUDIT_KEY_HASH)
        if not key:
            return event
        return replace(event, attributes={**event.attributes, a.AUDIT_KEY_HASH: self._identity.hashed(str(key))})

    def fields(self, event: Event) -> dict[str, Any]:
        """Return the members of a record.

        Raises:
            OSError: the configuration before cannot be kept.
        """
        attributes = dict(event.attributes)
        if (
            event.event is events.AUDIT_CONFIGURATION
            and attributes.get(a.AUDIT_ACTION) == "start"
            and self.configuration
        ):
            found = self.configuration(self._identity.hashed)
            attributes[a.AUDIT_CHANGES], attributes[a.AUDIT_HASH] = _configuration.changes(self._path, found)
        return self._members(event, attributes)

    def own(self, kind: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
        """Return the members of a record about the file itself."""
        declared = {attribute.key.rpartition(".")[2]: attribute for attribute in _OWN[kind].attributes}
        now = datetime.now(timezone.utc).timestamp()
        return self._members(
            Event(_OWN[kind], {}, int(now * 1e9)), {declared[name]: value for name, value in attributes.items()}
        )

    def attributes(self, event: Event, fields: Mapping[str, Any]) -> dict[Attribute, Any]:
        """Return what a record says as attributes of a log event."""
        return {one: fields[one.key] for one in event.event.attributes if one.key in fields}

    def _members(self, event: Event, attributes: Mapping[Attribute, Any]) -> dict[str, Any]:
        members: dict[str, Any] = {
            **self._who,
            "timestamp": datetime.fromtimestamp(event.at / 1e9, timezone.utc).isoformat(timespec="microseconds"),
            "level": event.event.severity,
            "message": event.event.description,
            "stream": "audit",
            "event_name": event.event.name,
            "pid": os.getpid(),
            a.RECORD_UID.key: uuid.uuid4().hex,
            **{one.key: _value(one, value) for one, value in attributes.items() if value is not None},
        }
        if event.trace_id:
            members["trace_id"], members["span_id"] = event.trace_id, event.span_id
        return members


def _value(attribute: Attribute, value: Any) -> Any:
    if attribute in _HASHES:
        return _sanitize.text(value)
    if isinstance(value, (list, tuple)):
        return [redaction.text(_sanitize.text(item)) for item in cast("list[Any]", value)[:_MAX_ITEMS]]
    if isinstance(value, bool) or (isinstance(value, int) and -_MOST <= value <= _MOST):
        return value
    if isinstance(value, float) and _sanitize.finite(value) is not None:
        return value
    clean = redaction.value(attribute.key, _sanitize.text(value))
    return clean if isinstance(clean, (str, bool, int, float)) else _sanitize.text(clean)
