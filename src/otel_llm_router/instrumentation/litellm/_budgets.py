"""The hook on the budgets of LiteLLM's Router: for providers and deployments.

Room: `instrumentation`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from otel_llm_router import telemetry
from otel_llm_router.instrumentation.litellm._decisions import Arguments, Keywords, Wrapped
from otel_llm_router.instrumentation.litellm._deployments import mapping
from otel_llm_router.telemetry.instrumenting import guard

_CONFIGS: Final = (("provider", "provider_configs"), ("deployment", "deployment_configs"))


class BudgetHooks:
    """The hook on budgets, by the name of `_targets`."""

    def budgets(self, wrapped: Wrapped, instance: Any, args: Arguments, kwargs: Keywords) -> Any:
        """``RouterBudgetLimiting._filter_out_deployments_above_budget``: knows every limit and what is spent."""
        result = wrapped(*args, **kwargs)
        with guard("litellm.budgets"):
            spent = mapping(kwargs.get("spend_map"))
            for kind, argument in _CONFIGS:
                for name, config in mapping(kwargs.get(argument)).items():
                    _state(kind, name, config, spent)
        return result


def _state(kind: str, name: str, config: Any, spent: Mapping[str, Any]) -> None:
    limit = getattr(config, "max_budget", None)
    if limit is not None:
        period = getattr(config, "budget_duration", None)
        telemetry.budget(f"{kind}:{name}", limit_usd=limit, spent_usd=spent.get(f"{kind}_spend:{name}:{period}", 0.0))
