"""Attributes of audit records.

Room: `signals`.
"""

from __future__ import annotations

from otel_llm_router.signals._model import Attribute

AUDIT_ACTOR = Attribute(key="llm_router.audit.actor", description="Who did it, as far as that is known.")
AUDIT_ACTION = Attribute(key="llm_router.audit.action", description="What was done or tried.")
AUDIT_RESOURCE = Attribute(key="llm_router.audit.resource", description="What it was done to.")
AUDIT_OUTCOME = Attribute(
    key="llm_router.audit.outcome",
    description="What came of it: ``success``, ``failure``, ``denied``, or the application's own word.",
)
AUDIT_REASON = Attribute(key="llm_router.audit.reason", description="Why, in a word or a few.")
AUDIT_KEY_HASH = Attribute(
    key="llm_router.audit.key_hash",
    description="The API key that was used: a hash keyed with a secret of this installation, never the key or its name.",
)
AUDIT_CLIENT = Attribute(key="client.address", description="Address that the client called from.")
AUDIT_COUNT = Attribute(
    key="llm_router.audit.count",
    description="How many of the same there were since the last record of it; one where it is left out.",
)
AUDIT_PATTERN = Attribute(
    key="llm_router.audit.pattern",
    description="What stands out.",
    values=("authentication_failures", "rate_limits", "new_model", "new_hour"),
)
AUDIT_CHANGES = Attribute(
    key="llm_router.audit.changes", description="What is another than at the start before: ``name: old -> new``."
)
AUDIT_CHAIN = Attribute(key="llm_router.audit.chain", description="Identifier of a chain of audit records.")
AUDIT_SEQUENCE = Attribute(key="llm_router.audit.sequence", description="Number of a record in its chain, from 1.")
AUDIT_HASH = Attribute(key="llm_router.audit.hash", description="Hash of a record, or of what was left half written.")
AUDIT_BYTES = Attribute(key="llm_router.audit.bytes", description="Bytes that were left half written.")
RECORD_UID = Attribute(
    key="log.record.uid",
    description="Identifier of the record: the same in the audit file and over OTLP.",
)

AUDIT_EVENT = Attribute(
    key="event",
    description="Kind of audit record.",
    values=("action", "authentication", "configuration", "decision", "key_use", "suspicious"),
    domain="audit_event",
)
AUDIT_LOST_REASON = Attribute(
    key="reason",
    description="Why audit records were lost: too many waited, they could not be encoded, or the process ended first.",
    values=("queue_full", "encoding", "shutdown"),
    domain="audit_lost_reason",
)
ACCESS_PATTERN = Attribute(
    key="pattern", description="What stands out.", values=AUDIT_PATTERN.values, domain="audit_pattern"
)
