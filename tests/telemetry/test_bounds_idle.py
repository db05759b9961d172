"""Label values that nobody sees any more make room for new ones; their series end, and nothing is counted twice."""

# White-box: the slots, and the clock that they are measured with.
# pyright: reportPrivateUsage=false

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics import Counter, Histogram, UpDownCounter
from opentelemetry.sdk.metrics import MeterProvider as SdkMeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.resources import Resource

from otel_llm_router.aggregation import MeterProvider, Pipeline
from otel_llm_router.signals import Attribute, attributes
from otel_llm_router.signals.instruments import routing
from otel_llm_router.telemetry import Telemetry, _bounds
from otel_llm_router.telemetry._bounds import LabelBounds
from otel_llm_router.telemetry._recorder import SCOPE

LIMIT = 6
IDLE = 1000.0
LONG = IDLE + _bounds.REMEMBERED + _bounds.NOTED + 1

DELTA = dict.fromkeys((Counter, Histogram, UpDownCounter), AggregationTemporality.DELTA)


@dataclass
class Router:
    """A router whose time passes when it is told to, a door that wants totals and one that wants changes."""

    idle: float = IDLE
    now: float = 0.0
    changed: dict[str, float] = field(default_factory=dict[str, float])

    def __post_init__(self) -> None:
        self.totals, self.changes = InMemoryMetricReader(), InMemoryMetricReader(preferred_temporality=DELTA)
        provider = MeterProvider(
            SCOPE,
            Pipeline(),
            resource=Resource.get_empty(),
            metric_readers=[self.totals, self.changes],
            shutdown_on_exit=False,
        )
        self.store = provider.aggregation
        self.telemetry = Telemetry(meter_provider=provider, label_limit=LIMIT, label_idle=self.idle)
        self.telemetry.recorder.bounds._clock = lambda: self.now
        self.waits = self.telemetry.histogram("app.wait", labels=["tenant", "model"], buckets=[1, 10])

    def passes(self, seconds: float) -> None:
        """Let time pass, for the handles that are remembered too."""
        self.now += seconds
        self.telemetry.recorder.forget_series()

    def series(self, name: str) -> dict[tuple[str, ...], float]:
        return {labels: value for labels, _, value in _points(self.totals).get(name, [])}

    def take_changes(self) -> None:
        for name, points in _points(self.changes).items():
            for _, _, value in points:
                assert value >= 0 or name == IN_FLIGHT
                self.changed[name] = self.changed.get(name, 0) + value


def _points(reader: InMemoryMetricReader) -> dict[str, list[tuple[tuple[Any, ...], int, float]]]:
    """Return labels, start and value or count of each series, by the name of the instrument."""
    data = reader.get_metrics_data()
    return {
        metric.name: [
            (
                tuple((point.attributes or {}).values()),
                point.start_time_unix_nano or 0,
                point.value if hasattr(point, "value") else point.count,  # type: ignore[union-attr]
            )
            for point in metric.data.data_points
        ]
        for resource in (data.resource_metrics if data is not None else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


SAVED = routing.COST_SAVED.name
IN_FLIGHT = routing.ATTEMPTS_IN_FLIGHT.name


def test_after_a_flood_has_passed_a_new_value_has_its_own_series_and_other_does_not_jump():
    router = Router()
    for number in range(50):
        router.telemetry.saved(1, model=f"junk-{number}")
    router.telemetry.saved(1, model="too-early")
    assert ("too-early", "routing") not in router.series(SAVED)

    router.passes(LONG)
    router.telemetry.saved(5, model="late")

    kept = {(f"junk-{number}", "routing"): 1 for number in range(1, LIMIT // 2)}
    overflown = 50 - LIMIT // 2 + 1
    assert router.series(SAVED) == {**kept, ("late", "routing"): 5, ("other", "routing"): overflown}


def test_without_need_nothing_goes():
    router = Router()
    router.telemetry.saved(1, model="a")
    router.passes(LONG * 100)
    router.telemetry.saved(1, model="b")
    assert router.series(SAVED) == {("a", "routing"): 1, ("b", "routing"): 1}


def test_the_value_unseen_for_longest_goes_first_and_one_in_use_never():
    router = Router()
    for name in ("a", "b", "c"):
        router.telemetry.saved(1, model=name)
        router.passes(1)
    for _ in range(20):
        router.passes(LONG / 10)
        router.telemetry.saved(1, model="a")
    router.telemetry.saved(1, model="d")
    assert set(router.series(SAVED)) == {("a", "routing"), ("c", "routing"), ("d", "routing"), ("other", "routing")}
    router.telemetry.saved(1, model="e")
    router.telemetry.saved(1, model="f")
    assert router.series(SAVED) == {
        ("a", "routing"): 21,
        ("d", "routing"): 1,
        ("e", "routing"): 1,
        ("other", "routing"): 1,
    }


def test_a_value_that_the_router_vouched_for_keeps_its_slot():
    router = Router()
    router.telemetry.deployment("eu-1", provider="openai", model="gpt-99")
    router.telemetry.saved(1, model="gpt-99")
    for number in range(30):
        router.passes(LONG)
        router.telemetry.saved(1, model=f"junk-{number}")
    kept = {(f"junk-{number}", "routing"): 1 for number in range(30 - LIMIT // 2, 30)}
    assert router.series(SAVED) == {("gpt-99", "routing"): 1, **kept, ("other", "routing"): 0}


def test_a_value_that_comes_back_begins_again_from_nothing():
    router = Router()
    for name in ("a", "b", "c"):
        router.telemetry.saved(10, model=name)
    router.take_changes()
    first = _start(router, "a")
    router.passes(LONG)
    router.telemetry.saved(1, model="d")
    router.telemetry.saved(1, model="a")
    assert router.series(SAVED)["a", "routing"] == 1
    assert _start(router, "a") > first
    router.take_changes()
    assert router.changed[SAVED] == 32


def _start(router: Router, model: str) -> int:
    (start,) = (start for labels, start, _ in _points(router.totals)[SAVED] if model in labels)
    return start


def test_what_is_under_way_ends_where_it_went():
    router = Router()
    name = routing.ATTEMPTS_IN_FLIGHT.name
    leave = router.telemetry.recorder.enter(routing.ATTEMPTS_IN_FLIGHT, "openai", "slow")
    for number in range(LIMIT):
        router.passes(LONG)
        router.telemetry.saved(1, model=f"m-{number}")
    assert router.series(name) == {("openai", "other"): 1}
    again = router.telemetry.recorder.enter(routing.ATTEMPTS_IN_FLIGHT, "openai", "slow")
    leave()
    assert router.series(name) == {("openai", "other"): 0, ("openai", "slow"): 1}
    again()
    assert set(router.series(name).values()) == {0}


def test_both_labels_of_a_series_can_go_one_after_the_other_and_an_old_handle_still_counts():
    router = Router()
    handle = router.telemetry.recorder._bind(routing.FALLBACKS, ("from", "to", "error"), 0)[0]
    handle(1)
    router.take_changes()
    for number in range(2 * LIMIT):
        router.passes(LONG)
        handle(1)
        router.take_changes()
        router.telemetry.saved(1, model=f"m-{number}")
    with_from, with_to = 3, 1  # what ended with either: the first three slots are those of the two, and of m-0
    counted = 2 * LIMIT + 1 - with_from - with_to
    assert router.series(routing.FALLBACKS.name) == {("other", "other", "error"): counted}
    assert router.changed[routing.FALLBACKS.name] == 2 * LIMIT + 1


@pytest.mark.parametrize("ours", [False, True], ids=["sdk", "never"])
def test_slots_are_for_good_with_the_sdk_and_when_told_so(ours: bool):
    router = Router(idle=0 if ours else IDLE)
    if not ours:
        reader = InMemoryMetricReader()
        provider = SdkMeterProvider(metric_readers=[reader], shutdown_on_exit=False)
        router.totals = reader
        router.telemetry = Telemetry(meter_provider=provider, label_limit=LIMIT, label_idle=IDLE)
        router.telemetry.recorder.bounds._clock = lambda: router.now
    for number in range(10):
        router.telemetry.saved(1, model=f"m-{number}")
        router.passes(LONG)
    assert set(router.series(SAVED)) == {(name, "routing") for name in ("m-0", "m-1", "m-2", "other")}


def test_labels_of_a_custom_instrument_make_room_too():
    router = Router()
    for number in range(LIMIT):
        router.waits.record(1, tenant=f"tenant-{number}", model="m")
    router.passes(LONG)
    router.waits.record(1, tenant="late", model="m")
    kept = {(f"tenant-{number}", "m"): 1 for number in range(1, LIMIT)}
    assert router.series("app.wait") == {**kept, ("late", "m"): 1, ("other", "m"): 0}


# --- whatever happens, in whatever order ----------------------------------------------------------

names = st.integers(0, 9).map("n-{}".format)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("saved"), names, st.integers(1, 5)),
        st.tuples(st.just("fallback"), names, names),
        st.tuples(st.just("wait"), names, names),
        st.tuples(st.just("enter"), names),
        st.tuples(st.just("leave"), st.integers(0, 5)),
        st.tuples(st.just("vouch"), names),
        st.tuples(st.sampled_from(["passes", "late"]), st.sampled_from([1, IDLE / 2, LONG])),
    ),
    max_size=80,
)


Found = dict[str, dict[tuple[tuple[Any, ...], int], float]]
"""Values, or counts, of each instrument by labels and start."""


class Run(Router):
    """A router, what it must have counted, and what ended with its series."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.recorded = dict.fromkeys((SAVED, IN_FLIGHT, routing.FALLBACKS.name, "app.wait"), 0.0)
        self.dropped = dict.fromkeys(self.recorded, 0.0)
        self.ended = set[tuple[str, tuple[tuple[Any, ...], int]]]()
        self.under_way: list[Callable[[], None]] = []
        self.vouched: list[str] = []
        self.stale = False
        self.was, self.was_recorded = self.found(), self.recorded.copy()

    def found(self) -> Found:
        points = _points(self.totals)
        return {
            name: {(labels, start): value for labels, start, value in points.get(name, [])} for name in self.recorded
        }

    def check(self) -> None:
        """See that every instrument shows what was recorded since the last look and nothing else."""
        now = self.found()
        assert len(now[SAVED]) <= LIMIT + 1
        for name, series in now.items():
            was = self.was[name]
            assert len(series) <= (LIMIT + 1) ** 2
            assert not self.ended & {(name, key) for key in series}
            self.ended.update((name, key) for key in was.keys() - series.keys())
            if name == IN_FLIGHT:
                assert sum(series.values()) == self.recorded[name]
                continue
            self.dropped[name] += sum(was[key] for key in was.keys() - series.keys())
            assert all(series[key] >= was[key] for key in was.keys() & series.keys())
            grown = sum(value - was.get(key, 0) for key, value in series.items())
            assert grown == self.recorded[name] - self.was_recorded[name]
            assert sum(series.values()) + self.dropped[name] == self.recorded[name]
        self.was, self.was_recorded = now, self.recorded.copy()

    def counted(self, name: str, value: float) -> None:
        self.recorded[name] += value
        if self.stale:
            self.take_changes()  # what is that late does not make a value seen

    def saved(self, model: str, usd: int) -> None:
        self.telemetry.saved(usd, model=model)
        self.counted(SAVED, usd)

    def fallback(self, failed: str, tried: str) -> None:
        self.telemetry.recorder.record(routing.FALLBACKS, 1, failed, tried, "error")
        self.counted(routing.FALLBACKS.name, 1)

    def wait(self, tenant: str, model: str) -> None:
        self.waits.record(2, tenant=tenant, model=model)
        self.counted("app.wait", 1)

    def enter(self, model: str) -> None:
        self.under_way.append(self.telemetry.recorder.enter(routing.ATTEMPTS_IN_FLIGHT, "openai", model))
        self.counted(IN_FLIGHT, 1)

    def leave(self, which: int) -> None:
        if self.under_way:
            self.under_way.pop(which % len(self.under_way))()
            self.counted(IN_FLIGHT, -1)

    def vouch(self, model: str) -> None:
        self.telemetry.recorder.bounds.vouch(attributes.MODEL, model)
        self.vouched.append(model)

    def passes(self, seconds: float) -> None:
        self.take_changes()  # at least once per idle time
        self.stale = False
        super().passes(seconds)

    def late(self, seconds: float) -> None:
        """Let time pass, though not for the handles that are remembered: what they count must not be lost either."""
        self.take_changes()
        self.stale = True
        self.now += seconds


@given(steps)
@settings(deadline=None, max_examples=200)
def test_what_ends_is_gone_and_everything_else_is_counted_once(steps: list[tuple[Any, ...]]):
    run = Run()
    for action, *values in steps:
        getattr(run, action)(*values)
        run.check()
    run.take_changes()
    assert {name: run.changed.get(name, 0) for name in run.recorded} == run.recorded
    while run.under_way:
        run.leave(0)
    assert not any(run.found()[IN_FLIGHT].values())
    # Slots are kept for what was vouched for, first come, first served, and to the end.
    bounds, first = run.telemetry.recorder.bounds, list(dict.fromkeys(run.vouched))[: LIMIT // 2]
    assert not first or list(bounds._pools["model"].kept.used) == first
    assert [bounds.value(attributes.MODEL, name) for name in first] == first
    assert all(len(slots.used) <= slots.size for pool in bounds._pools.values() for slots in (pool.open, pool.kept))


def test_threads_that_take_each_others_slots_lose_nothing():
    router = Router()
    ended = list[float]()
    untyped: Any = router.store
    router.telemetry.saved(1, model="m-0")
    family = untyped._families[SAVED]
    end = family._end

    def ending(labels: Any, into: Any) -> None:
        ended.append(family._series[labels].cell.value)
        end(labels, into)

    family._end = ending

    def work(seed: int) -> None:
        for number in range(400):
            router.passes(LONG / 7)
            leave = router.telemetry.recorder.enter(routing.ATTEMPTS_IN_FLIGHT, "openai", f"m-{number % 7}")
            router.telemetry.saved(1, model=f"m-{(number * seed) % 23}")
            leave()

    handed = [threading.Thread(target=work, args=(seed,)) for seed in (3, 5, 7, 11)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in handed:
            thread.start()
        while any(thread.is_alive() for thread in handed):
            router.take_changes()
            assert sum(router.series(IN_FLIGHT).values()) in range(5)
    finally:
        sys.setswitchinterval(interval)
    router.take_changes()
    assert sum(router.series(SAVED).values()) + sum(ended) == 1601
    assert 1601 - sum(ended) <= router.changed[SAVED] <= 1601
    assert sum(ended) > 0
    assert not any(router.series(IN_FLIGHT).values())
    assert router.changed[IN_FLIGHT] == 0


def test_a_value_that_another_thread_vouches_for_takes_one_slot():
    attribute, overflowed = Attribute(key="chosen", description="", bound=4, client_chosen=True), list[str]()
    bounds = LabelBounds(on_overflow=overflowed.append)

    class FasterThread:
        def __init__(self) -> None:
            self.came = False

        def __enter__(self) -> None:
            if not self.came:
                self.came = True
                bounds.vouch(attribute, "a")

        def __exit__(self, *exc: object) -> None: ...

    untyped: Any = bounds
    untyped._lock = FasterThread()
    assert bounds.value(attribute, "a") == "a"
    pool = bounds._pools["chosen"]
    assert (list(pool.kept.used), list(pool.open.used)) == (["a"], [])


def test_what_is_noted_often_is_written_rarely():
    now, overflowed = [0.0], list[str]()
    bounds = LabelBounds(on_overflow=overflowed.append, clock=lambda: now[0])
    attribute = Attribute(key="open", description="", bound=4)
    bounds.value(attribute, "a")
    now[0] = _bounds.NOTED - 1
    bounds.value(attribute, "a")
    assert bounds._pools["open"].open.used == {"a": 0}
    now[0] = _bounds.NOTED
    bounds.value(attribute, "a")
    assert bounds._pools["open"].open.used == {"a": _bounds.NOTED}
