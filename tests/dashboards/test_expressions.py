"""Every expression that is shipped names what exists, by a reading of its own."""

from __future__ import annotations

import re

import pytest

from otel_llm_router.signals import INSTRUMENTS, Instrument, Kind
from promql_reading import UnreadableError, labels_of, metrics
from shipped_files import Expression, expressions

EXPRESSIONS = expressions()
LEFT_OVER = re.compile(r"\$\w+")


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=lambda expression: expression.where)
def test_it_parses_and_names_only_what_is_declared(expression: Expression):
    assert not LEFT_OVER.findall(expression.text)
    assert isinstance(labels_of(expression.text), frozenset)


@pytest.mark.parametrize(
    "expression",
    [expression for expression in EXPRESSIONS if expression.legend],
    ids=lambda expression: expression.where,
)
def test_its_legend_names_labels_that_the_result_has(expression: Expression):
    assert set(re.findall(r"\{\{(\w+)\}\}", expression.legend)) <= labels_of(expression.text) | {"le"}


def test_every_label_of_the_result_is_in_the_legend():
    unnamed = [
        expression.where
        for expression in EXPRESSIONS
        if expression.legend and labels_of(expression.text) - set(re.findall(r"\{\{(\w+)\}\}", expression.legend))
    ]
    assert unnamed == [], "lines that cannot be told apart"


def test_there_are_expressions_of_each_file():
    assert {expression.where.partition(":")[0] for expression in EXPRESSIONS} == {
        "overview",
        "model-performance",
        "system-resources",
        "alerts.yaml",
        "recording.yaml",
    }


def test_every_required_metric_of_a_router_is_on_a_dashboard():
    shown = set[str]().union(*(metrics(e.text) for e in EXPRESSIONS if not e.where.partition(":")[0].endswith("yaml")))

    def is_shown(instrument: Instrument) -> bool:
        parts = ("_bucket", "_count") if instrument.kind is Kind.HISTOGRAM else ("",)
        return any(instrument.prometheus_name + part in shown for part in parts)

    assert [i.prometheus_name for i in INSTRUMENTS if i.source == "A1" and not is_shown(i)] == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("llm_router_requests_total", "nothing declares"),
        ("llm_router_inference_duration_seconds", "nothing declares"),
        ('llm_router_inference_total{provider="x"}', "no label provider"),
        ('llm_router_inference_total{status="failed"}', "never failed"),
        ("rate(llm_router_models_loaded[5m])", "no counter"),
        ("sum by (provider) (llm_router_models_loaded)", "aggregated by provider"),
        ("histogram_quantile(0.9, sum(rate(llm_router_overhead_seconds_bucket[5m])))", "without the label le"),
        ("sum by (model) (llm_router_model_memory_bytes) / sum(llm_router_models_loaded)", "matches nothing"),
    ],
)
def test_the_reading_refuses_what_would_show_nothing(text: str, complaint: str):
    with pytest.raises(UnreadableError, match=complaint):
        labels_of(text)
