"""The dashboards as Grafana reads them: the required panels, and a structure that it shows as meant."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest

from promql_reading import matched, metrics
from shipped_files import DASHBOARDS, dashboard, filled_in, panel, panels

STEMS = ("model-performance", "overview", "system-resources")
UIDS = {
    "overview": "llm-router-overview",
    "model-performance": "llm-router-model-performance",
    "system-resources": "llm-router-system-resources",
}
KNOWN_UNITS = {"bytes", "currencyUSD", "decbytes", "ops", "percentunit", "reqps", "s", "short", "si:tok/s"}
REPORTED_BY_EVERY_ROUTER = {"llm_router_process_start_time_seconds", "llm_router_inference_total"}

INFERENCE_BUCKETS = "llm_router_inference_duration_seconds_bucket"
REQUIRED = {
    "overview": {
        "Request rate": {"llm_router_inference_total"},
        "Inference success rate": {"llm_router_inference_total"},
        "p95 response time": {INFERENCE_BUCKETS},
        "Models loaded": {"llm_router_models_loaded"},
        "Request volume by method and route": {"llm_router_http_requests_total"},
        "Inference p50, p95 and p99": {INFERENCE_BUCKETS},
        "Token rate by model": {"llm_router_tokens_generated_total"},
        "Cache hit rate": {"llm_router_cache_hits_total", "llm_router_cache_misses_total"},
    },
    "model-performance": {
        "Usage share": {"llm_router_inference_total"},
        "Tokens/s by model (p95)": {"llm_router_tokens_per_second_bucket"},
        "Memory by model": {"llm_router_model_memory_bytes"},
        "Model load time": {"llm_router_model_load_duration_seconds_bucket"},
    },
    "system-resources": {
        "CPU": {"llm_router_process_cpu_seconds_total"},
        "Resident memory": {"llm_router_process_resident_memory_bytes"},
        "Heap memory": {"llm_router_process_heap_bytes"},
        "Active connections": {"llm_router_active_connections"},
        "Errors by type": {"llm_router_errors_total"},
    },
}


def expressions_of(stem: str, title: str) -> list[str]:
    return [filled_in(target["expr"]) for target in panel(stem, title)["targets"]]


def datasources(value: Any) -> Iterator[dict[str, str]]:
    """Every reference to a data source, at any depth."""
    if isinstance(value, list):
        for item in value:  # pyright: ignore[reportUnknownVariableType] - JSON
            yield from datasources(item)
    if isinstance(value, dict):
        for key, item in value.items():  # pyright: ignore[reportUnknownVariableType] - JSON
            if key == "datasource":
                yield item
            yield from datasources(item)


def cells(position: dict[str, int]) -> set[tuple[int, int]]:
    columns = range(position["x"], position["x"] + position["w"])
    return {(column, line) for column in columns for line in range(position["y"], position["y"] + position["h"])}


def test_there_are_the_three():
    assert tuple(DASHBOARDS) == STEMS


@pytest.mark.parametrize(
    ("stem", "title", "expected"),
    [(stem, title, expected) for stem, required in REQUIRED.items() for title, expected in required.items()],
)
def test_required_panel_shows_its_metric(stem: str, title: str, expected: set[str]):
    shown = set[str]().union(*(metrics(text) for text in expressions_of(stem, title)))
    assert shown == expected


def test_success_rate_leaves_aborted_requests_out_and_says_so():
    (text,) = expressions_of("overview", "Inference success rate")
    assert matched(text, "status") == {"success", "error"}
    assert "Aborted requests" in panel("overview", "Inference success rate")["description"]


def test_error_figure_leaves_recovered_failures_out():
    (text,) = expressions_of("overview", "Errors")
    assert matched(text, "severity") == {"error", "critical"}


@pytest.mark.parametrize(
    ("stem", "title", "quantiles"),
    [
        ("overview", "p95 response time", ["0.95"]),
        ("overview", "Inference p50, p95 and p99", ["0.5", "0.95", "0.99"]),
        ("model-performance", "Tokens/s by model (p95)", ["0.95"]),
    ],
)
def test_quantiles_are_those_of_the_title(stem: str, title: str, quantiles: list[str]):
    assert [re.findall(r"histogram_quantile\(([\d.]+)", text) for text in expressions_of(stem, title)] == [
        [quantile] for quantile in quantiles
    ]


def test_load_time_is_a_heat_map_of_buckets():
    shown = panel("model-performance", "Model load time")
    assert (shown["type"], shown["targets"][0]["format"], shown["options"]["calculate"]) == (
        "heatmap",
        "heatmap",
        False,
    )


def test_usage_share_covers_the_time_range():
    shown = panel("model-performance", "Usage share")
    assert shown["type"] == "piechart"
    assert "[$__range]" in shown["targets"][0]["expr"]
    assert shown["targets"][0]["instant"] is True


@pytest.mark.parametrize("stem", STEMS)
def test_panel_ids_and_titles_are_unique(stem: str):
    everything = dashboard(stem)["panels"]
    ids = [shown["id"] for shown in everything]
    titles = [shown["title"] for shown in everything]
    assert len(set(ids)) == len(ids)
    assert len(set(titles)) == len(titles)
    assert all(identifier > 0 for identifier in ids)


@pytest.mark.parametrize("stem", STEMS)
def test_no_panel_overlaps_another_or_leaves_the_grid(stem: str):
    everything = dashboard(stem)["panels"]
    for position in (shown["gridPos"] for shown in everything):
        assert position["x"] >= 0
        assert position["x"] + position["w"] <= 24
        assert min(position["w"], position["h"]) > 0
    for one, other in combinations(everything, 2):
        assert not cells(one["gridPos"]) & cells(other["gridPos"]), (one["title"], other["title"])


@pytest.mark.parametrize("stem", STEMS)
def test_rows_are_full(stem: str):
    everything = dashboard(stem)["panels"]
    taken = set[tuple[int, int]]().union(*(cells(shown["gridPos"]) for shown in everything))
    lines = max(line for _, line in taken) + 1
    assert len(taken) == lines * 24, "a gap in the grid"


@pytest.mark.parametrize("stem", STEMS)
def test_every_panel_explains_itself(stem: str):
    for shown in panels(stem):
        defaults = shown["fieldConfig"]["defaults"]
        assert len(shown["description"]) > 20, shown["title"]
        assert shown["description"].endswith("."), shown["title"]
        assert defaults["unit"] in KNOWN_UNITS, shown["title"]
        assert defaults["noValue"], shown["title"]
        assert shown["targets"], shown["title"]
        references = [target["refId"] for target in shown["targets"]]
        assert len(set(references)) == len(references), shown["title"]
        assert all(references), shown["title"]


@pytest.mark.parametrize("stem", STEMS)
def test_the_data_source_is_always_the_variable(stem: str):
    model = dashboard(stem)
    shown = panels(stem)
    assert all("datasource" in one for one in shown)
    assert all("datasource" in target for one in shown for target in one["targets"])
    assert all(found == {"type": "prometheus", "uid": "${datasource}"} for found in datasources(model))


@pytest.mark.parametrize("stem", STEMS)
def test_every_query_follows_the_variables(stem: str):
    for shown in panels(stem):
        for target in shown["targets"]:
            selectors = re.findall(r"(llm_router_\w+)(\{[^}]*\})?", target["expr"])
            assert selectors
            for name, conditions in selectors:
                assert 'job=~"$job"' in conditions, name
                assert 'instance=~"$instance"' in conditions, name
            windows = set(re.findall(r"\[([^]]+)\]", target["expr"]))
            assert windows <= {"$__rate_interval", "$__range"}, shown["title"]


@pytest.mark.parametrize("stem", STEMS)
def test_variables(stem: str):
    source, job, instance = dashboard(stem)["templating"]["list"]
    assert (source["name"], source["type"], source["query"]) == ("datasource", "datasource", "prometheus")
    for variable in (job, instance):
        assert variable["type"] == "query"
        assert variable["multi"]
        assert variable["includeAll"]
        assert variable["allValue"] == ".*"
        assert variable["current"]["value"] == ["$__all"]
    series = r'label_values\(\{__name__=~"([\w|]+)"'
    for variable, name, conditions in ((job, "job", ""), (instance, "instance", ', job=~"$job"')):
        assert variable["name"] == name
        query = variable["query"]["query"]
        found = re.match(series, query)
        assert found, query
        assert query == f'label_values({{__name__=~"{found[1]}"{conditions}}}, {name})'
        for metric in found[1].split("|"):
            assert metrics(metric) <= REPORTED_BY_EVERY_ROUTER


@pytest.mark.parametrize("stem", STEMS)
def test_uid_never_changes_and_links_lead_to_the_other_two(stem: str):
    model = dashboard(stem)
    assert model["uid"] == UIDS[stem]
    assert {link["url"] for link in model["links"]} == {f"/d/{uid}" for uid in UIDS.values()} - {f"/d/{UIDS[stem]}"}
    assert all(link["includeVars"] and link["keepTime"] for link in model["links"])
    # Grafana gives an imported dashboard its own number; one in the file may be another's.
    assert model.get("id") is None


@pytest.mark.parametrize("stem", STEMS)
def test_schema_is_one_that_grafana_11_reads(stem: str):
    assert 36 <= dashboard(stem)["schemaVersion"] <= 41


@pytest.mark.parametrize(
    ("stem", "title", "steps"),
    [
        ("overview", "p95 response time", [None, 30, 60]),
        ("overview", "Errors", [None, 0.1, 0.5]),
        ("overview", "Cache hit rate", [None, 0.5]),
        ("system-resources", "Resident memory", [None, 3e9, 7e9]),
        ("system-resources", "Queue size", [None, 100, 500]),
    ],
)
def test_thresholds_are_those_of_the_alerts(stem: str, title: str, steps: list[float | None]):
    thresholds = panel(stem, title)["fieldConfig"]["defaults"]["thresholds"]
    assert [step["value"] for step in thresholds["steps"]] == steps
