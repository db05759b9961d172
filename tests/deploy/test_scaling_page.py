"""docs/scaling.md: its arithmetic, what it says of a request, and the names in it."""

from __future__ import annotations

import json
import re

import promql_parser as promql
import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from manifests import CONFIG, KUBERNETES, ROOT, documents
from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.signals import INSTRUMENTS

PAGE = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
SERVER_SPANS = 1


def number(text: str) -> float:
    return float(text.replace(",", ""))


def rows(heading: str) -> list[list[str]]:
    section = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    cells = [
        [cell.strip(" *") for cell in line.strip("|").split("|")]
        for line in section.splitlines()
        if line.startswith("|")
    ]
    return cells[2:]


def planned() -> tuple[float, float, float]:
    """Records and bytes of a request, and CPU seconds for 1,000 records, as the page says."""
    _, records, size = rows("What one request costs")[-1]
    found = re.search(r"\*\*([\d.]+) CPU seconds per 1,000 records\*\*", PAGE)
    assert found
    return number(records), number(size), float(found[1])


def test_a_request_is_what_the_page_says():
    with testing.capture() as captured:
        for _ in range(20):
            with router.request("smart", strategy="cheapest"):
                with router.decision(candidates=["gpt-4o", "claude-sonnet-4", "llama-3"]) as decision:
                    model = decision.select("gpt-4o", reason="code detected", score=0.8)
                with router.attempt("openai", model, deployment="eastus-1") as call:
                    call.response({"model": model, "usage": {"prompt_tokens": 300, "completion_tokens": 50}})
                    call.cost(0.001)
        spans = list(captured.spans())
    (own, extra, logs, planned_row) = rows("What one request costs")
    assert len(spans) / 20 + SERVER_SPANS == number(own[1])
    size = len(encode_spans(spans).SerializeToString()) / len(spans)
    assert size == pytest.approx(number(extra[2]), rel=0.25)
    assert number(own[2]) == number(own[1]) * number(extra[2])
    assert number(planned_row[1]) == number(own[1]) + number(logs[1])
    assert number(planned_row[2]) == number(own[2]) + number(logs[2])


def test_sizes_are_the_product_of_what_was_measured():
    records, size, cpu = planned()
    found = rows("Sizes")
    assert [number(row[0]) for row in found] == [10, 100, 1_000, 10_000, 100_000]
    for requests, per_second, megabytes, cores, _ in found:
        assert number(per_second) == records * number(requests)
        assert number(megabytes) == pytest.approx(number(requests) * size / 1e6, rel=0.1)
        assert number(cores) == pytest.approx(number(per_second) / 1000 * cpu / 0.7, rel=0.2)


def test_planning_takes_no_less_than_was_measured():
    records, _, cpu = planned()
    results = json.loads((ROOT / "benchmarks" / "results" / "collector.json").read_text(encoding="utf-8"))
    cost = "cores for 1,000 records/s"
    # Where it matters: not where a Collector has next to nothing to do.
    mixture = [one[cost] for one in results["mixture"]["figures"] if one["rate"] == 5_000]
    logs = {one["shape"]: one[cost] for one in results["throughput"]["figures"] if one["rate"] == 5_000}
    dearer = logs["to Elasticsearch, from a queue on disk"] - logs["to Loki, from a queue on disk"]
    assert cpu == pytest.approx(max(mixture) + dearer * 2 / records, abs=0.01)
    a_core = 0.7 / cpu * 1000
    said = re.search(r"([\d,]+) records/s a core, which are about ([\d,]+) requests/s", PAGE)
    assert said
    assert number(said[1]) == pytest.approx(a_core, rel=0.01)
    assert number(said[2]) == pytest.approx(a_core / records, rel=0.01)


@pytest.mark.parametrize("expression", re.findall(r"^\| `([^`]*[({\[][^`]*)` \|", PAGE, re.MULTILINE))
def test_expressions_can_be_evaluated_and_ask_for_what_exists(expression: str):
    assert promql.parse(expression)
    names = set(re.findall(r"\bllm_router_\w+", expression.replace("job:llm_router_inference:rate5m", "")))
    known = {instrument.prometheus_name for instrument in INSTRUMENTS}
    assert {name.removesuffix("_bucket") for name in names} <= known


def test_variables_and_defaults_are_those_of_the_gateway():
    text = (CONFIG / "gateway.yaml").read_text()
    for name, default in re.findall(r"`LLM_ROUTER_COLLECTOR_(\w+)` \(([\d,]+)", PAGE):
        found = re.search(rf"LLM_ROUTER_COLLECTOR_{name}:-(\d+)", text)
        assert found, name
        assert found[1] == default.replace(",", "")


def test_the_autoscaler_is_as_the_page_says():
    (scaler,) = [
        one for one in documents(KUBERNETES / "base" / "gateway.yaml") if one["kind"] == "HorizontalPodAutoscaler"
    ]
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (2, 10)
    assert "from 2 to 10" in PAGE
    records, _, cpu = planned()
    most = re.search(r"more than ([\d,]+) requests/s", PAGE)
    assert most
    assert number(most[1]) <= 10 * 0.7 / cpu * 1000 / records
