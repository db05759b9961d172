"""What stands out among what clients do: many failures, bursts, keys that are used as never before.

Room: `logs`. Events come in as they happen; suspicions go out. Each process looks at what it has seen itself since it
began, and remembers a bounded number of clients and keys.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, TypeVar

from otel_llm_router.logs.audit._event import Event
from otel_llm_router.signals import Attribute
from otel_llm_router.signals import attributes as a

AUTHENTICATION_FAILURES: Final = 10
"""Failed authentications of one client within `WINDOW` that stand out."""
RATE_LIMITS: Final = 30
"""Rate limits that one client runs into within `WINDOW` that stand out."""
WINDOW: Final = 60.0
"""Seconds."""
FAMILIAR_USES: Final = 100
"""Uses after which a key is known by the models that it asks for."""
FAMILIAR_DAYS: Final = 7
"""Days of use after which a key is known by the hours of the day (UTC) that it is used in."""
REMEMBERED: Final = 1000
"""Clients, and keys, that are remembered; those that were seen last."""
_MODELS: Final = 100
_DAY: Final = 86_400
_HOUR: Final = 3600

T = TypeVar("T")
_Failures = partial(deque[float], maxlen=AUTHENTICATION_FAILURES)
_Limits = partial(deque[float], maxlen=RATE_LIMITS)


@dataclass
class _Habits:
    uses: int = 0
    models: set[str] = field(default_factory=set[str])
    hours: set[int] = field(default_factory=set[int])
    days: set[int] = field(default_factory=set[int])


class Patterns:
    """What is remembered of clients and keys."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()
        self._limits: OrderedDict[str, deque[float]] = OrderedDict()
        self._habits: OrderedDict[str, _Habits] = OrderedDict()

    def take(self, event: Event) -> Iterator[dict[Attribute, Any]]:
        """Look at one event; give the attributes of each suspicion, ``AUDIT_PATTERN`` among them."""
        found, kind = event.attributes, event.kind
        who = {one: found[one] for one in (a.AUDIT_CLIENT, a.AUDIT_KEY_HASH) if found.get(one)}
        name = str(found.get(a.AUDIT_CLIENT) or found.get(a.AUDIT_KEY_HASH) or "")
        at = event.at / 1e9
        if kind == "authentication" and found.get(a.AUDIT_OUTCOME) == "failure":
            if _burst(_recall(self._failures, name, _Failures), at):
                yield {a.AUDIT_PATTERN: "authentication_failures", **who, a.AUDIT_COUNT: AUTHENTICATION_FAILURES}
        elif kind == "decision" and found.get(a.AUDIT_ACTION) == "rate_limit":
            if _burst(_recall(self._limits, name, _Limits), at):
                yield {a.AUDIT_PATTERN: "rate_limits", **who, a.AUDIT_COUNT: RATE_LIMITS}
        elif kind == "key_use" and found.get(a.AUDIT_KEY_HASH):
            habits = _recall(self._habits, str(found[a.AUDIT_KEY_HASH]), _Habits)
            model = str(found.get(a.REQUEST_MODEL) or "")
            for pattern in _unlike(habits, model, int(at)):
                yield {a.AUDIT_PATTERN: pattern, a.REQUEST_MODEL: model or None, **who}


def _recall(memory: OrderedDict[str, T], name: str, make: Callable[[], T]) -> T:
    if name not in memory:
        memory[name] = make()
        if len(memory) > REMEMBERED:
            memory.popitem(last=False)
    memory.move_to_end(name)
    return memory[name]


def _burst(times: deque[float], at: float) -> bool:
    """Whether there are as many within the window as stand out; each counts for one burst."""
    times.append(at)
    if len(times) == times.maxlen and at - times[0] <= WINDOW:
        times.clear()
        return True
    return False


def _unlike(habits: _Habits, model: str, at: int) -> Iterator[str]:
    habits.uses += 1
    if model and model not in habits.models and len(habits.models) < _MODELS:
        habits.models.add(model)
        if habits.uses > FAMILIAR_USES:
            yield "new_model"
    day, hour = at // _DAY, at % _DAY // _HOUR
    if hour not in habits.hours:
        habits.hours.add(hour)
        if len(habits.days) >= FAMILIAR_DAYS:
            yield "new_hour"
    if len(habits.days) < FAMILIAR_DAYS:
        habits.days.add(day)
