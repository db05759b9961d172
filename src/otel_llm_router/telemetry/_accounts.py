"""What a router states and accounts for outside any request: money, limits, refusals, deployments, errors.

Room: `telemetry`. These are methods of `Telemetry`.
"""

from __future__ import annotations

from concurrent.futures import Future

from otel_llm_router import _sanitize
from otel_llm_router.signals import attributes, events
from otel_llm_router.signals.instruments import requests, routing
from otel_llm_router.telemetry import _audit, _errors, _guard
from otel_llm_router.telemetry._deployments import Deployments
from otel_llm_router.telemetry._gauges import Gauges
from otel_llm_router.telemetry._recorder import Recorder


class Accounts:
    """Money, limits, refusals, deployments and errors, on one recorder.

    Args:
        recorder: What records them.
    """

    def __init__(self, recorder: Recorder) -> None:
        self.audit_sink: _audit.AuditSink | None = None
        """Takes what belongs on record; None where there is no audit trail."""
        self.use(recorder)

    def use(self, recorder: Recorder) -> None:
        """Record on ``recorder`` from now on, with nothing remembered of before."""
        self.recorder = recorder
        self.gauges = Gauges(recorder)
        self.deployments = Deployments(recorder)
        self._over_budget: set[str] = set()

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
                _audit.over_budget(self.audit_sink, scope)

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

    def rate_limited(
        self, scope: str, *, kind: str = "requests", key: str | None = None, client: str | None = None
    ) -> None:
        """Account for a client that the router turned away because it was over its limit.

        Args:
            scope: What the limit is for.
            kind: What is limited.
            key: Alias of the client's key, or a hash of it; only a hash of this goes on record.
            client: Address of the client; both are the HTTP request's where they are left out.
        """
        with _guard.guard("rate_limited"):
            self.recorder.record(requests.RATE_LIMIT_TRIGGERS, 1, scope, kind)
            _audit.rate_limited(self.audit_sink, scope, kind, key, client)

    def auth_failure(self, reason: str = "invalid", *, key: str | None = None, client: str | None = None) -> None:
        """Account for a client that the router turned away for its credentials; see `rate_limited` for the rest."""
        with _guard.guard("auth_failure"):
            self.recorder.record(requests.AUTH_FAILURES, 1, reason)
            _audit.authentication_failed(self.audit_sink, reason, key, client)

    def audit(
        self, action: str, *, actor: str = "", resource: str = "", outcome: str = "success", reason: str = ""
    ) -> Future[bool]:
        """Put an action on record: in the audit file where there is one, else as a log event.

        Args:
            action: What was done or tried, as in ``key.rotate``.
            actor: Who did it.
            resource: What it was done to.
            outcome: ``success``, ``failure``, ``denied``, or another word.
            reason: Why.

        Returns:
            What says whether the record is on disk, once that is known: ``audit(...).result(timeout=1)``, or
            ``await asyncio.wrap_future(audit(...))``. False where there is no audit file, and of one that was lost.
        """
        receipt: Future[bool] = Future()
        with _guard.guard("audit"):
            _audit.action(self, (actor, action, resource, outcome, reason), receipt)
            return receipt
        receipt.set_result(False)
        return receipt

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
