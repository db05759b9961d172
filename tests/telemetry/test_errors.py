"""Exceptions of any library, sorted into the closed vocabulary of ``error.type``."""

# White-box: the tables of the vocabulary.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import asyncio
import builtins
from types import SimpleNamespace
from typing import Any

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.signals.attributes import ERROR_TYPES
from otel_llm_router.telemetry import _errors


def _class(name: str, *bases: type[BaseException], **attributes: Any) -> type[BaseException]:
    return type(name, bases or (Exception,), attributes)


STATUS_ERROR = _class("APIStatusError", _class("APIError"))

# Class hierarchies as openai, anthropic, litellm, httpx and aiohttp have them.
CASES: list[tuple[type[BaseException], str]] = [
    (asyncio.CancelledError, "cancelled"),
    (GeneratorExit, "client_disconnect"),
    (_class("ClientDisconnect"), "client_disconnect"),
    (_class("RateLimitError", STATUS_ERROR, status_code=429), "rate_limit"),
    (_class("AuthenticationError", STATUS_ERROR, status_code=401), "authentication"),
    (_class("PermissionDeniedError", STATUS_ERROR, status_code=403), "permission"),
    (_class("NotFoundError", STATUS_ERROR, status_code=404), "not_found"),
    (_class("BadRequestError", STATUS_ERROR, status_code=400), "bad_request"),
    (_class("UnprocessableEntityError", STATUS_ERROR, status_code=422), "bad_request"),
    (_class("ConflictError", STATUS_ERROR, status_code=409), "bad_request"),
    (_class("InternalServerError", STATUS_ERROR, status_code=500), "server_error"),
    (_class("OverloadedError", STATUS_ERROR, status_code=529), "server_error"),
    (_class("ServiceUnavailableError", STATUS_ERROR, status_code=503), "server_error"),
    (_class("APITimeoutError", _class("APIConnectionError", _class("APIError"))), "timeout"),
    (_class("APIConnectionError", _class("APIError")), "connection"),
    (_class("ContextWindowExceededError", _class("BadRequestError", STATUS_ERROR), status_code=400), "context_window"),
    (_class("ContentPolicyViolationError", _class("BadRequestError", STATUS_ERROR)), "content_policy"),
    (_class("Timeout", _class("APITimeoutError"), status_code=408), "timeout"),
    (_class("RouterRateLimitError", ValueError), "no_deployment"),
    (_class("BudgetExceededError"), "budget_exceeded"),
    (_class("ConnectTimeout", _class("TimeoutException", _class("TransportError"))), "timeout"),
    (_class("ReadError", _class("NetworkError", _class("TransportError"))), "connection"),
    (_class("ServerDisconnectedError", _class("ClientConnectionError", OSError)), "connection"),
    (_class("ClientPayloadError"), "stream_interrupted"),
    (_class("JSONDecodeError", ValueError), "invalid_response"),
    (builtins.TimeoutError, "timeout"),
    (asyncio.TimeoutError, "timeout"),
    (ConnectionResetError, "connection"),
    (BrokenPipeError, "connection"),
    (_class("HTTPStatusError", response=SimpleNamespace(status_code=429)), "rate_limit"),
    (_class("APIStatusError", ConnectionError, status_code=429), "rate_limit"),
    (_class("Anything", status_code=418), "bad_request"),
    (_class("Anything", status_code="503"), "server_error"),
    (_class("Anything", status_code=302), "internal"),
    (_class("Anything", status_code=10**400), "internal"),
    (_class("Anything", response=SimpleNamespace(status_code=None)), "internal"),
    (ValueError, "internal"),
    (KeyboardInterrupt, "internal"),
]


@pytest.mark.parametrize(("kind", "expected"), CASES, ids=[f"{kind.__name__}-{expected}" for kind, expected in CASES])
def test_each_exception_has_its_word(kind: type[BaseException], expected: str):
    assert _errors.classify(kind()) == expected
    assert expected in ERROR_TYPES


def test_every_word_that_a_class_has_is_declared():
    assert set(_errors._BY_CLASS_NAME.values()) | set(_errors._BY_STATUS.values()) <= set(ERROR_TYPES)
    assert set(ERROR_TYPES) >= _errors._ABORTS


def test_a_wrapped_exception_is_what_it_wraps():
    inner = _class("RateLimitError")()
    outer = _class("Wrapper", original_exception=inner)()
    assert _errors.classify(_class("Wrapper", original_exception=outer)()) == "rate_limit"
    assert _errors.classify(_class("Wrapper", original_exception="no exception", status_code=503)()) == "server_error"


def test_an_exception_that_wraps_itself_is_survived():
    looped: Any = _class("Looped", status_code=503)()
    looped.original_exception = looped
    assert _errors.classify(looped) == "server_error"


@pytest.mark.parametrize(
    ("status_code", "expected"), [(429, 429), ("429", 429), (None, None), (99, None), ("x", None), (True, None)]
)
def test_the_status_code_is_checked(status_code: object, expected: int | None):
    assert _errors.status_code(_class("Anything", status_code=status_code)()) == expected


@pytest.mark.parametrize("error_type", ERROR_TYPES)
def test_only_cancellations_are_aborts(error_type: str):
    assert _errors.is_abort(error_type) == (error_type in {"cancelled", "client_disconnect", "stream_abandoned"})


def test_an_application_reports_errors_of_its_own(captured: testing.Captured):
    router.error(_class("RateLimitError")(), component="tokenizer", severity="warning")
    router.error("disk_full", component="cache", severity="critical")
    router.error("disk_full")

    points = {tuple(point.labels.values()): point.value for point in captured.points("llm_router.errors")}
    assert points == {
        ("rate_limit", "tokenizer", "warning"): 1,
        ("disk_full", "cache", "critical"): 1,
        ("disk_full", "application", "error"): 1,
    }
    events = captured.events("llm_router.error")
    assert [dict(event.attributes) for event in events][1] == {
        "type": "disk_full",
        "component": "cache",
        "severity": "critical",
    }


def test_an_unknown_severity_is_other(captured: testing.Captured):
    router.error("x", severity="catastrophic")
    assert captured.value("llm_router.errors", severity="other") == 1


def test_no_library_is_imported_to_recognise_its_exceptions():
    assert not {"openai", "litellm", "httpx", "aiohttp"} & set(vars(_errors))


class Group(Exception):  # noqa: N818  # as Python 3.11 and the backport have them
    def __init__(self, *exceptions: Exception) -> None:
        super().__init__("several")
        self.exceptions = exceptions


def test_a_group_of_one_error_is_that_error():
    assert _errors.classify(Group(TimeoutError())) == "timeout"
    assert _errors.classify(Group(Group(ConnectionError()))) == "connection"
    assert _errors.classify(Group(TimeoutError(), ConnectionError())) == "internal"
