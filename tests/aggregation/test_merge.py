"""Snapshots of several processes, added up."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from otel_llm_router.aggregation import (
    Aggregation,
    Description,
    Exemplar,
    GaugePoint,
    HistogramPoint,
    Labels,
    Merger,
    Point,
    Snapshot,
    SumPoint,
    merge,
    numbers,
    tallies,
)

HITS = Description(name="hits", shape="counter")
WAIT = Description(name="wait", shape="histogram", bounds=(1.0, 2.0))
SIZE = Description(name="size", shape="gauge")


def value(snapshot: Snapshot, description: Description, **labels: str) -> float:
    point = snapshot[description][tuple(labels.items())]
    return point.sum if isinstance(point, HistogramPoint) else point.value


def added(*snapshots: Snapshot) -> dict[Description, dict[frozenset[tuple[str, str]], Point]]:
    """The points added two by two."""
    total: dict[Description, dict[frozenset[tuple[str, str]], Point]] = {}
    for snapshot in snapshots:
        for description, points in snapshot.items():
            into = total.setdefault(description, {})
            for labels, point in points.items():
                key = frozenset(labels)
                into[key] = into[key] + point if key in into else point  # type: ignore[operator]
    return total


def by_set(snapshot: Snapshot) -> dict[Description, dict[frozenset[tuple[str, str]], Point]]:
    return {
        description: {frozenset(labels): point for labels, point in points.items()}
        for description, points in snapshot.items()
    }


def test_snapshots_of_several_processes_are_one() -> None:
    first, second = Aggregation(), Aggregation()
    for store, number in ((first, 1), (second, 10)):
        store.family(HITS).bind({"k": "both"}).add(number)
        store.family(WAIT).bind({}).add(number)
    second.family(HITS).bind({"k": "second"}).add(5)
    merged = merge(first.snapshot(), second.snapshot())
    assert value(merged, HITS, k="both") == 11
    assert value(merged, HITS, k="second") == 5
    point = merged[WAIT][()]
    assert isinstance(point, HistogramPoint)
    assert (point.count, point.buckets, point.minimum, point.maximum) == (2, (1, 0, 1), 1, 10)
    assert merge() == {}
    assert merge(first.snapshot()) == first.snapshot()


def test_gauges_of_several_processes_add_up() -> None:
    merged = merge({SIZE: {(): GaugePoint(2)}}, {SIZE: {(): GaugePoint(3)}})
    assert merged[SIZE][()] == GaugePoint(5)


def test_labels_in_another_order_are_the_same_series() -> None:
    first, second = Aggregation(), Aggregation()
    first.family(HITS).bind({"a": "1", "b": "2"}).add(1)
    second.family(HITS).bind({"b": "2", "a": "1"}).add(2)
    merged = merge(first.snapshot(), second.snapshot())
    assert len(merged[HITS]) == 1
    assert value(merged, HITS, a="1", b="2") == 3


def test_series_that_come_and_go_in_any_order_add_up_every_time() -> None:
    chance = random.Random(4)
    stores = [Aggregation() for _ in range(4)]
    merger = Merger()
    for round_number in range(12):
        for store in stores if round_number % 3 else chance.sample(stores, 2):
            for _ in range(chance.randrange(6)):
                labels = [("k", str(chance.randrange(8))), ("l", str(chance.randrange(2)))]
                chance.shuffle(labels)
                store.family(HITS).bind(dict(labels)).add(chance.choice([1, 2.5, 2**40]))
                store.family(WAIT).bind(dict(labels)).add(chance.choice([0.5, 1.5, 7]))
        if round_number == 8:  # a process that begins again
            stores[1] = Aggregation()
        snapshots = [store.snapshot() for store in stores if round_number % 4 or store is not stores[3]]
        merged = merger.merge(*snapshots)
        assert by_set(merged) == added(*snapshots)
        for points in merged.values():
            assert len(points) == len(list(points)) == len(points.values()) == len(points.items())


def test_columns_are_in_the_order_of_the_labels() -> None:
    first, second = Aggregation(), Aggregation()
    for number, store in enumerate((first, second, second, first)):
        store.family(HITS).bind({"k": str(number)}).add(number)
        store.family(WAIT).bind({"k": str(number)}).add(number)
    for snapshot in (first.snapshot(), merge(first.snapshot(), second.snapshot())):
        hits = dict(zip(snapshot[HITS], numbers(snapshot[HITS]), strict=True))
        assert hits == {labels: int(labels[0][1]) for labels in snapshot[HITS]}
        waits = dict(zip(snapshot[WAIT], tallies(snapshot[WAIT]), strict=True))
        assert {labels: tally[1] for labels, tally in waits.items()} == hits


def test_what_a_process_declares_otherwise_is_left_out_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    other = Description(name="wait", shape="histogram", bounds=(5.0,))
    stores = [Aggregation(), Aggregation()]
    for store, description in zip(stores, (WAIT, other), strict=True):
        store.family(description).bind({}).add(1)
    merger = Merger()
    for _ in range(2):
        merged = merger.merge(*[store.snapshot() for store in stores])
        assert list(merged) == [WAIT]
        assert value(merged, WAIT) == 1
    assert [record.getMessage() for record in caplog.records if "wait" in record.getMessage()] == [
        "otel-llm-router: processes declare wait differently; only what is like the first one's is shown"
    ]


def histogram(*exemplars: Exemplar) -> Mapping[Labels, Point]:
    return {(): HistogramPoint(1, 1.5, (0, 1, 0), WAIT.bounds, 1.5, 1.5, 7, exemplars)}


def test_of_the_exemplars_of_a_bucket_the_latest_is_kept() -> None:
    old, new, low = Exemplar(1.5, 10, 1, 1), Exemplar(1.7, 20, 2, 2), Exemplar(0.5, 5, 3, 3)
    merged = merge({WAIT: histogram(new, low)}, {WAIT: histogram(old)}, {WAIT: histogram()})
    point = merged[WAIT][()]
    assert isinstance(point, HistogramPoint)
    assert point.exemplars == (low, new)
    assert [tally[3] for tally in tallies(merged[WAIT])] == [(low, new)]


def test_sums_of_sums_beyond_64_bits_become_floats_since_the_earliest_start() -> None:
    merged = merge(*[{HITS: {(): SumPoint(2**61, start)}} for start in (5, 3, 9)])
    point = merged[HITS][()]
    assert point == SumPoint(3 * 2**61, 3)
    assert isinstance(value(merged, HITS), float)


def test_what_was_merged_can_be_merged_again() -> None:
    stores = [Aggregation() for _ in range(3)]
    for number, store in enumerate(stores):
        store.family(HITS).bind({"k": str(number % 2)}).add(number + 1)
        store.family(WAIT).bind({}).add(number)
    snapshots = [store.snapshot() for store in stores]
    assert merge(merge(*snapshots[:2]), snapshots[2]) == merge(*snapshots)
