"""Who calls LiteLLM's proxy: its ``UserAPIKeyAuth``, as a caller and as budgets.

Room: `instrumentation`. What authentication found comes in; names and amounts go out, never a key.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Final

from otel_llm_router import telemetry
from otel_llm_router.telemetry.instrumenting import key_hash

_BUDGETS: Final = (
    ("team", "team_max_budget", "team_spend"),
    ("user", "user_max_budget", "user_spend"),
    ("key", "max_budget", "spend"),
)
"""Whose budget, the field of its limit, and the field of what is spent."""


@dataclass(slots=True, eq=False)
class Visit:
    """One authenticated request to the proxy.

    Args:
        auth: What authentication found; the proxy hands the same object to each of its hooks.
        caller: Who it is.
        request: The Router's request, once there is one.
    """

    auth: Any
    caller: telemetry.Caller
    request: telemetry.Request | None = None


current_visit: ContextVar[Visit | None] = ContextVar("otel_llm_router_litellm_visit", default=None)


def caller_of(auth: Any, *, authenticated: bool = True) -> telemetry.Caller:
    """Return who it is that authentication found; a key that it refused is nobody's."""
    key = _text(auth, "key_alias")
    if key is None and authenticated:
        secret = _text(auth, "token") or _text(auth, "api_key")
        key = key_hash(secret) if secret is not None else None
    return telemetry.Caller(
        team=_text(auth, "team_alias") or _text(auth, "team_id"),
        user=_text(auth, "user_id") or _text(auth, "end_user_id"),
        key=key,
        organization=_text(auth, "organization_alias") or _text(auth, "org_id"),
    )


def state_budgets(auth: Any, caller: telemetry.Caller) -> None:
    """State the budgets of whoever is attributed to by configuration; who has no limit has no budget."""
    for who, limit, spent in _BUDGETS:
        name = getattr(caller, who)
        maximum = getattr(auth, limit, None)
        if who in telemetry.default.attribution and name and maximum is not None:
            telemetry.budget(f"{who}:{name}", limit_usd=maximum, spent_usd=getattr(auth, spent, None) or 0.0)


def _text(auth: Any, field: str) -> str | None:
    value = getattr(auth, field, None)
    return value if isinstance(value, str) and value else None
