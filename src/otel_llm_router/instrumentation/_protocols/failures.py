"""What kind of failure a provider reports, by status and by the code in its answer.

Room: `instrumentation`. Statuses and error bodies of all providers come in; a word of ``error.type`` goes
out. Messages are not read: they may hold what the prompt held.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from otel_llm_router.telemetry.instrumenting import of_status

_BY_CODE: Final[Mapping[str, str]] = {
    # OpenAI and those that speak its protocol
    "context_length_exceeded": "context_window",
    "string_above_max_length": "context_window",
    "content_filter": "content_policy",
    "content_policy_violation": "content_policy",
    "responsibleaipolicyviolation": "content_policy",
    "invalid_api_key": "authentication",
    "insufficient_quota": "rate_limit",
    "rate_limit_exceeded": "rate_limit",
    "model_not_found": "not_found",
    "deploymentnotfound": "not_found",
    "invalid_request_error": "bad_request",
    "server_error": "server_error",
    # Anthropic
    "authentication_error": "authentication",
    "permission_error": "permission",
    "not_found_error": "not_found",
    "request_too_large": "bad_request",
    "rate_limit_error": "rate_limit",
    "timeout_error": "timeout",
    "overloaded_error": "server_error",
    "api_error": "server_error",
    # Gemini
    "invalid_argument": "bad_request",
    "failed_precondition": "bad_request",
    "unauthenticated": "authentication",
    "permission_denied": "permission",
    "not_found": "not_found",
    "resource_exhausted": "rate_limit",
    "deadline_exceeded": "timeout",
    "unavailable": "server_error",
    "internal": "server_error",
}

_TELLING: Final = frozenset({"context_window", "content_policy"})
"""What a code says better than the status it comes with."""

_ERRORS: Final = range(400, 600)


def of_answer(status: int, fields: Mapping[str, Any] | None) -> str:
    """Return the error type of an answer with an error status, whose body may say more."""
    if fields is not None:
        said = of_body(fields)
        if said in _TELLING:
            return said
    return of_status(status) if status in _ERRORS else "server_error"


def of_body(fields: Mapping[str, Any]) -> str:
    """Return the error type of an error object, inside an answer or an event; ``server_error`` when it does not say."""
    error: Any = fields.get("error")
    details = cast("dict[str, Any]", error) if isinstance(error, dict) else fields
    inner: Any = details.get("innererror")
    codes = [details.get("code"), details.get("type"), details.get("status")]
    if isinstance(inner, dict):
        codes.insert(0, cast("dict[str, Any]", inner).get("code"))
    status: int | None = None
    for code in codes:
        if isinstance(code, str):
            found = _BY_CODE.get(code.lower())
            if found is not None:
                return found
            if code.isascii() and code.isdigit():
                status = int(code[:4])
        elif isinstance(code, int) and not isinstance(code, bool):
            status = code
    if status is not None and status in _ERRORS:
        return of_answer(status, None)
    return "server_error"
