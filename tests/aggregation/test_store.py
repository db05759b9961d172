"""The aggregation: series, their bounds, snapshots that merge, and a fork."""

from __future__ import annotations

import os
import threading

import pytest

from otel_llm_router.aggregation import Aggregation, Description, HistogramPoint, Snapshot, SumPoint
from otel_llm_router.aggregation._store import MAX_SERIES, OVERFLOW

HITS = Description(name="hits", shape="counter")
WAIT = Description(name="wait", shape="histogram", bounds=(1.0, 2.0))


def value(snapshot: Snapshot, description: Description, **labels: str) -> float:
    point = snapshot[description][tuple(labels.items())]
    return point.sum if isinstance(point, HistogramPoint) else point.value


def test_the_same_labels_in_another_order_are_the_same_series() -> None:
    store = Aggregation()
    store.family(HITS).bind({"a": "1", "b": "2"}).add(1)
    store.family(HITS).bind({"b": "2", "a": "1"}).add(2)
    assert value(store.snapshot(), HITS, a="1", b="2") == 3


def test_a_record_on_a_bound_belongs_to_the_bucket_below_it() -> None:
    store = Aggregation()
    for number in (0, 1, 1.5, 2, 3):
        store.family(WAIT).bind({}).add(number)
    point = store.snapshot()[WAIT][()]
    assert isinstance(point, HistogramPoint)
    assert point.buckets == (2, 2, 1)
    assert (point.count, point.sum, point.minimum, point.maximum) == (5, 7.5, 0, 3)


def test_label_sets_beyond_the_limit_share_one_series() -> None:
    store = Aggregation()
    for number in range(MAX_SERIES + 500):
        store.family(HITS).bind({"k": str(number)}).add(1)
    points = store.snapshot()[HITS]
    assert len(points) == MAX_SERIES + 1
    assert points[OVERFLOW] == SumPoint(500, points[OVERFLOW].start)  # type: ignore[union-attr]
    store.family(HITS).bind({"k": "0"}).add(1)
    assert value(store.snapshot(), HITS, k="0") == 2


def test_threads_lose_nothing() -> None:
    store = Aggregation()

    def work() -> None:
        for number in range(5000):
            store.family(HITS).bind({"k": str(number % 3)}).add(1)
            store.family(WAIT).bind({}).add(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    snapshot = store.snapshot()
    assert sum(point.value for point in snapshot[HITS].values() if isinstance(point, SumPoint)) == 20_000
    assert value(snapshot, WAIT) == 20_000


def test_sums_beyond_64_bits_become_floats() -> None:
    store = Aggregation()
    series = store.family(HITS).bind({})
    for _ in range(5):
        series.add(2**61)
    found = value(store.snapshot(), HITS)
    assert isinstance(found, float)
    assert found == 5 * 2**61


def test_a_second_declaration_that_differs_is_said_and_the_first_one_holds(caplog: pytest.LogCaptureFixture) -> None:
    store = Aggregation()
    store.family(HITS).bind({}).add(1)
    store.family(Description(name="hits", shape="histogram", bounds=(5.0,))).bind({}).add(1)
    assert value(store.snapshot(), HITS) == 2
    assert "hits" in caplog.text


def test_histograms_with_other_bounds_do_not_merge() -> None:
    store = Aggregation()
    store.family(WAIT).bind({}).add(1)
    point = store.snapshot()[WAIT][()]
    assert isinstance(point, HistogramPoint)
    with pytest.raises(ValueError, match="cannot be merged"):
        _ = point + HistogramPoint(1, 1, (0, 1), (5.0,), 1, 1, 0)


def test_a_forked_child_begins_at_zero_and_the_parent_goes_on() -> None:
    store = Aggregation()
    series = store.family(HITS).bind({})
    series.add(5)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        series.add(100)  # begun in the parent: not the child's
        store.family(HITS).bind({"in": "child"}).add(1)
        os.write(writing, repr([point for points in store.snapshot().values() for point in points]).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 1000).decode() == "[(('in', 'child'),)]"
    assert value(store.snapshot(), HITS) == 5
