"""What router code calls: events of a router in, records on declared signals out.

Room: `telemetry`. The module-level functions of `otel_llm_router.telemetry` are this class's
methods on one default object.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry._logs import LoggerProvider
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, TracerProvider

from otel_llm_router import _sanitize
from otel_llm_router.signals import attributes
from otel_llm_router.signals.content import LIMIT, OFF
from otel_llm_router.signals.content import Mode as ContentMode
from otel_llm_router.signals.instruments import requests, self_telemetry
from otel_llm_router.telemetry import (
    _context,
    _foreign,
    _genai,
    _guard,
    _log_events,
    _route,
)
from otel_llm_router.telemetry._attempt import Attempt
from otel_llm_router.telemetry._bounds import IDLE
from otel_llm_router.telemetry._caller import Caller
from otel_llm_router.telemetry._custom import Counter, Histogram
from otel_llm_router.telemetry._decision import Decision
from otel_llm_router.telemetry._holdings import Holdings
from otel_llm_router.telemetry._inbound import Inbound, Visitor
from otel_llm_router.telemetry._recorder import Recorder
from otel_llm_router.telemetry._request import Request

if TYPE_CHECKING:
    from otel_llm_router.telemetry._content import Policy

_logger = logging.getLogger("otel_llm_router")

F = TypeVar("F", bound=Callable[..., Any])


class Telemetry(Holdings):
    """The telemetry of one router.

    Nothing here raises into the caller, and with no OpenTelemetry SDK set up all of it does nothing.

    Args:
        meter_provider: Where metrics go; the global provider by default.
        tracer_provider: Where spans go; the global provider by default.
        logger_provider: Where log events go; the global provider by default.
        genai_metrics: See option ``genai_metrics``.
        foreign: See option ``foreign``.
        label_limit: See option ``label_limit``.
        label_idle: See option ``label_idle``.
        attribution: See option ``attribution``.
        content: Where prompts and completions are recorded, by the values of the standard variable.
        content_limit: See option ``content_limit``.
    """

    def __init__(
        self,
        *,
        meter_provider: MeterProvider | None = None,
        tracer_provider: TracerProvider | None = None,
        logger_provider: LoggerProvider | None = None,
        genai_metrics: _genai.Names = "old",
        foreign: _foreign.Rule = "defer",
        label_limit: int = 0,
        label_idle: float = IDLE,
        attribution: Iterable[str] = (),
        content: ContentMode = OFF,
        content_limit: int = LIMIT,
    ) -> None:
        self.genai_metrics: _genai.Names = genai_metrics
        self.foreign: _foreign.Rule = foreign
        self.attribution = frozenset(attribution)
        self.inferences: _log_events.Inferences = "failed"
        self.access: _log_events.Access | None = None
        self.content: Policy | None = None
        self.capture_content(content, limit=content_limit)
        super().__init__(
            Recorder(
                meter_provider=meter_provider,
                tracer_provider=tracer_provider,
                logger_provider=logger_provider,
                label_limit=label_limit,
                label_idle=label_idle,
            )
        )

    def use(self, recorder: Recorder) -> None:
        """Record on ``recorder`` from now on, with nothing remembered of before."""
        super().use(recorder)
        self._warned: set[str] = set()

    def capture_content(self, mode: ContentMode, *, limit: int = LIMIT) -> None:
        """Record prompts and completions of calls that begin from now on, or none of them.

        Args:
            mode: Where, by the values of ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT``.
            limit: See option ``content_limit``.
        """
        self.content = None
        if mode != OFF:
            from otel_llm_router.telemetry._content import Policy  # noqa: PLC0415  # for those who ask for it

            self.content = Policy(mode, limit)

    # --- requests -------------------------------------------------------------------------------

    def request(
        self,
        model: str = "",
        *,
        strategy: str = "",
        user: str | None = None,
        team: str | None = None,
        key: str | None = None,
        organization: str | None = None,
    ) -> Request:
        """Begin a routed request, as a context manager.

        Who asks goes on the span, and on the metrics that option ``attribution`` switches on.

        Args:
            model: Model (group) that the client asks for.
            strategy: Routing strategy.
            user: The caller.
            team: Team of the caller.
            key: Alias or identifier of the caller's key; what looks like a key itself is hashed.
            organization: Organization of the caller.
        """
        return Request(self, model=model, strategy=strategy, caller=Caller(team, user, key, organization))

    def request_below(self, model: str, *, foreign: bool, counted: bool) -> Request:
        """Begin a request for a call that a layer below has noticed outside any; see `_below`."""
        return Request(self, model=model, foreign=foreign, counted=counted)

    def inbound(self, model: Callable[[], str], visitor: Callable[[], Visitor]) -> Inbound:
        """Begin an HTTP request to the router, which may turn out to be a routed one; for instrumentations of servers.

        Args:
            model: Returns the model that the client asks for; empty when it cannot be said.
            visitor: Returns the address that it calls from, and a hash of the key that it sent.
        """
        return Inbound(self, model, visitor)

    def route(self, *, strategy: str = "", model: _route.ModelOf = None) -> Callable[[F], F]:
        """Decorate a function so that each call is a routed request.

        Sync and async functions and generator functions of both kinds stay what they are. A stream
        that the function returns is measured when it went through `Request.stream`.

        Args:
            strategy: Routing strategy.
            model: The requested model, or a function of the call's arguments that returns it. When
                left out, an argument called ``model`` or an argument's ``model`` attribute or key.
        """
        return lambda function: _route.decorate(self, function, strategy=strategy, model=model)

    def current(self) -> Request | None:
        """Return the request in flight here, if there is one."""
        return _context.current_request()

    def decision(self, candidates: Iterable[Any] = (), *, strategy: str | None = None) -> Decision:
        """Begin a routing decision of the request in flight, or of none, as a context manager."""
        request = _context.request_asked_for()
        if request is not None:
            return request.decision(candidates, strategy=strategy)
        return Decision(self, None, candidates, strategy=strategy or "")

    def attempt(self, provider: str, model: str, *, deployment: str | None = None, operation: str = "chat") -> Attempt:
        """Begin a call to a deployment, as a context manager.

        It belongs to the request in flight. Where there is none, the call is a request of its own.
        """
        request = _context.joined_request()
        if request is None:
            request = self.request(model)
            request.end_with_attempt()
        return request.attempt(provider, model, deployment=deployment, operation=operation)

    def http_request(
        self,
        method: str,
        *,
        route: str,
        status_code: int | None,
        seconds: float,
        request_id: str | None = None,
        client_address: str | None = None,
        span: Span | None = None,
    ) -> None:
        """Account for one HTTP request to the router.

        Args:
            method: HTTP method.
            route: Template of the matched route, never the raw path; empty when none matched.
            status_code: Status of the response; None when none was sent.
            seconds: Time to the last byte of the response.
            request_id: What the client or the router calls it; in the access log only, as the next two.
            client_address: Address of the client.
            span: The server's span; the current one when left out.
        """
        with _guard.guard("http_request"):
            known = attributes.METHOD.values
            labels = (
                method if method in known else attributes.OTHER,
                route,
                attributes.UNKNOWN if status_code is None else str(status_code),
            )
            self.recorder.record(requests.HTTP_REQUESTS, 1, *labels)
            self.recorder.record(requests.HTTP_REQUEST_DURATION, max(0, seconds), *labels)
            if self.access is not None:
                asked = (labels[0], route, status_code)
                self.access.record(
                    self.recorder, asked, max(0, seconds), request_id=request_id, client=client_address, span=span
                )

    # --- the application's own ------------------------------------------------------------------

    def counter(self, name: str, *, labels: Iterable[str] = (), unit: str = "", description: str = "") -> Counter:
        """Declare a counter of the application's own; `Counter.add` counts."""
        return Counter(self, name, labels=labels, unit=unit, description=description)

    def histogram(
        self,
        name: str,
        *,
        labels: Iterable[str] = (),
        buckets: Iterable[float] = (),
        unit: str = "",
        description: str = "",
    ) -> Histogram:
        """Declare a histogram of the application's own; `Histogram.record` records."""
        return Histogram(
            self,
            name,
            labels=labels,
            unit=unit,
            description=description,
            buckets=buckets,
        )

    # --- about ourselves ------------------------------------------------------------------------

    def warn_invalid_usage(self, provider: str, fields: Iterable[str]) -> None:
        """Say once for each provider and field that it reports token counts that cannot be counts."""
        for field in fields:
            key = f"{_sanitize.text(provider, 60)} {field}"
            if key not in self._warned and len(self._warned) < 1000:  # noqa: PLR2004  # bounded memory
                self._warned.add(key)
                _logger.warning(
                    "otel-llm-router: provider %s reports a value for %s that cannot be a token count; it is left "
                    "out and counted in llm_router.usage.missing (said once)",
                    _sanitize.text(provider, 60),
                    field,
                )

    def guard_caught(self, hook: str) -> None:
        """Count an error of ours that the guard caught."""
        self.recorder.record(self_telemetry.GUARD_ERRORS, 1, hook)
