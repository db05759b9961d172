"""Whether the hooks really fire, and saying so when they do not.

Room: `instrumentation`. The hooks report what they see; a hook that must have fired by what the
others saw, and did not, is degraded: once in the log, as a log event, and as a metric.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any, Final

from otel_llm_router.instrumentation.litellm._calls import Level
from otel_llm_router.signals import attributes, events
from otel_llm_router.signals.instruments import self_telemetry
from otel_llm_router.telemetry.instrumenting import recorder

_logger = logging.getLogger("otel_llm_router")

NAME: Final = "llm_router_litellm"

PATIENCE: Final = 5
"""Evidence against a hook before it is called degraded: one could be a call of an unusual kind."""

_COUNTED: Final = "_otel_llm_router_unseen"

_CONSEQUENCES: Final = {
    "request": "requests are not counted",
    "call": "attempts, retries and fallbacks are not counted",
    "decision": "routing decisions are not counted",
    "cache": "cache hits are not counted",
    "upstream": "attempts are measured from the decision on",
    "stream": "streamed attempts end at their first byte",
    "cost": "the cost of streams is not known",
    "cooldown": "cool-downs are not seen",
    "caller": "teams, users and keys are not known",
    "failure": "requests that the proxy turns away are not counted",
}


class Watch:
    """Evidence for and against each hook."""

    def __init__(self) -> None:
        self._fired: dict[str, int] = {}
        self._against: dict[str, int] = {}
        self._installed: set[str] = set()
        self._degraded: set[str] = set()
        self._version = "unknown"

    def installed(self, hooks: Iterable[str], missing: Iterable[str], version: str) -> None:
        """State which hooks have a place in this LiteLLM, and which required ones have none."""
        self._version = version
        self._installed.update(hooks)
        recorder().observe(self_telemetry.INSTRUMENTATION_DEGRADED, NAME, self._read)
        for hook in missing:
            self._degrade(hook, "has no place in this release")

    def fired(self, hook: str) -> None:
        """A hook was called."""
        self._fired[hook] = self._fired.get(hook, 0) + 1
        if hook == "call" and self._fired["call"] > PATIENCE and not self._fired.get("decision"):
            self.missed("decision")  # within every call the Router chooses

    def untried(self, level: Level) -> None:
        """Something was seen in ``level`` that only happens in a try: evidence, once, if no try was seen."""
        if not level.calls and not level.suspected:
            level.suspected = True
            self.missed("call")

    def unseen(self, logging: Any) -> None:
        """A provider call of a Router's was seen, with LiteLLM's ``logging`` object, in no request and no try.

        Evidence only while neither hook has ever fired: a Router makes some calls, and calls are made in
        some threads, where we see neither. When one of the two fires, what it sees tells of the other.
        """
        marks: dict[str, Any] = getattr(logging, "__dict__", {})
        if self._fired.get("request") or self._fired.get("call") or _COUNTED in marks:
            return
        marks[_COUNTED] = True  # it is looked up in the cache, and then it is made
        self.missed("request")
        self.missed("call")

    def unpaid(self) -> None:
        """A stream ended well, and LiteLLM's logging of it went by without a hook on the cost."""
        if not self._fired.get("cost"):
            self.missed("cost")

    def streamed(self) -> None:
        """The Router answered a completion with a stream."""
        if not self._fired.get("stream"):
            self.missed("stream")

    def missed(self, hook: str) -> None:
        """There is evidence that ``hook`` did not fire when it should have."""
        count = self._against[hook] = self._against.get(hook, 0) + 1
        if count == PATIENCE:
            self._degrade(hook, "is installed but does not fire")

    def _degrade(self, hook: str, how: str) -> None:
        if hook in self._degraded:
            return
        self._degraded.add(hook)
        _logger.warning(
            "otel-llm-router: LiteLLM instrumentation degraded: hook %r %s (litellm %s); %s. "
            "Metric llm_router.instrumentation.degraded says which.",
            hook,
            how,
            self._version,
            _CONSEQUENCES.get(hook, "its signals are missing"),
        )
        recorder().emit(events.INSTRUMENTATION_DEGRADED, {attributes.INSTRUMENTATION: NAME, attributes.HOOK: hook})

    def _read(self) -> list[tuple[float, tuple[str, str]]]:
        return [
            (1.0 if hook in self._degraded else 0.0, (NAME, hook)) for hook in sorted(self._installed | self._degraded)
        ]
