"""Set up from the application's own code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import otel_llm_router
from otel_llm_router.distro import configure as module


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        ({"scrape_prt": 1}, TypeError, "scrape_prt is no option: there are .*scrape_port"),
        (
            {"scrape_port": 99999},
            ValueError,
            "scrape_port='99999' is not allowed: it takes a whole number from 0 to 65535",
        ),
        ({"genai_metrics": "newest"}, ValueError, "old, new, both, none"),
        ({"components": {"alerts": True}}, TypeError, "'alerts'.* is not known: there are prometheus, health"),
        (
            {"integrations": {"langchain": True}},
            TypeError,
            "'langchain'.* is not installed: there are .*llm_router_asgi",
        ),
    ],
)
def test_what_is_wrong_in_the_call_is_raised(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        otel_llm_router.configure(**call)


def test_disabled_does_nothing() -> None:
    assert otel_llm_router.configure(enabled=False, scrape_port=0) is False


def test_a_module_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="no attribute 'configur'"):
        otel_llm_router.configur  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue]


CODE = """
import logging
import otel_llm_router
done = otel_llm_router.configure(
    service_name="mine", scrape_port=0, scrape_token="t0ken", process_metrics=False,
    components={"traces": False, "logs": False, "otlp_metrics": False, "health": False},
    integrations={"llm_router_wire": False},
)
again = otel_llm_router.configure(scrape_port=0)
from opentelemetry import trace
from otel_llm_router.instrumentation.asgi import AsgiInstrumentor
from otel_llm_router.instrumentation.wire import WireInstrumentor
print(done, again, trace.get_tracer_provider().resource.attributes["service.name"])
print(AsgiInstrumentor().is_instrumented_by_opentelemetry, WireInstrumentor().is_instrumented_by_opentelemetry)
"""


def test_in_a_process_of_its_own() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines() == ["True False mine", "True False"], done.stderr
    assert "is set up in this process already" in done.stderr
    assert "t0ken" not in done.stderr


def test_integrations_keep_what_the_environment_switches_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_PYTHON_DISABLED_INSTRUMENTATIONS", "other, llm_router_asgi")
    variables: Callable[..., dict[str, str]] = module.variables_of
    found = variables(None, None, {}, {"llm_router_asgi": True, "llm_router_wire": False}, {})
    assert found["OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"] == "llm_router_wire,other"
