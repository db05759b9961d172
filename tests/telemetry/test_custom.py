"""Counters and histograms of the application's own, in one line each."""

# White-box: the SDK's own points.
# pyright: reportPrivateUsage=false

from __future__ import annotations

from typing import Any

import pytest

from otel_llm_router import telemetry as router
from otel_llm_router import testing


def test_a_counter_with_labels(captured: testing.Captured):
    counter = router.counter("app.documents", labels=["kind", "team"], unit="{document}", description="Documents.")
    counter.add()
    counter.add(2, kind="pdf")
    counter.add(0.5, kind="pdf", team="a")
    points = {(p.labels["kind"], p.labels["team"]): p.value for p in captured.points("app.documents")}
    assert points == {("", ""): 1, ("pdf", ""): 2, ("pdf", "a"): 0.5}


def test_a_histogram_with_buckets(captured: testing.Captured):
    histogram = router.histogram("app.latency", labels=["region"], buckets=[1, 2.5], unit="s")
    for value in (0.5, 2, 10):
        histogram.record(value, region="eu")
    (point,) = captured.points("app.latency", region="eu")
    assert (point.value, point.count) == (12.5, 3)
    data: Any = captured._reader.get_metrics_data()
    metrics = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics if m.name == "app.latency"]
    (bounds,) = {point.explicit_bounds for metric in metrics for point in metric.data.data_points}
    assert bounds == (1.0, 2.5)
    assert metrics[0].unit == "s"


def test_an_undeclared_label_is_a_mistake_that_is_named(captured: testing.Captured):
    counter = router.counter("app.documents", labels=["kind"])
    with pytest.raises(ValueError, match=r"app\.documents: labels \['colour'\] are not declared; declared: \['kind'\]"):
        counter.add(1, colour="red")


@pytest.mark.parametrize("amount", [-1, float("nan"), float("inf"), "1", None, 10**400, True])
def test_what_is_no_amount_adds_nothing(captured: testing.Captured, caplog: pytest.LogCaptureFixture, amount: object):
    counter, histogram = router.counter("app.documents"), router.histogram("app.latency")
    counter.add(amount)  # pyright: ignore[reportArgumentType]
    histogram.record(amount)  # pyright: ignore[reportArgumentType]
    counter.add(1)
    histogram.record(1)
    assert captured.value("app.documents") == 1
    assert captured.count("app.latency") == 1
    assert caplog.records == []


def test_labels_may_be_any_objects(captured: testing.Captured):
    counter = router.counter("app.documents", labels=["kind"])
    counter.add(1, kind=5)
    counter.add(1, kind=None)
    counter.add(1, kind="\ud800")
    assert {point.labels["kind"] for point in captured.points("app.documents")} == {"5", "None", "?"}


def test_a_declaration_made_twice_is_one_instrument(captured: testing.Captured):
    for _ in range(3):
        router.counter("app.documents", labels=["kind"]).add(1, kind="pdf")
    assert captured.value("app.documents", kind="pdf") == 3


def test_an_instrument_declared_before_the_sdk_was_set_up_records_on_it():
    counter = router.counter("app.documents")
    counter.add(1)
    with testing.capture() as captured:
        counter.add(2)
        assert captured.value("app.documents") == 2
    counter.add(4)
    assert captured.value("app.documents") == 2
