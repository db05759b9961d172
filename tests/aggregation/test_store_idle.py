"""Series that make room: what they counted ends with them, late records go on elsewhere, and readers of changes see each once."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.metrics.export import HistogramDataPoint

from otel_llm_router.aggregation import Aggregation, Description, HistogramPoint, _store
from otel_llm_router.aggregation._data import View
from otel_llm_router.aggregation._handles import measured_in
from tests.aggregation.idle_series import BUSY, DELTA, FAMILIES, HITS, LIMIT, LONG, WAIT, Clock, few_series, untyped


@pytest.fixture(autouse=True)
def limited() -> Iterator[None]:
    """An instrument has few label sets."""
    with few_series():
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
