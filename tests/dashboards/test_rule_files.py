"""The rule files as Prometheus reads them: the required alerts, what they mean, and the recorded series."""

from __future__ import annotations

import re
from typing import Any

import promql_parser as promql
import pytest

from promql_reading import (
    comparisons,
    instrument_of,
    labels_of,
    matched,
    matched_each,
    metrics,
    nodes,
    parse,
    selectors,
)
from shipped_files import ROOT, alert, filled_in, load_yaml, panel, rules

# Name, comparisons of its expression, for, severity.
REQUIRED = {
    "HighErrorRate": ({(">", 0.1)}, "2m", "warning"),
    "CriticalErrorRate": ({(">", 0.5)}, "1m", "critical"),
    "HighResponseTime": ({(">", 30)}, "3m", "warning"),
    "CriticalResponseTime": ({(">", 60)}, "1m", "critical"),
    "HighMemoryUsage": ({(">", 3e9)}, "5m", "warning"),
    "CriticalMemoryUsage": ({(">", 7e9)}, "1m", "critical"),
    "NoModelsLoaded": ({("==", 0)}, "1m", "critical"),
    "LowCacheHitRate": ({("<", 0.5), (">", 0)}, "10m", "warning"),
    "HighQueueSize": ({(">", 100)}, "2m", "warning"),
    "CriticalQueueSize": ({(">", 500)}, "30s", "critical"),
    "ServiceDown": ({("==", 0)}, "1m", "critical"),
    "LowTokenGeneration": ({("<", 10), (">", 0.1)}, "5m", "warning"),
}
ALERTS = {rule["alert"]: rule for rule in rules("alerts.yaml")}
RECORDED = {rule["record"]: rule["expr"] for rule in rules("recording.yaml")}
CACHES = {"llm_router_cache_hits_total", "llm_router_cache_misses_total"}


def top_level(text: str) -> promql.BinaryExpr:
    root = parse(text)
    assert isinstance(root, promql.BinaryExpr)
    return root


def test_the_alerts_are_the_required_ones():
    assert ALERTS.keys() == REQUIRED.keys()


@pytest.mark.parametrize("name", REQUIRED)
def test_threshold_hold_and_severity(name: str):
    thresholds, hold, severity = REQUIRED[name]
    rule = ALERTS[name]
    assert comparisons(rule["expr"]) == thresholds
    assert float(rule["annotations"]["threshold"]) in {threshold for _, threshold in thresholds}
    assert rule["annotations"]["current_value"] == "{{ $value }}"
    assert rule["for"] == hold
    assert rule["labels"]["severity"] == severity


@pytest.mark.parametrize("name", REQUIRED)
def test_it_means_one_service_and_says_which(name: str):
    rule = ALERTS[name]
    assert "job" in labels_of(rule["expr"])
    assert rule["labels"]["service"] == "{{ $labels.job }}"
    assert rule["labels"]["component"]
    assert "{{ $labels.job }}" in rule["annotations"]["summary"]


@pytest.mark.parametrize("name", REQUIRED)
def test_it_describes_itself_with_its_value_and_labels_that_it_has(name: str):
    description = ALERTS[name]["annotations"]["description"]
    assert "$value" in description
    # What only one side of an `or` has is asked for by `if`.
    conditional = set(re.findall(r"if \$labels\.(\w+)", description))
    assert set(re.findall(r"\$labels\.(\w+)", description)) - conditional <= labels_of(ALERTS[name]["expr"])


@pytest.mark.parametrize("name", REQUIRED)
def test_its_runbook_exists(name: str):
    path, _, anchor = ALERTS[name]["annotations"]["runbook"].partition("#")
    headings = re.findall(r"^## (.+)$", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    assert anchor in {heading.lower() for heading in headings}


def test_high_and_critical_share_a_component_so_that_one_inhibits_the_other():
    pairs = [(name, name.replace("High", "Critical")) for name in ALERTS if name.startswith("High")]
    assert len(pairs) == 4
    for high, critical in pairs:
        assert ALERTS[high]["labels"]["component"] == ALERTS[critical]["labels"]["component"]


@pytest.mark.parametrize("name", ["HighErrorRate", "CriticalErrorRate"])
def test_recovered_failures_do_not_page(name: str):
    assert matched(ALERTS[name]["expr"], "severity") == {"error", "critical"}


@pytest.mark.parametrize("name", REQUIRED)
def test_rates_are_summed_before_anything_is_divided_or_compared(name: str):
    for node in nodes(parse(ALERTS[name]["expr"])):
        if isinstance(node, promql.BinaryExpr):
            for side in (node.lhs, node.rhs):
                assert not (isinstance(side, promql.Call) and side.func.name == "rate"), name


@pytest.mark.parametrize("name", REQUIRED)
def test_a_quantile_can_reach_what_it_is_compared_with(name: str):
    for node in nodes(parse(ALERTS[name]["expr"])):
        if not (isinstance(node, promql.BinaryExpr) and isinstance(node.lhs, promql.Call)):
            continue
        if node.lhs.func.name == "histogram_quantile" and isinstance(node.rhs, promql.NumberLiteral):
            (selector,) = selectors(node.lhs)
            instrument = instrument_of(selector.name or "")
            assert instrument is not None
            assert node.rhs.val < max(instrument.buckets), f"{instrument.name} caps a quantile at its last bound"


@pytest.mark.parametrize("name", ["HighResponseTime", "CriticalResponseTime"])
def test_response_time_is_the_p95_of_inference(name: str):
    text = ALERTS[name]["expr"]
    assert metrics(text) == {"llm_router_inference_duration_seconds_bucket"}
    assert "histogram_quantile(0.95," in text


def test_memory_is_that_of_one_process():
    for name in ("HighMemoryUsage", "CriticalMemoryUsage"):
        assert labels_of(ALERTS[name]["expr"]) == {"job", "instance"}
        assert metrics(ALERTS[name]["expr"]) == {"llm_router_process_resident_memory_bytes"}


def test_no_models_loaded_needs_the_series_to_be_reported():
    # `absent`, or a zero put in its place, would fire for every gateway that loads no models.
    assert not [node for node in nodes(parse(ALERTS["NoModelsLoaded"]["expr"])) if isinstance(node, promql.Call)]
    assert metrics(ALERTS["NoModelsLoaded"]["expr"]) == {"llm_router_models_loaded"}
    assert labels_of(ALERTS["NoModelsLoaded"]["expr"]) == {"job"}


def test_low_cache_hit_rate_needs_look_ups():
    root = top_level(ALERTS["LowCacheHitRate"]["expr"])
    quotient = root.lhs
    assert isinstance(quotient, promql.BinaryExpr)
    assert str(quotient.op) == "/"
    whole = quotient.rhs.expr if isinstance(quotient.rhs, promql.ParenExpr) else quotient.rhs
    assert isinstance(whole, promql.BinaryExpr)
    assert isinstance(whole.rhs, promql.NumberLiteral)
    assert (str(whole.op), whole.rhs.val) == (">", 0), "no ratio where nothing is looked up"
    assert {selector.name for selector in selectors(whole)} == CACHES
    assert {selector.name for selector in selectors(quotient.lhs)} == CACHES, "hits are zero until the first one"


def test_low_token_generation_needs_traffic():
    root = top_level(ALERTS["LowTokenGeneration"]["expr"])
    assert str(root.op) == "and"
    assert {selector.name for selector in selectors(root.lhs)} == {"llm_router_tokens_generated_total"}
    assert {selector.name for selector in selectors(root.rhs)} == {"llm_router_inference_total"}


def test_service_down_watches_our_job_and_its_absence():
    text = ALERTS["ServiceDown"]["expr"]
    assert matched(text, "job") == {"llm-router"}
    jobs = [job["job_name"] for job in load_yaml("prometheus.yaml")["scrape_configs"]]
    assert "llm-router" in jobs
    root = top_level(text)
    assert str(root.op) == "or"
    absent = [node for node in nodes(root.rhs) if isinstance(node, promql.Call)]
    assert [(call.func.name, selectors(call)[0].name) for call in absent] == [("absent", "up")]


def test_alerts_use_no_recorded_series():
    for name, rule in ALERTS.items():
        assert not metrics(rule["expr"]) & RECORDED.keys(), name


@pytest.mark.parametrize("name", ["alerts.yaml", "recording.yaml"])
def test_groups_are_named_once_and_evaluated_within_the_shortest_hold(name: str):
    groups: list[dict[str, Any]] = load_yaml(name)["groups"]
    names = [group["name"] for group in groups]
    assert len(set(names)) == len(names)
    # CriticalQueueSize holds for 30s: a server's default interval of a minute would make that two.
    assert all(promql.parse_duration(group["interval"]).total_seconds() <= 15 for group in groups)


def test_recorded_names_are_unique():
    assert len(RECORDED) == len(rules("recording.yaml"))


def test_alias_counts_attempts_by_provider_and_status():
    text = RECORDED["llm_requests_total"]
    assert metrics(text) == {"llm_router_attempts_total"}
    # The instance stays: rate() over a sum of instances takes the restart of one for a reset of all.
    assert labels_of(text) == {"job", "instance", "provider", "status"}


@pytest.mark.parametrize("part", ["bucket", "sum", "count"])
def test_alias_of_the_duration_is_a_histogram_by_provider(part: str):
    text = RECORDED[f"llm_request_duration_seconds_{part}"]
    assert metrics(text) == {f"llm_router_attempt_duration_seconds_{part}"}
    assert labels_of(text) == {"job", "instance", "provider"} | ({"le"} if part == "bucket" else set())


def test_alias_has_the_required_buckets_on_every_path():
    (selector,) = selectors(parse(RECORDED["llm_request_duration_seconds_bucket"]))
    (matcher,) = [matcher for matcher in selector.matchers.matchers if matcher.name == "le"]
    assert matcher.op == promql.MatchOp.Re
    instrument = instrument_of(selector.name or "")
    assert instrument is not None
    kept = [
        bound
        for bound in [*instrument.buckets, float("inf")]
        if all(re.fullmatch(matcher.value, text) for text in le_texts(bound))
    ]
    touched = [
        bound
        for bound in [*instrument.buckets, float("inf")]
        if any(re.fullmatch(matcher.value, text) for text in le_texts(bound))
    ]
    assert kept == touched == [0.1, 0.5, 1, 2, 5, float("inf")]


def le_texts(bound: float) -> set[str]:
    """How the label is written: by a scrape of Prometheus 3 or a Python exporter, and by OTLP."""
    return {"+Inf"} if bound == float("inf") else {str(bound), f"{bound:g}"}


@pytest.mark.parametrize("name", [name for name in RECORDED if not name.startswith("llm_")])
def test_other_recorded_names_begin_with_the_labels_they_keep(name: str):
    level, metric, operation = name.split(":")
    assert labels_of(RECORDED[name]) == set(level.split("_"))
    assert any(used.startswith(metric) for used in metrics(RECORDED[name]))
    assert operation


def test_dashboards_rules_and_alerts_measure_alike():
    text = RECORDED["job:llm_router_inference:success_ratio_rate5m"]
    # Successes, zero where there are none yet, over what was decided.
    assert matched_each(text, "status") == ["success", "success|error", "success|error"]
    (shown,) = panel("overview", "Inference success rate")["targets"]
    assert matched_each(filled_in(shown["expr"]), "status") == ["success", "success|error", "success|error"]
    assert alert("HighErrorRate")["expr"].startswith(RECORDED["job:llm_router_errors:rate5m"])
