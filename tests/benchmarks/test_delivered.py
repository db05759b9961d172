from __future__ import annotations

from typing import Any

import pytest

from benchmarks.configurations import CONFIGURATIONS, Configuration
from benchmarks.driven import delivered
from benchmarks.processes import WorkerError


def named(name: str) -> Configuration:
    return next(one for one in CONFIGURATIONS if one.name == name)


def counts(spans: int, metric: str | None = None, value: float = 0, logs: int = 0) -> dict[str, Any]:
    return {"spans": {"a": spans}, "logs": {"a": logs}, "metrics": {} if metric is None else {metric: value}}


def test_spans_and_logs_are_counted_for_each_request():
    found = delivered(named("openlit"), 100, counts(200, "gen_ai.client.operation.duration", 100, 100), 0, "mock")
    assert found == {"spans": 2.0, "logs": 1.0}


@pytest.mark.parametrize("name", [one.name for one in CONFIGURATIONS if one.kind != "control"])
def test_a_telemetry_that_records_nothing_has_failed(name: str):
    with pytest.raises(WorkerError, match="does not record"):
        delivered(named(name), 1000, {}, 0, "mock")


def test_a_dropped_span_in_a_hundred_is_allowed_and_two_are_not():
    assert delivered(named("openinference"), 1000, counts(990), 0, "mock")["spans"] == 0.99
    with pytest.raises(WorkerError, match="980 spans arrived for 1000 requests, not 1000"):
        delivered(named("openinference"), 1000, counts(980), 0, "mock")


def test_spans_without_the_metric_are_not_enough():
    with pytest.raises(WorkerError, match=r"metric llm_router.inference counts 10 of 1000 requests"):
        delivered(named("ours"), 1000, counts(2000, "llm_router.inference", 10), 0, "mock")


def test_a_sampled_configuration_owes_its_share():
    metric = ("llm_router.inference", 1000)
    assert delivered(named("ours-sampled"), 1000, counts(190, *metric), 0, "mock")["spans"] == 0.19
    with pytest.raises(WorkerError, match="does not record"):
        delivered(named("ours-sampled"), 1000, counts(90, *metric), 0, "mock")


def test_a_gateway_without_litellm_owes_what_its_telemetry_sees_there():
    found = delivered(named("ours"), 100, counts(100, "llm_router.http.request.duration", 100), 0, "wire")
    assert found == {"spans": 1.0, "logs": 0.0}
    with pytest.raises(WorkerError, match="100 spans arrived for 100 requests, not 300"):
        delivered(named("ours"), 100, counts(100, "llm_router.inference", 100), 0, "gateway")


def test_the_registry_of_the_process_counts_too():
    assert delivered(named("litellm-prometheus"), 1000, {}, 1000, "mock") == {"spans": 0, "logs": 0}


def test_none_that_records_something_has_failed():
    with pytest.raises(WorkerError, match="must record nothing"):
        delivered(named("none@own"), 10, counts(1), 0, "mock")


def test_no_request_is_no_measurement():
    with pytest.raises(WorkerError, match="no request"):
        delivered(named("none@own"), 0, {}, 0, "mock")
