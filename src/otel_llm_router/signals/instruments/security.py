"""Instruments of the audit trail; failed authentications and rate limits are among those of requests."""

from __future__ import annotations

from otel_llm_router.signals import attributes as a
from otel_llm_router.signals._model import Instrument, Kind

AUDIT_RECORDS = Instrument(
    name="llm_router.audit.records",
    prometheus_name="llm_router_audit_records_total",
    kind=Kind.COUNTER,
    unit="{record}",
    description="Audit records that are on disk.",
    attributes=(a.AUDIT_EVENT,),
    source="D security metrics",
)
AUDIT_LOST = Instrument(
    name="llm_router.audit.lost",
    prometheus_name="llm_router_audit_lost_total",
    kind=Kind.COUNTER,
    unit="{record}",
    description="Audit records that never came to disk.",
    attributes=(a.AUDIT_LOST_REASON,),
    source="D security metrics",
)
AUDIT_FAILURES = Instrument(
    name="llm_router.audit.failures",
    prometheus_name="llm_router_audit_failures_total",
    kind=Kind.COUNTER,
    unit="{write}",
    description="Writes to the audit file that failed and are tried again.",
    source="D security metrics",
)
UNUSUAL_ACCESS = Instrument(
    name="llm_router.access.unusual",
    prometheus_name="llm_router_access_unusual_total",
    kind=Kind.COUNTER,
    unit="{pattern}",
    description="Patterns that stood out among what clients do; counted where there is an audit file.",
    attributes=(a.ACCESS_PATTERN,),
    source="D security metrics: unusual access",
)
