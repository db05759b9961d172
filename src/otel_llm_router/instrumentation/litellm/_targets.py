"""Where the hooks go in the LiteLLM that is installed.

Room: `instrumentation`. LiteLLM moves its Router's internals between releases, and a patch of a
place that was left behind installs without an error and never fires. So each hook has several
places, newest first, and the first that exists is taken; what exists nowhere is reported.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Place:
    """One attribute of one class in one module, or of the module itself where ``owner`` is empty."""

    module: str
    owner: str
    name: str

    def resolve(self) -> Any:
        """Return the class that has the attribute, or None.

        Raises nothing: a module that does not exist, or fails to import, has no place in it.
        """
        try:
            module = importlib.import_module(self.module)
            owner = getattr(module, self.owner, None) if self.owner else module
        except Exception:  # noqa: BLE001  # somebody else's module
            return None
        # A class attribute in a base is deliberately not enough: 1.109 keeps the old names of moved
        # methods as descriptors on a base class that its own code never calls.
        return owner if owner is not None and self.name in vars(owner) else None


@dataclass(frozen=True, slots=True)
class Target:
    """One hook: its name in reports, its places newest first, and whether we are blind without it."""

    hook: str
    places: tuple[Place, ...]
    required: bool = True


_CORE: Final = ("litellm.router_python_core", "PythonCore")  # 1.109 and newer
_ROUTER: Final = ("litellm.router", "Router")
_CACHING: Final = ("litellm.caching.caching_handler", "LLMCachingHandler")
_STREAM: Final = ("litellm.litellm_core_utils.streaming_handler", "CustomStreamWrapper")
_LOGGING: Final = ("litellm.litellm_core_utils.litellm_logging", "Logging")
_SCHEDULER: Final = ("litellm.scheduler", "Scheduler")
_BUDGETS: Final = ("litellm.router_strategy.budget_limiter", "RouterBudgetLimiting")
_PROXY: Final = ("litellm.proxy.utils", "ProxyLogging")
_COOLDOWN: Final = ("litellm.router_utils.cooldown_cache", "CooldownCache")


def _router(hook: str, *names: str, required: bool = True) -> Target:
    places = [Place(*_CORE, name) for name in names] + [Place(*_ROUTER, name) for name in names]
    return Target(hook, tuple(places), required)


REQUEST: Final = _router("request", "async_function_with_fallbacks")
SYNC_REQUEST: Final = _router("sync_request", "function_with_fallbacks", required=False)
CALL: Final = _router("call", "make_call")
PICK: Final = _router("decision", "_core_async_get_available_deployment", "async_get_available_deployment")
SYNC_PICK: Final = _router("sync_decision", "get_available_deployment", required=False)
CANDIDATES: Final = _router(
    "candidates", "_core_async_get_healthy_deployments", "async_get_healthy_deployments", required=False
)
CUSTOM_STRATEGY: Final = _router(
    "custom_strategy", "_core_set_custom_routing_strategy", "set_custom_routing_strategy", required=False
)
CACHE: Final = Target("cache", tuple(Place(*_CACHING, name) for name in ("async_get_cache", "_async_get_cache")))
SYNC_CACHE: Final = Target(
    "sync_cache", tuple(Place(*_CACHING, name) for name in ("sync_get_cache", "_sync_get_cache")), required=False
)
STREAM: Final = Target("stream", (Place(*_STREAM, "__init__"),))
UPSTREAM: Final = Target("upstream", (Place(*_LOGGING, "pre_call"),))
COST: Final = Target("cost", (Place(*_LOGGING, "async_success_handler"),))
SYNC_COST: Final = Target("sync_cost", (Place(*_LOGGING, "success_handler"),), required=False)
COOLDOWN: Final = Target("cooldown", (Place(*_COOLDOWN, "add_deployment_to_cooldown"),))
SCHEDULED: Final = _router("scheduled", "schedule_acompletion", required=False)
SCHEDULED_OTHER: Final = _router("scheduled_other", "_schedule_factory", required=False)
QUEUED: Final = Target("queued", (Place(*_SCHEDULER, "add_request"),), required=False)
POLLED: Final = Target("polled", (Place(*_SCHEDULER, "poll"),), required=False)
UNQUEUED: Final = Target("unqueued", (Place(*_SCHEDULER, "remove_request"),), required=False)
SLOTS: Final = _router("slots", "_get_client", required=False)
BUDGETS: Final = Target("budgets", (Place(*_BUDGETS, "_filter_out_deployments_above_budget"),), required=False)
CALLER: Final = Target("caller", (Place(*_PROXY, "pre_call_hook"),))
FAILURE: Final = Target("failure", (Place(*_PROXY, "post_call_failure_hook"),))
HEALTH_CHECK: Final = Target("health_check", (Place("litellm", "", "ahealth_check"),), required=False)

ALL: Final = (
    REQUEST,
    SYNC_REQUEST,
    CALL,
    PICK,
    SYNC_PICK,
    CANDIDATES,
    CUSTOM_STRATEGY,
    CACHE,
    SYNC_CACHE,
    STREAM,
    UPSTREAM,
    COST,
    SYNC_COST,
    COOLDOWN,
    SCHEDULED,
    SCHEDULED_OTHER,
    QUEUED,
    POLLED,
    UNQUEUED,
    SLOTS,
    BUDGETS,
)
"""On the Router and what it uses."""

PROXY: Final = (CALLER, FAILURE, HEALTH_CHECK)
"""On the proxy; only where it is imported."""


@dataclass(slots=True)
class Found:
    """What probing found.

    Args:
        owners: Class and attribute name of each hook that has a place.
        missing: Names of required hooks that have none.
    """

    owners: dict[str, tuple[Any, str]] = field(default_factory=dict[str, tuple[Any, str]])
    missing: list[str] = field(default_factory=list[str])


def probe(targets: Iterable[Target] | None = None) -> Found:
    """Look hooks up in the LiteLLM that is installed: those on the Router unless told which."""
    found = Found()
    for target in ALL if targets is None else targets:
        for place in target.places:
            owner = place.resolve()
            if owner is not None:
                found.owners[target.hook] = (owner, place.name)
                break
        else:
            if target.required:
                found.missing.append(target.hook)
    return found
