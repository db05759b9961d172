"""Label values that nobody sees any more make room for new ones, and nothing that was counted is lost."""

# White-box: the slots, and the clock that they are measured with.
# pyright: reportPrivateUsage=false

from __future__ import annotations

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
        self.telemetry = Telemetry(meter_provider=provider, label_limit=LIMIT, label_idle=self.idle)
        self.telemetry.recorder.bounds._clock = lambda: self.now
        self.waits = self.telemetry.histogram("app.wait", labels=["tenant", "model"], buckets=[1, 10])

    def passes(self, seconds: float) -> None:
        """Let time pass, for the handles that are remembered too."""
        self.now += seconds
        self.telemetry.recorder.forget_series()

    def series(self, name: str) -> dict[tuple[str, ...], float]:
        return {tuple(labels.values()): value for labels, value in _points(self.totals).get(name, [])}

    def take_changes(self) -> None:
        for name, points in _points(self.changes).items():
            for _, value in points:
                assert value >= 0 or name == routing.ATTEMPTS_IN_FLIGHT.name
                self.changed[name] = self.changed.get(name, 0) + value


def _points(reader: InMemoryMetricReader) -> dict[str, list[tuple[dict[str, Any], float]]]:
    data = reader.get_metrics_data()
    return {
        metric.name: [
            (dict(point.attributes or {}), point.value if hasattr(point, "value") else point.count)  # type: ignore[union-attr]
            for point in metric.data.data_points
        ]
        for resource in (data.resource_metrics if data is not None else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


SAVED = routing.COST_SAVED.name


def test_after_a_flood_has_passed_a_new_value_has_its_own_series_and_the_sum_is_what_it_was():
    router = Router()
    for number in range(50):
        router.telemetry.saved(1, model=f"junk-{number}")
    router.telemetry.saved(1, model="too-early")
    assert ("too-early", "routing") not in router.series(SAVED)

    router.passes(LONG)
    router.telemetry.saved(5, model="late")

    series = router.series(SAVED)
    assert series["late", "routing"] == 5
    assert sum(series.values()) == 56
    assert len(series) == LIMIT // 2 + 1


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
    assert set(router.series(SAVED)) == {("a", "routing"), ("d", "routing"), ("e", "routing"), ("other", "routing")}
    assert sum(router.series(SAVED).values()) == 26


def test_a_value_that_the_router_vouched_for_keeps_its_slot():
    router = Router()
    router.telemetry.deployment("eu-1", provider="openai", model="gpt-99")
    router.telemetry.saved(1, model="gpt-99")
    for number in range(30):
        router.passes(LONG)
        router.telemetry.saved(1, model=f"junk-{number}")
    assert router.series(SAVED)["gpt-99", "routing"] == 1
    assert sum(router.series(SAVED).values()) == 31


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
    data = router.totals.get_metrics_data()
    assert data is not None
    (start,) = (
        point.start_time_unix_nano
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == SAVED
        for point in metric.data.data_points
        if (point.attributes or {})["model"] == model
    )
    assert start is not None
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
        router.telemetry.saved(1, model=f"m-{number}")
        router.take_changes()
    assert router.series(routing.FALLBACKS.name) == {("other", "other", "error"): 2 * LIMIT + 1}
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
    assert router.series("app.wait") == {**kept, ("late", "m"): 1, ("other", "m"): 1}


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
        st.tuples(st.just("take_changes")),
        st.tuples(st.just("check_totals")),
    ),
    max_size=80,
)


class Run(Router):
    """A router, and what it must have counted."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.recorded: dict[str, float] = {}
        self.under_way: list[Callable[[], None]] = []
        self.vouched: list[str] = []

    def counted(self, name: str, value: float) -> None:
        self.recorded[name] = self.recorded.get(name, 0) + value

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
        self.counted(routing.ATTEMPTS_IN_FLIGHT.name, 1)

    def leave(self, which: int) -> None:
        if self.under_way:
            self.under_way.pop(which % len(self.under_way))()
            self.counted(routing.ATTEMPTS_IN_FLIGHT.name, -1)

    def vouch(self, model: str) -> None:
        self.telemetry.recorder.bounds.vouch(attributes.MODEL, model)
        self.vouched.append(model)

    def late(self, seconds: float) -> None:
        """Let time pass, though not for the handles that are remembered: what they count must not be lost either."""
        self.now += seconds

    def check_totals(self) -> None:
        for name, total in self.recorded.items():
            series = self.series(name)
            assert sum(series.values()) == total
            assert len(series) <= (LIMIT + 1) ** 2


@given(steps)
@settings(deadline=None, max_examples=200)
def test_every_sum_is_what_was_recorded_and_the_series_are_bounded(steps: list[tuple[Any, ...]]):
    run = Run()
    for action, *values in steps:
        getattr(run, action)(*values)
    run.check_totals()
    run.take_changes()
    assert {name: run.changed.get(name, 0) for name in run.recorded} == run.recorded
    # Slots are kept for what was vouched for, first come, first served, and to the end.
    bounds, first = run.telemetry.recorder.bounds, list(dict.fromkeys(run.vouched))[: LIMIT // 2]
    assert not first or list(bounds._pools["model"].kept.used) == first
    assert [bounds.value(attributes.MODEL, name) for name in first] == first
    assert all(len(slots.used) <= slots.size for pool in bounds._pools.values() for slots in (pool.open, pool.kept))


def test_threads_that_take_each_others_slots_lose_nothing():
    router = Router()

    def work(seed: int) -> None:
        for number in range(400):
            router.passes(LONG / 7)
            router.telemetry.saved(1, model=f"m-{(number * seed) % 23}")

    handed = [threading.Thread(target=work, args=(seed,)) for seed in (3, 5, 7, 11)]
    for thread in handed:
        thread.start()
    while any(thread.is_alive() for thread in handed):
        router.take_changes()
    router.take_changes()
    series = router.series(SAVED)
    assert sum(series.values()) == 1600 == router.changed[SAVED]


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
