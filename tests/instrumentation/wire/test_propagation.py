"""What of the application's baggage goes upstream."""

from __future__ import annotations

from opentelemetry import baggage

from otel_llm_router.instrumentation.wire import _propagation


def test_secrets_in_the_baggage_stay_here() -> None:
    context = baggage.set_baggage("tenant", "blue")
    context = baggage.set_baggage("api_key", "abc", context)
    context = baggage.set_baggage("of", "password=abc", context)
    headers: dict[str, str] = {}
    _propagation.inject(headers, context)
    assert headers["baggage"] == "tenant=blue"
    assert baggage.get_baggage("api_key", context) == "abc"
