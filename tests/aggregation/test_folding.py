"""Series that become part of another one: sums stay, handles go along, and whoever reads changes sees each once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics.export import AggregationTemporality, HistogramDataPoint

from otel_llm_router.aggregation import Aggregation, Description, HistogramPoint, SumPoint, _store
from otel_llm_router.aggregation._data import View
from otel_llm_router.aggregation._store import IDLE

HITS = Description(name="hits", shape="counter")
BUSY = Description(name="busy", shape="up_down_counter")
WAIT = Description(name="wait", shape="histogram", bounds=(2.0, 4.0))
FAMILIES = (HITS, BUSY, WAIT)
LIMIT = 5
LONG = IDLE + _store.HELD + 1


class Clock:
    """Time that passes when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def few_series() -> Iterator[None]:
    """An instrument has few label sets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_store, "MAX_SERIES", LIMIT)
        yield


def series(store: Aggregation, description: Description) -> dict[str, float]:
    """Return the value, or the count, of each series by its labels."""
    return {
        ",".join(f"{key}={value}" for key, value in labels): point.count
        if isinstance(point, HistogramPoint)
        else point.value
        for labels, point in store.snapshot().get(description, {}).items()
    }


def test_histograms_become_one_with_extremes_and_the_latest_exemplars() -> None:
    store = Aggregation()
    wait = store.family(WAIT)
    old, into = wait.bind({"m": "a"}), wait.bind({"m": "other"})
    for value, context in ((1, 0xA), (9, 0xB)):
        token = _store.measured_in.set((context, context))
        old.add(value)
        _store.measured_in.reset(token)
    into.add(3)
    store.fold("wait", "m", "a", "other")
    old.add(5)
    (point,) = store.snapshot()[WAIT].values()
    assert isinstance(point, HistogramPoint)
    assert (point.count, point.sum, point.buckets) == (4, 18, (1, 1, 2))
    assert (point.minimum, point.maximum) == (1, 9)
    assert [one.trace_id for one in point.exemplars] == [0xA, 0xB]


def test_a_series_that_goes_where_none_was_keeps_its_beginning() -> None:
    store = Aggregation()
    store.family(HITS).bind({"a": "1", "b": "2"}).add(3)
    (before,) = store.snapshot()[HITS].values()
    store.fold("hits", "b", "2", "other")
    assert store.snapshot()[HITS] == {(("a", "1"), ("b", "other")): before}


def test_other_values_other_labels_and_other_instruments_stay() -> None:
    store = Aggregation()
    for labels in ({"a": "x", "b": "y"}, {"a": "y", "b": "x"}, {"b": "y", "a": "other"}):
        store.family(HITS).bind(labels).add(1)
    store.family(BUSY).bind({"a": "x"}).add(1)
    store.fold("hits", "a", "x", "other")
    store.fold("unknown", "a", "x", "other")
    assert series(store, HITS) == {"a=y,b=x": 1, "b=y,a=other": 2}
    assert series(store, BUSY) == {"a=x": 1}


def test_label_sets_that_nobody_uses_make_room() -> None:
    clock = Clock()
    store = Aggregation(clock=clock)
    hits = store.family(HITS)
    for number in range(LIMIT + 3):
        hits.bind({"k": f"junk-{number}"}).add(1)
    clock.now += LONG
    hits.bind({"k": "junk-1"}).add(1)
    hits.bind({"k": "late"}).add(1)
    assert series(store, HITS) == {"k=junk-1": 2, "k=late": 1, "otel.metric.overflow=true": 7}


def test_what_is_used_and_what_is_under_way_stays() -> None:
    clock = Clock()
    store = Aggregation(clock=clock)
    busy = store.family(BUSY)
    for number in range(LIMIT):
        busy.bind({"k": str(number)}).add(1)
    busy.bind({"k": "3"}).add(-1)
    clock.now += LONG
    busy.bind({"k": "late"}).add(1)
    assert series(store, BUSY) == {"k=0": 1, "k=1": 1, "k=2": 1, "k=4": 1, "k=late": 1, "otel.metric.overflow=true": 0}
    busy.bind({"k": "later"}).add(1)
    assert series(store, BUSY)["otel.metric.overflow=true"] == 1


def test_label_sets_are_for_good_when_told_so() -> None:
    clock = Clock()
    store = Aggregation(idle=0, clock=clock)
    for number in range(LIMIT + 3):
        clock.now += LONG
        store.family(HITS).bind({"k": str(number)}).add(1)
    assert set(series(store, HITS)) == {*(f"k={number}" for number in range(LIMIT)), "otel.metric.overflow=true"}


def test_label_sets_beyond_the_limit_leave_nothing_in_memory() -> None:
    store = Aggregation()
    hits = store.family(HITS)
    for number in range(1000):
        hits.bind({"k": str(number)}).add(1)
    untyped: Any = hits
    assert len(untyped._keys) == LIMIT + 1


def test_a_reader_of_changes_that_looks_away_while_a_series_goes_and_comes_back_sees_each_record_once() -> None:
    store, view = Aggregation(), View({"counter": AggregationTemporality.DELTA})
    hits = store.family(HITS)
    hits.bind({"a": "x"}).add(10)
    hits.bind({"a": "other"}).add(1)
    assert changes(view, store) == {("hits", "x"): 10, ("hits", "other"): 1}
    hits.bind({"a": "x"}).add(2)
    store.fold("hits", "a", "x", "other")
    hits.bind({"a": "x"}).add(3)
    assert changes(view, store) == {("hits", "x"): 3, ("hits", "other"): 2}
    assert changes(view, store) == {}


def changes(view: View, store: Aggregation) -> dict[tuple[str, str], float]:
    return {
        (metric.name, str(next(iter((point.attributes or {}).values())))): point.count
        if isinstance(point, HistogramDataPoint)
        else point.value  # type: ignore[union-attr]
        for metric in view.metrics(*store.read())
        for point in metric.data.data_points
    }


def test_a_child_of_a_fork_reports_only_its_own() -> None:
    store, view = Aggregation(), View({"counter": AggregationTemporality.DELTA})
    store.family(HITS).bind({"a": "x"}).add(10)
    changes(view, store)
    store.restart()  # what a fork does in the child
    store.family(HITS).bind({"a": "x"}).add(3)
    assert changes(view, store) == {("hits", "x"): 3}


# --- whatever happens, in whatever order ----------------------------------------------------------

families = st.sampled_from(FAMILIES)
values = st.sampled_from("abcdef")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("record"), families, values, values),
        st.tuples(st.just("again"), st.integers(0, 20)),
        st.tuples(st.just("fold"), families, st.sampled_from("xy"), values),
        st.tuples(st.just("passes"), st.sampled_from([1, IDLE / 2, LONG])),
        st.tuples(st.just("changes"), st.integers(0, 1)),
    ),
    max_size=100,
)


class Run:
    """A store, two readers of changes, and what each must have seen."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = Aggregation(clock=self.clock)
        wants: Any = dict.fromkeys(("counter", "histogram", "up_down_counter"), AggregationTemporality.DELTA)
        self.views = [(View(wants), dict.fromkeys((one.name for one in FAMILIES), 0.0)) for _ in range(2)]
        self.recorded = dict.fromkeys(FAMILIES, 0)
        self.handles: list[tuple[Description, Any]] = []

    def record(self, description: Description, x: str, y: str) -> None:
        self.handles.append((description, self.store.family(description).bind({"x": x, "y": y})))
        self.again(-1)

    def again(self, which: int) -> None:
        if self.handles:
            description, handle = self.handles[which % len(self.handles)]
            handle.add(1)
            self.recorded[description] += 1

    def fold(self, description: Description, key: str, value: str) -> None:
        self.store.fold(description.name, key, value, "other")

    def passes(self, seconds: float) -> None:
        self.clock.now += seconds

    def changes(self, which: int) -> None:
        view, seen = self.views[which]
        for metric in view.metrics(*self.store.read()):
            for point in metric.data.data_points:
                change = point.count if isinstance(point, HistogramDataPoint) else point.value  # type: ignore[union-attr]
                assert change >= 0
                if isinstance(point, HistogramDataPoint):
                    assert min(point.bucket_counts) >= 0
                    assert sum(point.bucket_counts) == point.count
                seen[metric.name] += change

    def check(self) -> None:
        for description in FAMILIES:
            found = series(self.store, description)
            assert sum(found.values()) == self.recorded[description]
            assert len(found) <= LIMIT + 1


@given(steps)
@settings(deadline=None, max_examples=300)
def test_every_sum_is_what_was_recorded_for_totals_and_for_changes(steps: list[tuple[Any, ...]]) -> None:
    run = Run()
    for action, *given_values in steps:
        getattr(run, action)(*given_values)
        run.check()
    for which, (_, seen) in enumerate(run.views):
        run.changes(which)
        assert seen == {description.name: total for description, total in run.recorded.items()}


def test_what_was_folded_is_forgotten_with_the_last_handle_of_it() -> None:
    store = Aggregation()
    hits = store.family(HITS)
    into = hits.bind({"a": "other"})
    kept = hits.bind({"a": "kept"})
    for value in ("kept", *map(str, range(100))):
        hits.bind({"a": value}).add(1)
        store.fold("hits", "a", value, "other")
    assert list(into.heirs or ()) == [kept]
    untyped: Any = hits
    assert len(untyped._keys) == 1
    (point,) = store.snapshot()[HITS].values()
    assert isinstance(point, SumPoint)
    assert point.value == 101
