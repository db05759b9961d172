"""The hooks on LiteLLM's proxy: who asks, whom it turns away, its health checks.

Room: `instrumentation`. Each hook is called by LiteLLM in place of a function of its own, calls that function, and
tells `telemetry` what happened. Put in place when the proxy is imported; a Router alone has no proxy.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from otel_llm_router import telemetry
from otel_llm_router.instrumentation.litellm import _callers, _rejections
from otel_llm_router.instrumentation.litellm._callers import Visit, current_visit
from otel_llm_router.instrumentation.litellm._decisions import Arguments, Keywords, Wrapped
from otel_llm_router.signals.attributes import SUCCESS
from otel_llm_router.telemetry.instrumenting import attached, guard

_REPORT: Final = ("request_data", "original_exception", "user_api_key_dict", "error_type", "route")
_TOLD: Final = "_otel_llm_router_told"


class ProxyHooks:
    """All hooks on the proxy, by the names of `_targets`."""

    async def caller(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``ProxyLogging.pre_call_hook``: a request has been authenticated, and may yet be turned away."""
        with guard("litellm.proxy.caller"):
            auth = kwargs.get("user_api_key_dict", args[0] if args else None)
            visit = Visit(auth, _callers.caller_of(auth))
            current_visit.set(visit)
            _callers.state_budgets(auth, visit.caller)
        return await wrapped(*args, **kwargs)

    async def failure(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``ProxyLogging.post_call_failure_hook``: a client gets an error, whoever's fault it is."""
        with guard("litellm.proxy.failure"):
            _failed({**dict(zip(_REPORT, args, strict=False)), **kwargs})
        return await wrapped(*args, **kwargs)

    async def health_check(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``litellm.ahealth_check``: calls a deployment to see whether it is there; no client asked."""
        request: telemetry.Request | None = None
        with guard("litellm.proxy.health"):
            request = telemetry.default.request_below("health check", foreign=True, counted=False)
        if request is None:
            return await wrapped(*args, **kwargs)
        try:
            with attached(request.context):
                return await wrapped(*args, **kwargs)
        finally:
            request.end()


def _failed(report: Mapping[str, Any]) -> None:
    error, auth = report.get("original_exception"), report.get("user_api_key_dict")
    if not isinstance(error, BaseException) or getattr(error, _TOLD, False):
        return
    error.__dict__[_TOLD] = True  # some errors are reported where they happen and where they end
    visit = current_visit.get()
    visit = visit if visit is not None and visit.auth is auth else None  # a connection's context may be an older one's
    if visit is not None and visit.request is not None:
        if visit.request.ended and visit.request.outcome == SUCCESS and not visit.request.streaming:
            telemetry.error(error, component="proxy")  # the Router had answered
        return
    kind = str(getattr(report.get("error_type"), "value", report.get("error_type") or ""))
    authenticating = kind == "auth_error"
    rejection = _rejections.read(error, authenticating=authenticating, key=getattr(auth, "api_key", None))
    if rejection.auth_reason:
        telemetry.auth_failure(rejection.auth_reason)
    if rejection.scope:
        telemetry.rate_limited(rejection.scope, kind=rejection.limit)
    if _rejections.answered_by_model(report.get("route") or getattr(auth, "request_route", None)):
        caller = _callers.caller_of(auth, authenticated=not authenticating)
        _turned_away(error, rejection, report.get("request_data"), caller)


def _turned_away(error: BaseException, rejection: _rejections.Rejection, data: Any, caller: telemetry.Caller) -> None:
    """Count a request that the Router never had: it failed at the router, with no attempt."""
    request = telemetry.current()
    if request is None:
        model = data.get("model") if isinstance(data, Mapping) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        request = telemetry.request(model if isinstance(model, str) else "")
    request.attribute(caller)
    request.fail(error, rejection.error_type)
