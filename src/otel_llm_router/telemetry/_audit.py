"""What a router does that belongs on record: who came, which key, what was refused.

Room: `telemetry`. Calls of `Telemetry`, and ended requests, come in; events go to the audit trail where there is one.
Without one there is nothing to do but for what the application itself puts on record.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context

from otel_llm_router.signals import Attribute, LogEvent, attributes, events
from otel_llm_router.telemetry import _context
from otel_llm_router.telemetry._caller import key_name

if TYPE_CHECKING:
    from otel_llm_router.telemetry._accounts import Accounts
    from otel_llm_router.telemetry._inbound import Inbound
    from otel_llm_router.telemetry._request import Request

SUCCESS: Final = "success"
FAILURE: Final = "failure"
DENIED: Final = "denied"

AuditSink = Callable[[LogEvent, Mapping[Attribute, Any], int, str, str, "Future[bool] | None"], None]
"""Takes an event, its attributes, when it was (nanoseconds of the epoch), its trace and span, and whom to tell."""

_SAID: Final = (
    attributes.AUDIT_ACTOR,
    attributes.AUDIT_ACTION,
    attributes.AUDIT_RESOURCE,
    attributes.AUDIT_OUTCOME,
    attributes.AUDIT_REASON,
)
_TURNED_AWAY: Final = {"authentication": "invalid", "permission": "forbidden"}
_DECISIONS: Final = frozenset({"budget_exceeded", "content_policy"})


def tell(
    sink: AuditSink,
    event: LogEvent,
    found: Mapping[Attribute, Any],
    context: Context | None = None,
    receipt: Future[bool] | None = None,
) -> None:
    """Leave an event for the audit trail."""
    span = trace.get_current_span(context).get_span_context()
    trace_id, span_id = (f"{span.trace_id:032x}", f"{span.span_id:016x}") if span.is_valid else ("", "")
    sink(event, found, time.time_ns(), trace_id, span_id, receipt)


def visitor(key: str | None = None, client: str | None = None, context: Context | None = None) -> dict[Attribute, Any]:
    """Return who calls: what is given, and else what the HTTP request says that ``context`` is of, or was."""
    inbound = _context.any_inbound_of(context if context is not None else otel_context.get_current())
    if inbound is not None:
        peer, credential = inbound.visitor()
        key, client = key or credential, client or peer
    return {attributes.AUDIT_CLIENT: client or None, attributes.AUDIT_KEY_HASH: key or None}


def authentication_failed(sink: AuditSink | None, reason: str, key: str | None, client: str | None) -> None:
    """Put on record that a client could not show who it is."""
    _told()
    if sink is not None:
        found = {attributes.AUDIT_OUTCOME: FAILURE, attributes.AUDIT_REASON: reason, **visitor(_named(key), client)}
        tell(sink, events.AUDIT_AUTHENTICATION, found)


def rate_limited(sink: AuditSink | None, scope: str, kind: str, key: str | None, client: str | None) -> None:
    """Put on record that a client was over its limit."""
    _told()
    if sink is not None:
        _denied(sink, "rate_limit", scope, kind, visitor(_named(key), client))


def over_budget(sink: AuditSink | None, scope: str) -> None:
    """Put on record that a budget is used up."""
    if sink is not None:
        _denied(sink, "budget", scope, "exceeded", {})


def action(telemetry: Accounts, said: tuple[str, str, str, str, str], receipt: Future[bool]) -> None:
    """Put on record what the application says: actor, action, resource, outcome, reason."""
    found = {attribute: text or None for attribute, text in zip(_SAID, said, strict=True)}
    if telemetry.audit_sink is None:
        receipt.set_result(False)
        telemetry.recorder.emit(events.AUDIT_ACTION, found)
    else:
        tell(telemetry.audit_sink, events.AUDIT_ACTION, found, receipt=receipt)


def _denied(
    sink: AuditSink,
    what: str,
    resource: str | None,
    reason: str,
    who: Mapping[Attribute, Any],
    context: Context | None = None,
) -> None:
    found = {
        attributes.AUDIT_ACTION: what,
        attributes.AUDIT_RESOURCE: resource,
        attributes.AUDIT_OUTCOME: DENIED,
        attributes.AUDIT_REASON: reason,
        **who,
    }
    tell(sink, events.AUDIT_DECISION, found, context)


def _named(key: str | None) -> str | None:
    return key_name(key) if key else None


def _told() -> None:
    """Note that the HTTP request here has been turned away, and that this was said."""
    inbound = _context.inbound_of(otel_context.get_current())
    if inbound is not None:
        inbound.told = True


def turned_away(telemetry: Accounts, inbound: Inbound, error_type: str) -> None:
    """Account for an HTTP request that the router answered with a refusal, unless the application has said so."""
    if inbound.told:
        return
    if error_type in _TURNED_AWAY:
        client, key = inbound.visitor()
        reason = _TURNED_AWAY[error_type] if key or error_type == "permission" else "missing"
        telemetry.auth_failure(reason, key=key, client=client)
    elif error_type == "rate_limit":
        client, key = inbound.visitor()
        telemetry.rate_limited("router", key=key, client=client)


def ended(request: Request, sink: AuditSink) -> None:
    """Put the key of an ended request on record, and what was decided about it."""
    caller = request.caller
    who = visitor(caller.key, context=request.outer)
    context = request.context
    if who[attributes.AUDIT_KEY_HASH] or caller.user:
        found = {
            attributes.REQUEST_USER: caller.user,
            attributes.TEAM_SPAN: caller.team,
            attributes.ORGANIZATION_SPAN: caller.organization,
            attributes.REQUEST_MODEL: request.model or None,
            attributes.AUDIT_OUTCOME: SUCCESS if request.outcome != attributes.ERROR else FAILURE,
            **who,
        }
        tell(sink, events.AUDIT_KEY_USE, found, context)
    if request.error_type in _DECISIONS:
        what = "budget" if request.error_type == "budget_exceeded" else "policy"
        _denied(sink, what, request.model or None, request.error_type, who, context)
