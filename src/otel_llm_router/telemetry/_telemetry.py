"""What router code calls: events of a router in, records on declared signals out.

Room: `telemetry`. The module-level functions of `otel_llm_router.telemetry` are this class's
methods on one default object.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from opentelemetry._logs import LoggerProvider
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import Span, TracerProvider

from otel_llm_router import _sanitize
from otel_llm_router.signals import attributes, events
from otel_llm_router.signals.instruments import requests, resources, routing, self_telemetry
from otel_llm_router.telemetry import _context, _errors, _foreign, _genai, _guard, _log_events, _observed, _route
from otel_llm_router.telemetry._attempt import Attempt
from otel_llm_router.telemetry._bounds import IDLE
from otel_llm_router.telemetry._cache import Cache
from otel_llm_router.telemetry._caller import Caller
from otel_llm_router.telemetry._connection import Connection
from otel_llm_router.telemetry._custom import Counter, Histogram
from otel_llm_router.telemetry._decision import Decision
from otel_llm_router.telemetry._deployments import Deployments
from otel_llm_router.telemetry._gauges import Gauges
from otel_llm_router.telemetry._inbound import Inbound
from otel_llm_router.telemetry._models import ModelLoad, Models
from otel_llm_router.telemetry._queue import Queue
from otel_llm_router.telemetry._recorder import Recorder
from otel_llm_router.telemetry._request import Request

_logger = logging.getLogger("otel_llm_router")

F = TypeVar("F", bound=Callable[..., Any])


class Telemetry:
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
    ) -> None:
        self.genai_metrics: _genai.Names = genai_metrics
        self.foreign: _foreign.Rule = foreign
        self.attribution = frozenset(attribution)
        self.inferences: _log_events.Inferences = "failed"
        self.access: _log_events.Access | None = None
        self.use(
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
        self.recorder = recorder
        self.gauges = Gauges(recorder)
        self.models = Models(self)
        self.deployments = Deployments(recorder)
        self._warned: set[str] = set()
        self._over_budget: set[str] = set()

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

    def inbound(self, model: Callable[[], str]) -> Inbound:
        """Begin an HTTP request to the router, which may turn out to be a routed one; for instrumentations of servers.

        Args:
            model: Returns the model that the client asks for; empty when it cannot be said.
        """
        return Inbound(self, model)

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

    # --- what a router holds --------------------------------------------------------------------

    def cache(self, name: str) -> Cache:
        """Return one cache: look-ups as a context manager, or `Cache.hit`, `Cache.miss`, `Cache.set_size`."""
        return Cache(self, name)

    def queue(self, name: str) -> Queue:
        """Return one queue: `Queue.wait` around waiting, or `Queue.set_size` and `Queue.processed`."""
        return Queue(self, name)

    def connection(self, kind: str = "http", protocol: str = "http/1.1") -> Connection:
        """Return one connection: a context manager, or `Connection.open` and `Connection.close`."""
        return Connection(self, kind, protocol)

    def model_load(self, name: str, *, format: str = attributes.UNKNOWN) -> ModelLoad:  # noqa: A002  # the label's name
        """Measure the loading of a model, as a context manager; set its ``size_bytes`` inside."""
        return ModelLoad(self.models, name, format)

    def model_loaded(
        self,
        name: str,
        *,
        format: str = attributes.UNKNOWN,  # noqa: A002  # the label's name
        size_bytes: float | None = None,
        seconds: float | None = None,
    ) -> None:
        """Account for a model that has been loaded."""
        with _guard.guard("model_loaded"):
            self.models.loaded(name, format=format, size_bytes=size_bytes, seconds=_sanitize.finite(seconds))

    def model_unloaded(self, name: str) -> None:
        """Account for a model that has been unloaded; its series end."""
        with _guard.guard("model_unloaded"):
            self.models.unloaded(name)

    # --- what is asked at collection ------------------------------------------------------------

    def observe_queue(
        self, name: str, *, depth: Callable[[], float | None] | None = None, capacity: float | None = None
    ) -> None:
        """Ask ``depth`` how many requests wait whenever metrics are collected."""
        with _guard.guard("observe_queue"):
            self.gauges.ask(resources.QUEUE_SIZE, depth, name)
            self.gauges.set(resources.QUEUE_CAPACITY, capacity, name)

    def observe_cache(
        self,
        name: str,
        *,
        bytes: Callable[[], float | None] | None = None,  # noqa: A002  # what it answers
        entries: Callable[[], float | None] | None = None,
        evictions: Callable[[], float | None] | None = None,
        cache: Any = None,
    ) -> None:
        """Ask a cache about itself whenever metrics are collected.

        Args:
            name: Which cache: label ``cache_type``.
            bytes: Answers how many bytes it holds.
            entries: Answers how many entries it holds.
            evictions: Answers how many entries it has ever thrown out, counted from its first answer on.
            cache: The cache itself, for its entries: anything with a length, or with a ``cache_info()``.
        """
        with _guard.guard("observe_cache"):
            if entries is None and cache is not None:
                entries = _observed.entries_of(cache)
            if evictions is not None:
                entries = _observed.asking(_observed.growth(evictions, self.cache(name).evicted), entries)
            self.gauges.ask(resources.CACHE_SIZE, bytes, name)
            self.gauges.ask(resources.CACHE_ENTRIES, entries, name)

    def observe_redis(self, client: Any, *, cache_type: str = "redis") -> None:
        """Ask the Redis server of a client about itself whenever metrics are collected.

        Memory, keys, hits, misses, evictions, and whether it answers. It is asked over a connection of its own, and
        a collection does not wait for a server that is gone.

        Args:
            client: Of redis-py, synchronous or asynchronous; it is not kept, and not used.
            cache_type: Which cache: label ``cache_type``.
        """
        with _guard.guard("observe_redis"):
            from otel_llm_router.telemetry import _redis  # noqa: PLC0415  # for routers that have one

            _redis.observe(self.gauges, client, cache_type)

    def observe_connections(
        self,
        provider: str,
        *,
        open: Callable[[], float | None] | None = None,  # noqa: A002  # the state's name
        idle: Callable[[], float | None] | None = None,
        waiting: Callable[[], float | None] | None = None,
    ) -> None:
        """Ask about a connection pool to a provider whenever metrics are collected."""
        with _guard.guard("observe_connections"):
            for state, question in (("open", open), ("idle", idle), ("waiting", waiting)):
                self.gauges.ask(resources.UPSTREAM_CONNECTIONS, question, provider, state)

    # --- money and limits -----------------------------------------------------------------------

    def budget(self, scope: str, *, limit_usd: float | None = None, spent_usd: float | None = None) -> None:
        """State a budget. Reaching it is a log event, once until it is below again."""
        with _guard.guard("budget"):
            scope, limit, spent = _sanitize.text(scope), _sanitize.finite(limit_usd), _sanitize.finite(spent_usd)
            self.gauges.set(routing.BUDGET_LIMIT, limit, scope)
            self.gauges.set(routing.BUDGET_USED, spent, scope)
            if limit is None or spent is None:
                return
            if spent < limit:
                self._over_budget.discard(scope)
            elif scope not in self._over_budget and len(self._over_budget) < 1000:  # noqa: PLR2004  # bounded memory
                self._over_budget.add(scope)
                self.recorder.emit(events.BUDGET_EXCEEDED, {attributes.SCOPE: scope})

    def saved(self, usd: float | None, *, by: str = "routing", model: str | None = None) -> None:
        """Account for money that a cache hit (``by="cache"``) or a routing decision did not spend."""
        with _guard.guard("saved"):
            value = _sanitize.amount(usd)
            if value:
                self.recorder.record(routing.COST_SAVED, value, model or attributes.UNKNOWN, by)

    def rate_limit(
        self, provider: str, model: str, *, requests_left: float | None = None, tokens_left: float | None = None
    ) -> None:
        """State what a provider says is left of its rate limit."""
        with _guard.guard("rate_limit"):
            self.gauges.set(routing.RATE_LIMIT_REMAINING, requests_left, provider, model, "requests")
            self.gauges.set(routing.RATE_LIMIT_REMAINING, tokens_left, provider, model, "tokens")

    def rate_limited(self, scope: str, *, kind: str = "requests") -> None:
        """Account for a client that the router turned away because it was over its limit."""
        with _guard.guard("rate_limited"):
            self.recorder.record(requests.RATE_LIMIT_TRIGGERS, 1, scope, kind)

    def auth_failure(self, reason: str = "invalid") -> None:
        """Account for a client that the router turned away for its credentials."""
        with _guard.guard("auth_failure"):
            self.recorder.record(requests.AUTH_FAILURES, 1, reason)

    # --- deployments and errors -----------------------------------------------------------------

    def deployment(self, deployment: str, *, provider: str, model: str, group: str | None = None) -> None:
        """State that the router's configuration has this deployment, so that its names keep their labels."""
        with _guard.guard("deployment"):
            for name in (model, group):
                if name:
                    self.recorder.bounds.vouch(attributes.MODEL, name)
            self.deployments.know(deployment, provider, model)

    def cooldown(
        self,
        deployment: str,
        *,
        provider: str | None = None,
        model: str | None = None,
        seconds: float | None = None,
        error: BaseException | None = None,
    ) -> None:
        """Account for a deployment taken out of rotation for ``seconds``.

        Provider and model need not be said of one that `deployment` introduced.
        """
        with _guard.guard("cooldown"):
            self.deployments.cooldown(deployment, provider, model, seconds=seconds, error=error)

    def error(self, error: BaseException | str, *, component: str = "application", severity: str = "error") -> None:
        """Account for an error that is no failed request or attempt, by class and never by message."""
        with _guard.guard("error"):
            kind = _errors.classify(error) if isinstance(error, BaseException) else error
            self.recorder.record(requests.ERRORS, 1, kind, component, severity)
            self.recorder.emit(
                events.ERROR_EVENT,
                {attributes.ERROR_KIND: kind, attributes.COMPONENT: component, attributes.SEVERITY: severity},
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
