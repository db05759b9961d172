from __future__ import annotations

import pytest

from otel_llm_router import environment_variables
from otel_llm_router.distro import _logs, settings
from otel_llm_router.signals import content, options


def test_defaults() -> None:
    found, problems = settings.read({})
    assert problems == []
    assert found == settings.Settings(**{option.name: option.default for option in options.OPTIONS})  # pyright: ignore[reportArgumentType]
    assert (found.scrape_host, found.scrape_port) == ("127.0.0.1", 9090)


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("OTEL_LLM_ROUTER_DISABLED", "TRUE", "disabled", True),
        ("OTEL_LLM_ROUTER_SCRAPE", "no", "scrape", False),
        ("OTEL_LLM_ROUTER_SCRAPE_PORT", " 9191 ", "scrape_port", 9191),
        ("OTEL_EXPORTER_PROMETHEUS_PORT", "9192", "scrape_port", 9192),
        ("OTEL_EXPORTER_PROMETHEUS_HOST", "0.0.0.0", "scrape_host", "0.0.0.0"),
        ("OTEL_LLM_ROUTER_GENAI_METRICS", "Both", "genai_metrics", "both"),
        ("OTEL_LLM_ROUTER_EXIT_BUDGET", "0.5", "exit_budget", 0.5),
    ],
)
def test_values(variable: str, text: str, name: str, value: object) -> None:
    found, problems = settings.read({variable: text})
    assert getattr(found, name) == value
    assert problems == []


def test_our_own_variable_is_stronger_than_its_alias() -> None:
    found, _ = settings.read({"OTEL_EXPORTER_PROMETHEUS_PORT": "1", "OTEL_LLM_ROUTER_SCRAPE_PORT": "2"})
    assert found.scrape_port == 2


@pytest.mark.parametrize(
    ("variable", "text", "allowed"),
    [
        ("OTEL_LLM_ROUTER_DISABLED", "maybe", "true or false"),
        ("OTEL_LLM_ROUTER_SCRAPE_PORT", "ninety", "whole number from 0 to 65535"),
        ("OTEL_LLM_ROUTER_SCRAPE_PORT", "70000", "whole number from 0 to 65535"),
        ("OTEL_LLM_ROUTER_EXIT_BUDGET", "nan", "number from 0 to 60"),
        ("OTEL_LLM_ROUTER_EXIT_BUDGET", "-1", "number from 0 to 60"),
        ("OTEL_LLM_ROUTER_GENAI_METRICS", "newest", "one of old, new, both, none"),
    ],
)
def test_what_is_not_allowed_is_said_with_what_is(variable: str, text: str, allowed: str) -> None:
    found, (problem,) = settings.read({variable: text})
    assert found == settings.read({})[0]
    for part in (variable, repr(text), allowed, settings.DOCUMENTATION):
        assert part in problem


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        (None, "NO_CONTENT"),
        ("", "NO_CONTENT"),
        ("no_content", "NO_CONTENT"),
        ("false", "NO_CONTENT"),
        (" SPAN_ONLY ", "SPAN_ONLY"),
        ("event_only", "EVENT_ONLY"),
        ("SPAN_AND_EVENT", "SPAN_AND_EVENT"),
    ],
)
def test_the_standard_variable_says_where_content_is_recorded(text: str | None, mode: str) -> None:
    environ = {} if text is None else {content.VARIABLE: text}
    assert settings.content_mode(environ) == (mode, "")


@pytest.mark.parametrize("text", ["true", "1", "SPAN", "SPAN_ONLY,EVENT_ONLY", "x" * 10_000])
def test_another_value_of_it_is_said_and_means_none(text: str) -> None:
    mode, problem = settings.content_mode({content.VARIABLE: text})
    assert mode == "NO_CONTENT"
    assert problem.startswith(f"{content.VARIABLE}='{text[:200]}")
    assert "it takes one of NO_CONTENT, SPAN_ONLY, EVENT_ONLY, SPAN_AND_EVENT" in problem
    assert len(problem) < 1000


def test_an_unknown_option_is_said_with_the_likely_one() -> None:
    _, (problem,) = settings.read({"OTEL_LLM_ROUTER_SCRAP_PORT": "1", "OTEL_LLM_OTHER": "2", "PATH": "3"})
    assert "OTEL_LLM_ROUTER_SCRAP_PORT" in problem
    assert "did you mean OTEL_LLM_ROUTER_SCRAPE_PORT?" in problem


def test_every_option_is_a_flag() -> None:
    assert {name for name in dir(environment_variables) if name.startswith("OTEL_")} == {
        option.env for option in options.OPTIONS
    }
    assert options.SCRAPE_PORT.flag == "--llm_router_scrape_port"


@pytest.mark.parametrize(
    ("value", "expected"), [(None, True), ("", True), ("otlp", False), ("otlp, prometheus", True), ("none", False)]
)
def test_prometheus_is_served_unless_exporters_are_named_without_it(value: str | None, expected: bool) -> None:
    assert settings.with_prometheus({} if value is None else {"OTEL_METRICS_EXPORTER": value}) is expected


@pytest.mark.parametrize(
    ("environ", "name", "value"),
    [
        ({"MONITORING_ENABLED": "false"}, "disabled", True),
        ({"MONITORING_ENABLED": "true"}, "disabled", False),
        ({"MONITORING_ENABLED": "true", "OTEL_LLM_ROUTER_DISABLED": "true"}, "disabled", True),
        ({"PROMETHEUS_ENABLED": "false"}, "scrape", False),
        ({"ENABLE_METRICS": "0"}, "scrape", False),
        ({"PROMETHEUS_ENABLED": "true", "ENABLE_METRICS": "false"}, "scrape", True),
        ({"HEALTH_CHECK_ENABLED": "no"}, "health", False),
        ({"PROFILER_ENABLED": "yes"}, "profiler", True),
        ({"METRICS_PORT": "9100"}, "scrape_port", 9100),
        ({"METRICS_PORT": "9100", "OTEL_EXPORTER_PROMETHEUS_PORT": "9200"}, "scrape_port", 9200),
        ({"METRICS_ENDPOINT": "/internal/metrics/"}, "scrape_path", "/internal/metrics"),
        ({"HEALTH_ENDPOINT": "/healthz"}, "health_path", "/healthz"),
    ],
)
def test_names_that_operators_know(environ: dict[str, str], name: str, value: object) -> None:
    found, problems = settings.read(environ)
    assert getattr(found, name) == value
    assert problems == []


@pytest.mark.parametrize("path", ["metrics", "http://router:9090/metrics", "/", "/a b", "//"])
def test_what_is_no_path(path: str) -> None:
    found, problems = settings.read({"METRICS_ENDPOINT": path})
    assert found.scrape_path == "/metrics"
    assert problems[0].startswith(f"METRICS_ENDPOINT={path!r} is not allowed: it takes a path that begins with /")


@pytest.mark.parametrize(
    ("environ", "name", "value"),
    [
        ({"LOG_FILE": "a.log"}, "log_file", "a.log"),
        ({"LOG_FILE": "a.log", "OTEL_LLM_ROUTER_LOG_FILE": "b.log"}, "log_file", "b.log"),
        ({"LOG_LEVEL": "WARNING"}, "log_level", "warning"),
        ({"LOG_LEVEL": "trace"}, "log_level", "info"),
        ({"LOG_LEVEL": "error", "OTEL_LLM_ROUTER_LOG_LEVEL": "debug"}, "log_level", "debug"),
        ({"LOG_FORMAT": "json"}, "log_format", "json"),
        ({"LOG_FORMAT": "%(asctime)s %(message)s"}, "log_format", "auto"),
        ({"DEBUG": "1"}, "log_debug", True),
        ({"DEBUG": "express:*"}, "log_debug", False),
    ],
)
def test_names_that_applications_use_in_their_own_way(environ: dict[str, str], name: str, value: object) -> None:
    found, problems = settings.read(environ)
    assert getattr(found, name) == value
    assert problems == []


def test_our_own_name_is_read_strictly() -> None:
    _, (problem,) = settings.read({"OTEL_LLM_ROUTER_LOG_LEVEL": "trace", "LOG_LEVEL": "chatty"})
    assert "OTEL_LLM_ROUTER_LOG_LEVEL='trace' is not allowed" in problem


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, {"application", "error", "audit"}),
        ({"LOG_FILE": "a.log"}, {"application", "access", "error", "audit", "metrics"}),
        ({"OTEL_LLM_ROUTER_LOG_STREAMS": "access, error"}, {"access", "error"}),
        ({"LOG_FILE": "a.log", "OTEL_LLM_ROUTER_LOG_STREAMS": "audit"}, {"audit"}),
    ],
)
def test_which_log_streams_there_are(environ: dict[str, str], expected: set[str]) -> None:
    assert _logs.streams(settings.read(environ)[0]) == expected
