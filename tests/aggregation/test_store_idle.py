"""Series that make room: what they counted ends with them, late records go on elsewhere, and readers of changes see each once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics.export import AggregationTemporality, HistogramDataPoint

from otel_llm_router.aggregation import Aggregation, Description, HistogramPoint, Labels, _store
from otel_llm_router.aggregation._data import View
from otel_llm_router.aggregation._handles import measured_in
from otel_llm_router.aggregation._store import IDLE

HITS = Description(name="hits", shape="counter")
BUSY = Description(name="busy", shape="up_down_counter")
WAIT = Description(name="wait", shape="histogram", bounds=(2.0, 4.0))
FAMILIES = (HITS, BUSY, WAIT)
LIMIT = 5
LONG = IDLE + _store.HELD + 1


DELTA: Any = dict.fromkeys(("counter", "histogram", "up_down_counter"), AggregationTemporality.DELTA)


class Clock:
    """Time that passes when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def untyped(whatever: Any) -> Any:
    """Return it to look inside."""
    return whatever


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


def test_a_counter_ends_with_what_it_counted_and_its_handle_counts_elsewhere() -> None:
    store = Aggregation()
    old = store.family(HITS).bind({"a": "x", "b": "1"})
    old.add(10)
    store.retire("hits", "a", "x", "other")
    assert series(store, HITS) == {"a=other,b=1": 0}
    old.add(1)
    store.family(HITS).bind({"a": "x", "b": "1"}).add(2)
    assert series(store, HITS) == {"a=other,b=1": 1, "a=x,b=1": 2}


def test_a_histogram_ends_too_and_its_handle_records_elsewhere_with_exemplars() -> None:
    store = Aggregation()
    old, into = store.family(WAIT).bind({"m": "a"}), store.family(WAIT).bind({"m": "other"})
    old.add(1)
    into.add(3)
    store.retire("wait", "m", "a", "other")
    token = measured_in.set((0xA, 0xB))
    old.add(5)
    measured_in.reset(token)
    (point,) = store.snapshot()[WAIT].values()
    assert isinstance(point, HistogramPoint)
    assert (point.count, point.sum, point.buckets) == (2, 8, (0, 1, 1))
    assert (point.minimum, point.maximum) == (3, 5)
    assert [(one.value, one.trace_id) for one in point.exemplars] == [(5, 0xA)]


def test_a_level_goes_on_where_its_handle_ends_it() -> None:
    store = Aggregation()
    handle = store.family(BUSY).bind({"a": "x", "b": "y"})
    handle.add(1)
    store.retire("busy", "a", "x", "other")
    store.retire("busy", "b", "y", "other")
    assert series(store, BUSY) == {"a=other,b=other": 1}
    handle.add(-1)
    assert series(store, BUSY) == {"a=other,b=other": 0}


@pytest.mark.parametrize("description", [HITS, WAIT], ids=lambda one: one.shape)
def test_a_record_that_waits_while_its_series_ends_is_counted_elsewhere(description: Description) -> None:
    store = Aggregation()
    handle = store.family(description).bind({"a": "x"})

    class FasterThread:
        def __enter__(self) -> None:
            store.retire(description.name, "a", "x", "other")

        def __exit__(self, *exc: object) -> None: ...

    untyped(handle)._lock = FasterThread()
    handle.add(1)
    assert series(store, description) == {"a=other": 1}


def test_a_level_that_goes_elsewhere_while_it_is_read_is_read_once() -> None:
    store = Aggregation()
    store.family(BUSY).bind({"a": "x"}).add(1)
    store.family(BUSY).bind({"a": "other"})
    family, came = untyped(store.family(BUSY)), list[str]()

    class FasterThread:
        def __enter__(self) -> None: ...

        def __exit__(self, *exc: object) -> None:
            if not came:
                came.append("x")
                store.retire("busy", "a", "x", "other")

    family._lock = FasterThread()
    assert sum(series(store, BUSY).values()) == 1
    assert series(store, BUSY) == {"a=other": 1}


def test_a_series_that_comes_back_began_later_whatever_the_clock_does(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Aggregation()
    monkeypatch.setattr(_store.time, "time_ns", lambda: 1_000)
    starts = list[int]()
    for _ in range(3):
        store.family(HITS).bind({"a": "x"})
        starts.append(store.snapshot()[HITS][(("a", "x"),)].start)  # type: ignore[union-attr]
        store.retire("hits", "a", "x", "other")
    assert starts == sorted(set(starts))


def test_other_values_other_labels_and_other_instruments_stay() -> None:
    store = Aggregation()
    for labels in ({"a": "x", "b": "y"}, {"a": "y", "b": "x"}, {"b": "y", "a": "other"}):
        store.family(HITS).bind(labels).add(1)
    late = store.family(HITS).bind({"a": "x", "b": "y"})
    store.family(BUSY).bind({"a": "x"}).add(1)
    store.retire("hits", "a", "x", "other")
    store.retire("unknown", "a", "x", "other")
    late.add(5)
    assert series(store, HITS) == {"a=y,b=x": 1, "b=y,a=other": 6}
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
    assert series(store, HITS) == {"k=junk-1": 2, "k=late": 1, "otel.metric.overflow=true": 3}


def test_label_sets_whose_handles_may_be_in_use_stay() -> None:
    clock = Clock()
    store = Aggregation(clock=clock)
    hits = store.family(HITS)
    for number in range(LIMIT):
        hits.bind({"k": str(number)}).add(1)
    clock.now += LONG - 2
    hits.bind({"k": "early"}).add(1)
    assert series(store, HITS) == {**{f"k={number}": 1 for number in range(LIMIT)}, "otel.metric.overflow=true": 1}


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
    assert len(untyped(hits)._keys) == LIMIT + 1


def changes(view: View, store: Aggregation) -> dict[tuple[str, str], float]:
    return {
        (metric.name, str(next(iter((point.attributes or {}).values())))): point.count
        if isinstance(point, HistogramDataPoint)
        else point.value  # type: ignore[union-attr]
        for metric in view.metrics(store.snapshot())
        for point in metric.data.data_points
    }


def test_a_reader_of_changes_knows_a_series_that_came_back_while_it_looked_away() -> None:
    store, view = Aggregation(), View(DELTA)
    for description in (HITS, WAIT):
        for _ in range(3):
            store.family(description).bind({"a": "x"}).add(1)
    assert changes(view, store) == {("hits", "x"): 3, ("wait", "x"): 3}
    for description in (HITS, WAIT):
        store.retire(description.name, "a", "x", "other")
        for _ in range(5):
            store.family(description).bind({"a": "x"}).add(1)
    assert changes(view, store) == {("hits", "x"): 5, ("hits", "other"): 0, ("wait", "x"): 5}
    assert changes(view, store) == {}


def test_a_reader_of_changes_sees_a_level_leave_where_it_was() -> None:
    store, view = Aggregation(), View(DELTA)
    store.family(BUSY).bind({"a": "x"}).add(3)
    assert changes(view, store) == {("busy", "x"): 3}
    store.retire("busy", "a", "x", "other")
    assert changes(view, store) == {("busy", "x"): -3, ("busy", "other"): 3}
    store.family(BUSY).bind({"a": "x"}).add(4)
    assert changes(view, store) == {("busy", "x"): 4}
    store.retire("busy", "a", "x", "other")
    store.family(BUSY).bind({"a": "x"}).add(1)
    assert changes(view, store) == {("busy", "other"): 4, ("busy", "x"): -3}
    assert changes(view, store) == {}


def test_a_reader_of_changes_in_a_forked_child_reports_only_its_own() -> None:
    store, view = Aggregation(), View(DELTA)
    for description in FAMILIES:
        store.family(description).bind({"a": "x"}).add(1)
        store.family(description).bind({"a": "parents"}).add(1)
    changes(view, store)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        for description in FAMILIES:
            store.family(description).bind({"a": "x"}).add(1)
        os.write(writing, repr(changes(view, store)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 1000).decode() == repr({(one.name, "x"): 1 for one in FAMILIES})
    assert changes(view, store) == {}


# --- whatever happens, in whatever order ----------------------------------------------------------

families = st.sampled_from(FAMILIES)
values = st.sampled_from("abcdef")
steps = st.lists(
    st.one_of(
        st.tuples(st.just("record"), families, values, values),
        st.tuples(st.just("again"), st.integers(0, 20)),
        st.tuples(st.just("leave"), st.integers(0, 20)),
        st.tuples(st.just("retire"), families, st.sampled_from("xy"), values),
        st.tuples(st.just("passes"), st.sampled_from([1, IDLE / 2, LONG])),
        st.tuples(st.just("look")),
    ),
    max_size=100,
)

Found = dict[tuple[Labels, int], float]
"""Values, or counts, of an instrument by labels and start."""


class Reader:
    """A reader of changes, and what they add up to."""

    def __init__(self, store: Aggregation) -> None:
        self._store = store
        self._view = View(DELTA)
        self.seen = dict.fromkeys(FAMILIES, 0.0)

    def look(self) -> None:
        for metric in self._view.metrics(self._store.snapshot()):
            (description,) = (one for one in FAMILIES if one.name == metric.name)
            for point in metric.data.data_points:
                change = point.count if isinstance(point, HistogramDataPoint) else point.value  # type: ignore[union-attr]
                assert change >= 0 or description is BUSY
                if isinstance(point, HistogramDataPoint):
                    assert min(point.bucket_counts) >= 0
                    assert sum(point.bucket_counts) == point.count
                self.seen[description] += change


class Run:
    """A store, what was recorded, and what ended with its series."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.store = Aggregation(clock=self.clock)
        self.often, self.rarely = Reader(self.store), Reader(self.store)
        self.recorded = dict.fromkeys(FAMILIES, 0.0)
        self.dropped = dict.fromkeys(FAMILIES, 0.0)
        self.ended = set[tuple[str, tuple[Labels, int]]]()
        self.used: dict[tuple[str, Labels], float] = {}
        self.handles: list[tuple[Description, Labels, int, Any]] = []
        self.under_way: list[Any] = []

    def found(self, description: Description) -> Found:
        return {
            (labels, point.start): point.count if isinstance(point, HistogramPoint) else point.value  # type: ignore[union-attr]
            for labels, point in self.store.snapshot().get(description, {}).items()
        }

    def step(self, act: Callable[[], object], *, retired: tuple[Description, tuple[str, str]] | None = None) -> None:
        """Do something, and see that every instrument shows that and nothing else."""
        before, recorded = {one: self.found(one) for one in FAMILIES}, self.recorded.copy()
        act()
        for description in FAMILIES:
            was, now = before[description], self.found(description)
            assert len(now) <= LIMIT + 1
            assert not self.ended & {(description.name, key) for key in now}
            for labels, start in was.keys() - now.keys():
                self.ended.add((description.name, (labels, start)))
                idle_since = self.used.get((description.name, labels), 0) + IDLE + _store.HELD
                assert (retired and retired[0] is description and retired[1] in labels) or self.clock.now >= idle_since
            if description is BUSY:
                assert sum(now.values()) == self.recorded[description]
                continue
            self.dropped[description] += sum(was[key] for key in was.keys() - now.keys())
            assert all(now[key] >= was[key] for key in was.keys() & now.keys())
            grown = sum(value - was.get(key, 0) for key, value in now.items())
            assert grown == self.recorded[description] - recorded[description]
            assert sum(now.values()) + self.dropped[description] == self.recorded[description]

    def add(self, description: Description, handle: Any) -> None:
        handle.add(1)
        self.recorded[description] += 1
        if description is BUSY:
            self.under_way.append(handle)

    def record(self, description: Description, x: str, y: str) -> None:
        def act() -> None:
            handle = self.store.family(description).bind({"x": x, "y": y})
            (at,) = (key for key, one in untyped(self.store.family(description))._series.items() if one is handle)
            self.used[description.name, at] = self.clock.now
            self.handles.append((description, at, handle.cell.start, handle))  # type: ignore[union-attr]
            self.add(description, handle)

        self.step(act)

    def again(self, which: int) -> None:
        """Record through a handle that was given out before."""
        if not self.handles:
            return
        description, labels, start, handle = self.handles[which % len(self.handles)]
        live = (labels, start) in self.found(description)
        if live and self.clock.now > self.used[description.name, labels] + _store.HELD:
            return  # to be asked for again
        was = self.found(description)
        self.step(lambda: self.add(description, handle))
        (grown,) = (at for at, value in self.found(description).items() if value != was[at])
        if live:
            assert grown == (labels, start)
        else:
            assert grown[0] == _store.OVERFLOW or "other" in dict(grown[0]).values()
            self.often.look()  # what is that late does not make a series used

    def leave(self, which: int) -> None:
        if self.under_way:
            handle = self.under_way.pop(which % len(self.under_way))
            self.recorded[BUSY] -= 1
            self.step(lambda: handle.add(-1))

    def retire(self, description: Description, key: str, value: str) -> None:
        self.often.look()  # the value was not used for long
        self.step(lambda: self.store.retire(description.name, key, value, "other"), retired=(description, (key, value)))
        assert not any((key, value) in labels for labels, _ in self.found(description))

    def passes(self, seconds: float) -> None:
        self.often.look()
        self.clock.now += seconds

    def look(self) -> None:
        self.rarely.look()


@given(steps)
@settings(deadline=None, max_examples=300)
def test_what_ends_is_gone_and_everything_else_is_counted_once(steps: list[tuple[Any, ...]]) -> None:
    run = Run()
    for action, *given_values in steps:
        getattr(run, action)(*given_values)
    run.often.look()
    run.rarely.look()
    assert run.often.seen == run.recorded
    assert run.rarely.seen[BUSY] == run.recorded[BUSY]
    for description in (HITS, WAIT):
        missed = run.recorded[description] - run.rarely.seen[description]
        assert 0 <= missed <= run.dropped[description]
    while run.under_way:
        run.leave(0)
    assert not any(run.found(BUSY).values())


def test_what_ended_leaves_nothing_in_memory() -> None:
    store = Aggregation()
    hits = store.family(HITS)
    kept = hits.bind({"a": "kept"})
    for value in ("kept", *map(str, range(100))):
        hits.bind({"a": value}).add(1)
        store.retire("hits", "a", value, "other")
    assert len(untyped(hits)._keys) == len(untyped(hits)._series) == 1
    kept.add(1)
    assert series(store, HITS) == {"a=other": 1}
