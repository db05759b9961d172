"""Why LiteLLM's proxy turned a request away before its Router had it.

Room: `instrumentation`. The exception that the proxy reports comes in; the word for it goes out. Of messages, only
whose limit it was is read, as one of a closed set of words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from otel_llm_router.telemetry.instrumenting import classify, of_status

_MODEL_ROUTES: Final = (
    "/completions",
    "/embeddings",
    "/responses",
    "/messages",
    "/moderations",
    "/rerank",
    "/generations",
    "/edits",
    "/speech",
    "/transcriptions",
    ":generateContent",
    ":streamGenerateContent",
)
"""How the routes end that models answer on."""

_LIMITS: Final[Mapping[str, str]] = {
    "requests": "requests",
    "tokens": "tokens",
    "concurrent_requests": "parallel_requests",
    "max_parallel_requests": "parallel_requests",
}
_SCOPES: Final = re.compile(
    r"exceeded for (api_key|team_member|team|user|end_user|organization|tag|agent|model_per_\w{1,20}):"
)
_MAX_READ: Final = 200
_OWN: Final = "litellm_rate_limit"
_FORBIDDEN: Final = 403


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why a request was turned away.

    Args:
        error_type: Class of the failure.
        auth_reason: Why authentication failed, if it did.
        scope: Whose rate limit it was over, if it was.
        limit: What of it is limited.
    """

    error_type: str
    auth_reason: str = ""
    scope: str = ""
    limit: str = "requests"


def answered_by_model(route: Any) -> bool:
    """Whether a route of the proxy's is one that models answer on, and no health check or administration."""
    return isinstance(route, str) and route.endswith(_MODEL_ROUTES)


def read(error: BaseException, *, authenticating: bool, key: Any) -> Rejection:
    """Say why.

    Args:
        error: What the proxy reports.
        authenticating: Whether authentication reports it.
        key: The key that came with the request, hashed or not; only whether there is one matters.
    """
    kind = getattr(error, "type", None)
    kind = str(getattr(kind, "value", kind) or "")
    word = classify(error)
    if word == "internal":
        word = of_status(_code(error))
    if kind == "budget_exceeded" or getattr(error, "rate_limit_type", None) == "budget":
        word = "budget_exceeded"
    if authenticating and word in {"internal", "bad_request", "not_found"}:
        word = "authentication"
    if kind.endswith("_model_access_denied") or (authenticating and _code(error) == _FORBIDDEN):
        word = "permission"
    if word == "rate_limit":
        return Rejection(word, scope=_scope(error), limit=limit_of(error))
    if authenticating and word in {"authentication", "permission"}:
        return Rejection(word, auth_reason=_auth_reason(kind, word, key))
    return Rejection(word)


def own_limit(error: BaseException) -> bool:
    """Whether LiteLLM itself limits, and not the provider that it calls."""
    return getattr(error, "category", None) == _OWN


def limit_of(error: BaseException) -> str:
    """Return what is limited."""
    said = getattr(error, "rate_limit_type", None)
    headers = getattr(error, "headers", None)
    if not isinstance(said, str) and isinstance(headers, Mapping):
        said = cast("Mapping[str, Any]", headers).get("rate_limit_type")
    return _LIMITS.get(str(said), "requests")


def _scope(error: BaseException) -> str:
    detail = getattr(error, "detail", None)
    found = _SCOPES.search(detail[:_MAX_READ]) if isinstance(detail, str) else None
    return found.group(1) if found is not None else "proxy"


def _auth_reason(kind: str, word: str, key: Any) -> str:
    if kind == "expired_key":
        return "expired"
    if word == "permission":
        return "forbidden"
    return "invalid" if key else "missing"


def _code(error: BaseException) -> int | None:
    code = getattr(error, "code", None) or getattr(error, "status_code", None)
    text = str(code)
    return int(text) if text.isascii() and text.isdigit() and len(text) == 3 else None  # noqa: PLR2004  # an HTTP status
