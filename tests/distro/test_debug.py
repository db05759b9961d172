"""What ``/debug`` shows of the options."""

from __future__ import annotations

from otel_llm_router.distro import _debug, settings


def test_no_secret_of_an_option_is_shown():
    given = {
        "OTEL_LLM_ROUTER_ALERTS_RELAY_URL": "https://alerts.example/in?token=hunter22&to=ops",
        "OTEL_LLM_ROUTER_ALERTS_SLACK_URL": "https://hooks.example/hunter22",
        "OTEL_LLM_ROUTER_HEALTH_TARGETS": "redis://me:hunter22@cache.example",
        "OTEL_LLM_ROUTER_HEALTH_INTERVAL": "7",
    }
    options, problems = settings.read(given)
    assert problems == []
    shown = _debug.state(options)["options"]
    assert "hunter22" not in str(shown)
    assert shown["OTEL_LLM_ROUTER_ALERTS_RELAY_URL"] == "https://alerts.example/in?token=[REDACTED]&to=ops"
    assert shown["OTEL_LLM_ROUTER_HEALTH_INTERVAL"] == 7
