"""Exceptions, sorted into the closed vocabulary of ``error.type``.

Room: `telemetry`. An exception of any library comes in, one word of
`otel_llm_router.signals.attributes.ERROR_TYPES` goes out. Classes are recognised by name, so that
no library is imported for it; messages are never read, because they may hold prompts and keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast

from otel_llm_router import _sanitize

_BY_CLASS_NAME: Final[Mapping[str, str]] = {
    "CancelledError": "cancelled",
    "GeneratorExit": "client_disconnect",
    "ClientDisconnect": "client_disconnect",
    "RouterRateLimitError": "no_deployment",
    "RouterRateLimitErrorBasic": "no_deployment",
    "NoDeploymentAvailable": "no_deployment",
    "BudgetExceededError": "budget_exceeded",
    "ContextWindowExceededError": "context_window",
    "ContentPolicyViolationError": "content_policy",
    "ContentFilterFinishReasonError": "content_policy",
    "RejectedRequestError": "content_policy",
    "GuardrailRaisedException": "content_policy",
    "RateLimitError": "rate_limit",
    "AuthenticationError": "authentication",
    "PermissionDeniedError": "permission",
    "NotFoundError": "not_found",
    "Timeout": "timeout",
    "APITimeoutError": "timeout",
    "TimeoutError": "timeout",
    "TimeoutException": "timeout",
    "ServerTimeoutError": "timeout",
    "APIResponseValidationError": "invalid_response",
    "JSONSchemaValidationError": "invalid_response",
    "JSONDecodeError": "invalid_response",
    "APIConnectionError": "connection",
    "ConnectionError": "connection",
    "TransportError": "connection",
    "ClientConnectionError": "connection",
    "ClientPayloadError": "stream_interrupted",
    "ChunkedEncodingError": "stream_interrupted",
    "IncompleteRead": "stream_interrupted",
    "DecodingError": "invalid_response",
    "ContentDecodingError": "invalid_response",
    "ServiceUnavailableError": "server_error",
    "InternalServerError": "server_error",
    "BadGatewayError": "server_error",
    "UnprocessableEntityError": "bad_request",
    "BadRequestError": "bad_request",
}

_BY_STATUS: Final[Mapping[int, str]] = {
    401: "authentication",
    403: "permission",
    404: "not_found",
    408: "timeout",
    429: "rate_limit",
    504: "timeout",
}

_CLIENT_ERRORS: Final = range(400, 500)
_SERVER_ERRORS: Final = range(500, 600)

_MAX_WRAPPED: Final = 8
"""How deep an exception may be wrapped; an exception may also wrap itself."""

_ABORTS: Final = frozenset({"cancelled", "client_disconnect", "stream_abandoned"})


def classify(error: BaseException) -> str:
    """Return the error type of ``error``; ``internal`` when nothing is known about it."""
    for _ in range(_MAX_WRAPPED):
        original = _attribute(error, "original_exception")
        group = _attribute(error, "exceptions")
        if isinstance(group, tuple) and len(cast("tuple[object, ...]", group)) == 1:  # one task of a group failed
            original = cast("tuple[object, ...]", group)[0]
        if not isinstance(original, BaseException):
            break
        error = original
    # The most derived class is the most telling one, but says less than a status code when it is generic.
    for cls in type(error).__mro__:
        known = _BY_CLASS_NAME.get(cls.__name__)
        if known is not None:
            return known
        if cls.__name__ in {"APIStatusError", "APIError", "HTTPStatusError"}:
            break
    return of_status(status_code(error))


def of_status(status: int | None) -> str:
    """Return the error type of an HTTP status; ``internal`` of one that is no error."""
    if status is None:
        return "internal"
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status in _CLIENT_ERRORS:
        return "bad_request"
    return "server_error" if status in _SERVER_ERRORS else "internal"


def is_abort(error_type: str) -> bool:
    """Whether the consumer gave up, as opposed to something having failed."""
    return error_type in _ABORTS


def status_code(error: BaseException) -> int | None:
    """Return the HTTP status that a provider's error carries, if it carries one."""
    status = _sanitize.status_code(_attribute(error, "status_code"))
    if status is None:
        status = _sanitize.status_code(_attribute(_attribute(error, "response"), "status_code"))
    return status


def _attribute(holder: object, name: str) -> object:
    try:
        return getattr(holder, name, None)
    except Exception:  # noqa: BLE001  # somebody else's property
        return None
