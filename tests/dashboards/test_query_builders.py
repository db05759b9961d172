"""The builders write the PromQL that is meant, and refuse what would show nothing."""

from __future__ import annotations

import math

import pytest

from dashboards.source import measures
from dashboards.source.queries import Query, QueryError, Target, only
from dashboards.source.selection import Selection
from otel_llm_router.signals import Attribute, Instrument, Kind
from otel_llm_router.signals import attributes as a
from otel_llm_router.signals.instruments import gen_ai, requests, resources, routing

ALL = Selection(window="5m")
BY_JOB = Selection(window="5m", by=(Target.JOB,))
SHOWN = Selection(window="$__rate_interval", matchers=('job=~"$job"',))


def test_rate_of_a_counter():
    query = ALL.rate(requests.INFERENCE, by=[a.MODEL], where=[only(a.STATUS, "success")])
    assert query.text == 'sum by (model) (rate(llm_router_inference_total{status="success"}[5m]))'
    assert query.labels == {"model"}


def test_rate_of_a_histogram_counts_its_records():
    assert ALL.rate(requests.OVERHEAD).text == "sum(rate(llm_router_overhead_seconds_count[5m]))"


def test_increase_over_another_window():
    query = Selection(window="$__range").increase(resources.CACHE_HITS, by=[a.CACHE_TYPE])
    assert query.text == "sum by (cache_type) (increase(llm_router_cache_hits_total[$__range]))"


def test_level_of_a_gauge_and_of_an_up_down_counter():
    assert ALL.level(resources.MODELS_LOADED).text == "sum(llm_router_models_loaded)"
    assert ALL.level(requests.REQUESTS_IN_FLIGHT, how="max").text == "max(llm_router_requests_in_flight)"


def test_quantile_keeps_the_bound_until_it_is_computed():
    query = ALL.quantile(0.95, requests.TIME_TO_FIRST_TOKEN, by=[a.MODEL])
    assert query.text == (
        "histogram_quantile(0.95, sum by (model, le) (rate(llm_router_time_to_first_token_seconds_bucket[5m])))"
    )
    assert query.labels == {"model"}
    assert query.ceiling == 30


def test_a_selection_limits_and_groups_every_query():
    assert BY_JOB.rate(requests.ERRORS, by=[Target.INSTANCE]).text == (
        "sum by (job, instance) (rate(llm_router_errors_total[5m]))"
    )
    assert SHOWN.level(resources.QUEUE_SIZE, by=[a.QUEUE_TYPE]).text == (
        'sum by (queue_type) (llm_router_queue_size{job=~"$job"})'
    )
    query = SHOWN.rate(requests.INFERENCE, where=[only(a.STATUS, "success", "error")])
    assert query.text == (
        'sum(rate(llm_router_inference_total{job=~"$job", status=~"success|error"}[$__rate_interval]))'
    )


def test_a_dotted_attribute_becomes_the_label_that_prometheus_shows():
    query = ALL.rate(gen_ai.TOKEN_USAGE, by=[a.GEN_AI_REQUEST_MODEL])
    assert query.text == "sum by (gen_ai_request_model) (rate(gen_ai_client_token_usage_count[5m]))"


def test_heat_counts_a_series_that_is_born_with_its_record():
    name = "llm_router_model_load_duration_seconds_bucket"
    assert ALL.heat(resources.MODEL_LOAD_DURATION).text == (
        f"sum by (le) (({name} unless {name} offset 5m) or increase({name}[5m]))"
    )


@pytest.mark.parametrize("instrument", [resources.MODELS_LOADED, requests.REQUESTS_IN_FLIGHT, resources.QUEUE_SIZE])
def test_no_rate_of_what_is_no_counter(instrument: Instrument):
    for function in (ALL.rate, ALL.increase):
        with pytest.raises(QueryError, match=f"{instrument.name} is a .*needs counter"):
            function(instrument)


@pytest.mark.parametrize("instrument", [requests.INFERENCE, resources.PROCESS_CPU, requests.OVERHEAD])
def test_no_present_value_of_a_count(instrument: Instrument):
    with pytest.raises(QueryError, match="present value needs observable_gauge or up_down_counter"):
        ALL.level(instrument)


@pytest.mark.parametrize("instrument", [requests.INFERENCE, resources.QUEUE_SIZE])
def test_no_buckets_of_what_is_no_histogram(instrument: Instrument):
    with pytest.raises(QueryError, match="buckets needs histogram"):
        ALL.quantile(0.95, instrument)
    with pytest.raises(QueryError, match="buckets needs histogram"):
        ALL.heat(instrument)
    with pytest.raises(QueryError, match="buckets needs histogram"):
        ALL.cumulative_buckets(instrument, bounds=[1.0])


def test_no_cumulative_count_of_a_gauge_and_no_part_of_a_counter():
    with pytest.raises(QueryError, match="needs counter or observable_counter"):
        ALL.cumulative(resources.QUEUE_SIZE)
    with pytest.raises(QueryError, match="needs histogram"):
        ALL.cumulative(requests.INFERENCE, part="_sum")


def test_no_label_that_the_instrument_does_not_have():
    message = "llm_router.inference has no attribute provider; it has model, strategy, status, cached"
    with pytest.raises(QueryError, match=message):
        ALL.rate(requests.INFERENCE, by=[a.PROVIDER])


def test_no_condition_on_a_label_that_the_instrument_does_not_have():
    with pytest.raises(QueryError, match=r"llm_router.attempts has no attribute cached"):
        ALL.rate(routing.ATTEMPTS, where=[only(a.CACHED, "true")])


def test_one_key_of_two_attributes_is_not_one_label():
    # llm_router.fallbacks ends in success, error or aborted; another instrument's status has two values.
    assert a.OPERATION_STATUS.key == a.STATUS.key
    with pytest.raises(QueryError, match="no attribute status"):
        ALL.rate(routing.FALLBACKS, by=[a.OPERATION_STATUS])


@pytest.mark.parametrize("values", [("failed",), ("success", "failed"), ()])
def test_no_value_outside_a_closed_set(values: tuple[str, ...]):
    with pytest.raises(QueryError, match=r"status is one of success, error, aborted; not (failed|nothing)"):
        only(a.STATUS, *values)


def test_cumulative_buckets_are_chosen_however_their_bounds_are_written():
    query = BY_JOB.cumulative_buckets(routing.ATTEMPT_DURATION, bounds=[0.5, 5.0], by=[a.PROVIDER])
    assert query.text == (
        'sum by (job, instance, provider, le) (llm_router_attempt_duration_seconds_bucket{le=~"0[.]5|5([.]0)?|[+]Inf"})'
    )


def test_cumulative_counts_keep_the_instance():
    query = ALL.cumulative(routing.ATTEMPT_DURATION, part="_sum", by=[a.PROVIDER])
    assert query.text == "sum by (instance, provider) (llm_router_attempt_duration_seconds_sum)"


def test_no_alias_bucket_that_the_histogram_does_not_have():
    with pytest.raises(QueryError, match="no bucket with the bound 3"):
        ALL.cumulative_buckets(routing.ATTEMPT_DURATION, bounds=[1.0, 3.0])


def test_no_threshold_that_a_quantile_cannot_reach():
    http = ALL.quantile(0.95, requests.HTTP_REQUEST_DURATION)
    with pytest.raises(QueryError, match="buckets up to 30 is never larger than 30"):
        http.above(30)
    assert http.above(29).text.endswith("> 29")
    with pytest.raises(QueryError, match="never larger"):
        http.aggregated("max").above(30)
    assert http.scaled(2).ceiling == 60
    assert ALL.rate(requests.INFERENCE).ceiling == math.inf


def test_no_operator_between_results_of_different_labels():
    by_model = ALL.rate(requests.INFERENCE, by=[a.MODEL])
    with pytest.raises(QueryError, match="needs the same labels"):
        by_model.over(ALL.rate(requests.INFERENCE))
    with pytest.raises(QueryError, match="and needs the same labels"):
        by_model.during(ALL.rate(requests.INFERENCE))


def test_no_aggregation_by_a_label_that_is_gone():
    with pytest.raises(QueryError, match="no label instance is left"):
        ALL.rate(requests.INFERENCE, by=[a.MODEL]).aggregated("max", by=[Target.INSTANCE])


def atom(name: str) -> Query:
    return Query(text=name)


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (atom("a").above(1), "a > 1"),
        (atom("a").scaled(2).above(1), "a * 2 > 1"),
        (atom("a").above(1).scaled(2), "(a > 1) * 2"),
        (atom("a").above(1).during(atom("b").below(2)), "a > 1 and b < 2"),
        (atom("a").over(atom("b")), "(a or b * 0) / (b > 0)"),
        (atom("a").beside(atom("b")), "(a or b * 0) / ((a or b * 0) + (b or a * 0) > 0)"),
        (atom("a").over(atom("b")).below(0.5), "(a or b * 0) / (b > 0) < 0.5"),
        (atom("a").equal_to(0), "a == 0"),
        (atom("a").above(3e9), "a > 3e9"),
        (atom("a").age(), "time() - a"),
        (atom("a").scaled(2).age(), "time() - (a * 2)"),
        (atom("a").above(1).aggregated("max"), "max(a > 1)"),
    ],
)
def test_parentheses_stand_where_precedence_needs_them(query: Query, text: str):
    assert query.text == text


def test_a_long_operation_takes_a_line_for_each_side():
    long = "x" * 80
    assert atom(long).during(atom("y" * 80)).text == f"{long}\nand {'y' * 80}"
    assert atom(long).over(atom("y" * 80)).text == f"(\n  {long}\n  or {'y' * 80} * 0\n)\n/ ({'y' * 80} > 0)"


def test_measures_of_rules_keep_the_job_and_those_of_dashboards_follow_the_variables():
    assert measures.error_rate(measures.RULES).labels == {"job"}
    assert measures.error_rate(measures.DASHBOARD).labels == frozenset()
    assert 'job=~"$job", instance=~"$instance"' in measures.error_rate(measures.DASHBOARD).text


def test_every_kind_of_instrument_is_known_to_one_builder():
    bare = {
        kind: Instrument(name="n", prometheus_name="n", kind=kind, unit="", description="", source="") for kind in Kind
    }
    for kind, instrument in bare.items():
        accepted = 0
        for build in (ALL.rate, ALL.level):
            try:
                build(instrument)
            except QueryError:
                continue
            accepted += 1
        assert accepted == 1, kind


def test_an_attribute_is_known_by_identity_not_by_name():
    twin = Attribute(key="model", description="")
    with pytest.raises(QueryError, match="no attribute model"):
        ALL.rate(requests.INFERENCE, by=[twin])
