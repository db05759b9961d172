"""The audit trail's events: what happened to the security of a router.

Room: `signals`. They are in the audit file first; over OTLP only where that is asked for.
"""

from __future__ import annotations

from otel_llm_router.signals import attributes as a
from otel_llm_router.signals._model import LogEvent

_WHO = (a.AUDIT_CLIENT, a.AUDIT_KEY_HASH)

AUDIT_ACTION = LogEvent(
    name="llm_router.audit.action",
    severity="INFO",
    description="The application put an action on record.",
    attributes=(a.AUDIT_ACTOR, a.AUDIT_ACTION, a.AUDIT_RESOURCE, a.AUDIT_OUTCOME, a.AUDIT_REASON, a.RECORD_UID),
    stream="audit",
    source="D audit",
)
AUDIT_AUTHENTICATION = LogEvent(
    name="llm_router.audit.authentication",
    severity="INFO",
    description="A client showed who it is, or failed to.",
    attributes=(
        a.AUDIT_ACTOR, a.AUDIT_RESOURCE, a.AUDIT_OUTCOME, a.AUDIT_REASON, *_WHO, a.AUDIT_COUNT, a.RECORD_UID,
    ),
    stream="audit",
    source="D audit: authentication events",
)  # fmt: skip
AUDIT_KEY_USE = LogEvent(
    name="llm_router.audit.key_use",
    severity="INFO",
    description="An API key was used.",
    attributes=(
        a.REQUEST_USER, a.TEAM_SPAN, a.ORGANIZATION_SPAN, a.REQUEST_MODEL, a.AUDIT_OUTCOME, *_WHO, a.AUDIT_COUNT, a.RECORD_UID,
    ),
    stream="audit",
    source="D audit: API-key use",
)  # fmt: skip
AUDIT_CONFIGURATION = LogEvent(
    name="llm_router.audit.configuration",
    severity="INFO",
    description="A process began with a configuration, or changed it.",
    attributes=(a.AUDIT_ACTION, a.AUDIT_RESOURCE, a.AUDIT_CHANGES, a.AUDIT_HASH, a.RECORD_UID),
    stream="audit",
    source="D audit: configuration changes",
)
AUDIT_DECISION = LogEvent(
    name="llm_router.audit.decision",
    severity="WARN",
    description="A budget, a limit or a policy decided on a request.",
    attributes=(
        a.AUDIT_ACTION, a.AUDIT_RESOURCE, a.AUDIT_OUTCOME, a.AUDIT_REASON, *_WHO, a.AUDIT_COUNT, a.RECORD_UID,
    ),
    stream="audit",
    source="D audit: budget and policy decisions",
)  # fmt: skip
AUDIT_SUSPICIOUS = LogEvent(
    name="llm_router.audit.suspicious",
    severity="WARN",
    description="Something stands out among what clients do.",
    attributes=(a.AUDIT_PATTERN, a.REQUEST_MODEL, *_WHO, a.AUDIT_COUNT, a.RECORD_UID),
    stream="audit",
    source="D audit: suspicious activity",
)
AUDIT_OPENED = LogEvent(
    name="llm_router.audit.opened",
    severity="INFO",
    description="An audit file begins; it names the chain before it where the key is another.",
    attributes=(a.AUDIT_CHAIN, a.AUDIT_SEQUENCE, a.AUDIT_HASH, a.RECORD_UID),
    stream="audit",
    source="D audit",
)
AUDIT_TORN = LogEvent(
    name="llm_router.audit.torn",
    severity="WARN",
    description="The line before was left half written by a process that was killed, or by a full disk.",
    attributes=(a.AUDIT_BYTES, a.AUDIT_HASH, a.RECORD_UID),
    stream="audit",
    source="D audit",
)
AUDIT_ANOMALY = LogEvent(
    name="llm_router.audit.anomaly",
    severity="ERROR",
    description="The audit file was not found as it was left: somebody has changed it.",
    attributes=(a.AUDIT_REASON, a.AUDIT_SEQUENCE, a.RECORD_UID),
    stream="audit",
    source="D audit",
)
AUDIT_CHECKPOINT = LogEvent(
    name="llm_router.audit.checkpoint",
    severity="INFO",
    description="How far the audit file goes, for a system outside to hold: `audit verify --head` takes it.",
    attributes=(a.AUDIT_CHAIN, a.AUDIT_SEQUENCE, a.AUDIT_HASH),
    stream="audit",
    source="D audit",
)

AUDIT_EVENTS = (
    AUDIT_ACTION,
    AUDIT_AUTHENTICATION,
    AUDIT_KEY_USE,
    AUDIT_CONFIGURATION,
    AUDIT_DECISION,
    AUDIT_SUSPICIOUS,
    AUDIT_OPENED,
    AUDIT_TORN,
    AUDIT_ANOMALY,
    AUDIT_CHECKPOINT,
)
