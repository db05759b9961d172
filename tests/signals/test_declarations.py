"""The declarations themselves: unique, complete, bounded, and those that the requirements name."""

from __future__ import annotations

import dataclasses
import re

import pytest

from otel_llm_router import signals
from otel_llm_router.signals import EVENTS, INSTRUMENTS, SPANS, Attribute, Instrument, Kind, attributes
from otel_llm_router.signals.instruments import gen_ai

# Requirement A1, as requirements.md has it. Its last row names the last four metrics in words only.
A1 = """
| `llm_router_http_request_duration_seconds` | histogram | method, route, status_code | .01 .05 .1 .5 1 2 5 10 30 |
| `llm_router_http_requests_total` | counter | method, route, status_code | |
| `llm_router_inference_total` | counter | model, strategy, status, cached | status success or error; cached true or false |
| `llm_router_inference_duration_seconds` | histogram | model, strategy | .1 .5 1 2 5 10 30 60 120 |
| `llm_router_tokens_generated_total` | counter | model, strategy | |
| `llm_router_tokens_per_second` | histogram | model | 1 5 10 20 50 100 200 500 |
| `llm_router_models_loaded` | gauge | format, size_category | size: small < 1e9 B, medium < 10e9, large < 50e9, else xlarge |
| `llm_router_model_load_duration_seconds` | histogram | model, format | 1 5 10 30 60 120 300 600 |
| `llm_router_model_memory_bytes` | gauge | model, format | gone after unload |
| `llm_router_cache_hits_total`, `llm_router_cache_misses_total` | counter | cache_type | |
| `llm_router_cache_size_bytes` | gauge | cache_type | |
| `llm_router_active_connections` | gauge | type, protocol | |
| `llm_router_connection_duration_seconds` | histogram | type, protocol | 1 10 30 60 300 600 1800 3600 |
| `llm_router_errors_total` | counter | type, component, severity | |
| `llm_router_queue_size` | gauge | queue_type | |
| `llm_router_queue_processing_seconds` | histogram | queue_type | .01 .1 .5 1 5 10 30 |
| `llm_router_process_cpu_seconds_total` | counter | | |
| `llm_router_process_resident_memory_bytes`, `llm_router_process_heap_bytes` | gauge | | |
| `llm_router_process_open_fds`, `llm_router_process_threads`, `llm_router_process_start_time_seconds` | gauge | | |
| `llm_router_process_gc_pause_seconds` | histogram | generation | .001 .01 .1 1 2 5 |
"""

PROMETHEUS_KIND = {
    Kind.COUNTER: "counter",
    Kind.OBSERVABLE_COUNTER: "counter",
    Kind.UP_DOWN_COUNTER: "gauge",
    Kind.OBSERVABLE_GAUGE: "gauge",
    Kind.HISTOGRAM: "histogram",
}

Row = tuple[str, str, list[str], list[float]]


def _rows() -> list[Row]:
    rows: list[Row] = []
    for line in A1.strip().splitlines():
        names, kind, labels, note = (cell.strip() for cell in line.strip().strip("|").split("|"))
        buckets = [float(bound) for bound in note.split()] if re.fullmatch(r"[\d. ]+", note) else []
        wanted = [label.strip() for label in labels.split(",")] if labels else []
        rows += [(name, kind, wanted, buckets) for name in re.findall(r"`(\w+)`", names)]
    return rows


ROWS = _rows()
BY_PROMETHEUS_NAME = {one.prometheus_name: one for one in INSTRUMENTS}


def test_the_table_was_read():
    assert len(ROWS) == 24
    assert sum(1 for _, kind, _, _ in ROWS if kind == "histogram") == 7


@pytest.mark.parametrize(("name", "kind", "labels", "buckets"), ROWS, ids=[row[0] for row in ROWS])
def test_requirement_a1_is_declared_to_the_letter(name: str, kind: str, labels: list[str], buckets: list[float]):
    declared = BY_PROMETHEUS_NAME[name]
    assert PROMETHEUS_KIND[declared.kind] == kind
    assert [attribute.key for attribute in declared.attributes] == labels
    assert list(declared.buckets) == buckets
    assert declared.stability is signals.Stability.STABLE
    assert declared.source == "A1"


def test_only_contracts_are_called_stable():
    stable = {one.prometheus_name for one in INSTRUMENTS if one.stability is signals.Stability.STABLE}
    assert stable == {name for name, *_ in ROWS}


def test_names_are_unique():
    assert len({one.name for one in INSTRUMENTS}) == len(INSTRUMENTS)
    assert len(BY_PROMETHEUS_NAME) == len(INSTRUMENTS)
    assert len({event.name for event in EVENTS}) == len(EVENTS)
    assert len({span.name for span in SPANS}) == len(SPANS)
    # A histogram makes three names of one; none may be another metric's.
    series = [
        one.prometheus_name + suffix
        for one in INSTRUMENTS
        for suffix in (("_bucket", "_sum", "_count") if one.kind is Kind.HISTOGRAM else ("",))
    ]
    assert len(set(series)) == len(series)


def test_every_module_level_declaration_is_in_the_catalogue():
    modules = (
        signals.instruments.requests,
        signals.instruments.routing,
        signals.instruments.resources,
        signals.instruments.gen_ai,
        signals.instruments.security,
        signals.instruments.self_telemetry,
    )
    declared = [value for module in modules for value in vars(module).values() if isinstance(value, Instrument)]
    assert set(declared) == set(INSTRUMENTS)
    assert {one.name for one in declared if one.name.startswith("gen_ai.")} == {
        one.name for one in (*gen_ai.OLD, *gen_ai.NEW)
    }


def test_look_up_by_name():
    assert signals.instrument("llm_router.inference").prometheus_name == "llm_router_inference_total"
    with pytest.raises(KeyError):
        signals.instrument("llm_router.made_up")


@pytest.mark.parametrize("declared", INSTRUMENTS, ids=lambda one: one.name)
def test_an_instrument_is_complete(declared: Instrument):
    assert re.fullmatch(r"(llm_router|gen_ai)(\.[a-z][a-z_]*)+", declared.name)
    assert declared.description.strip() == declared.description != ""
    assert declared.description.endswith(".")
    assert declared.source
    keys = [attribute.key for attribute in declared.attributes]
    assert len(set(keys)) == len(keys)
    assert (declared.kind is Kind.HISTOGRAM) == bool(declared.buckets)


@pytest.mark.parametrize("declared", [one for one in INSTRUMENTS if one.buckets], ids=lambda one: one.name)
def test_buckets_are_rising_finite_floats(declared: Instrument):
    assert all(type(bound) is float for bound in declared.buckets)  # an int prints another le label
    assert list(declared.buckets) == sorted(set(declared.buckets))
    assert 0 < declared.buckets[0] < declared.buckets[-1] < float("inf")
    assert len(declared.buckets) <= 20


@pytest.mark.parametrize("declared", INSTRUMENTS, ids=lambda one: one.name)
def test_every_metric_label_is_closed_or_bounded(declared: Instrument):
    for attribute in declared.attributes:
        assert bool(attribute.values) != (attribute.bound is not None), attribute.key
        assert attribute.bound is None or 0 < attribute.bound <= 200


NOT_ATTRIBUTED = [one for one in INSTRUMENTS if not one.name.startswith("llm_router.attributed.")]
"""Those that are recorded without anybody having asked for it."""


@pytest.mark.parametrize("declared", NOT_ATTRIBUTED, ids=lambda one: one.name)
def test_no_metric_label_names_a_caller(declared: Instrument):
    forbidden = {"user", "user.id", "user_id", "session", "key", "api_key", "request_id", "conversation"}
    forbidden |= {"team", "organization"}
    assert not forbidden & {attribute.key for attribute in declared.attributes}


def test_our_labels_are_the_keys_that_prometheus_shows():
    for declared in INSTRUMENTS:
        if declared.name.startswith("llm_router."):
            for attribute in declared.attributes:
                assert re.fullmatch(r"[a-z][a-z_]*", attribute.key), attribute.key


def _attributes() -> list[Attribute]:
    return [value for value in vars(attributes).values() if isinstance(value, Attribute)]


def test_attributes_that_share_slots_share_their_bound():
    pools: dict[str, set[tuple[int | None, bool]]] = {}
    for attribute in _attributes():
        if attribute.bound is not None:
            pools.setdefault(attribute.slots, set()).add((attribute.bound, attribute.client_chosen))
    assert {slots: len(bounds) for slots, bounds in pools.items() if len(bounds) > 1} == {}


def test_one_key_means_one_thing_unless_its_domain_says_otherwise():
    by_slots: dict[str, set[str]] = {}
    for attribute in _attributes():
        if attribute.values or attribute.bound is not None:
            by_slots.setdefault(attribute.slots, set()).add(attribute.description)
    shared = {slots for slots, descriptions in by_slots.items() if len(descriptions) > 1}
    assert shared == {"model"}


def test_every_attribute_in_use_is_declared_here_and_described():
    used = {attribute for one in INSTRUMENTS for attribute in one.attributes}
    used |= {attribute for span in SPANS for attribute in span.attributes}
    used |= {attribute for span in SPANS for event in span.events for attribute in event.attributes}
    used |= {attribute for event in EVENTS for attribute in event.attributes}
    assert used <= set(_attributes())
    assert all(attribute.description for attribute in used)


def test_the_reserved_words_take_no_slot_and_no_closed_set_lists_other_by_accident():
    assert (attributes.OTHER, attributes.UNKNOWN) == ("other", "unknown")
    for attribute in _attributes():
        assert len(set(attribute.values)) == len(attribute.values)


def test_error_types_are_one_sorted_vocabulary():
    assert list(attributes.ERROR_TYPES) == sorted(set(attributes.ERROR_TYPES))
    assert attributes.ERROR_TYPE.values == ("", *attributes.ERROR_TYPES)
    assert attributes.ERROR_TYPE_SPAN.values == attributes.GEN_AI_ERROR_TYPE.values == attributes.ERROR_TYPES


def test_declarations_cannot_be_changed():
    declared = INSTRUMENTS[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        declared.name = "another"  # pyright: ignore[reportAttributeAccessIssue]


def test_log_events_and_span_events_have_names_of_ours():
    names = {event.name for event in EVENTS} | {event.name for span in SPANS for event in span.events}
    assert all(re.fullmatch(r"(llm_router|gen_ai)(\.[a-z][a-z_]*)+", name) for name in names)
    assert all(event.description.endswith(".") and event.source for event in EVENTS)


def test_the_design_names_what_else_makes_a_router_observable():
    """design.md, "Instruments beyond the requirements": each has a signal here."""
    wanted = {
        "llm_router.requests.in_flight",
        "llm_router.time_to_first_token",
        "llm_router.time_per_output_token",
        "llm_router.tokens",
        "llm_router.overhead",
        "llm_router.decisions",
        "llm_router.decision.duration",
        "llm_router.attempts",
        "llm_router.retries",
        "llm_router.fallbacks",
        "llm_router.cooldowns",
        "llm_router.deployment.state",
        "llm_router.queue.wait",
        "llm_router.cost.usd",
        "llm_router.cost.saved.usd",
        "llm_router.budget.limit.usd",
        "llm_router.budget.used.usd",
        "llm_router.rate_limit.remaining",
        "llm_router.rate_limit.hits",
        "llm_router.stream.aborts",
        "llm_router.usage.missing",
        "llm_router.health.check.state",
        "llm_router.auth.failures",
        "llm_router.rate_limit.triggers",
        "llm_router.telemetry.dropped",
        "llm_router.telemetry.label.overflow",
        "llm_router.telemetry.guard.errors",
        "llm_router.telemetry.export.failures",
        "llm_router.telemetry.scrape.duration",
    }
    assert wanted <= {one.name for one in INSTRUMENTS}


def test_signals_import_nothing_of_ours():
    """The room's rule, at run time: its modules load without any other room."""
    import subprocess  # noqa: PLC0415  # for this test only
    import sys  # noqa: PLC0415

    code = (
        "import sys, otel_llm_router.signals\n"
        "print(sorted({n.split('.')[1] for n in sys.modules if n.startswith('otel_llm_router.')}))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout.strip() == "['_version', 'signals']"
