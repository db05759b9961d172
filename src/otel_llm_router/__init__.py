"""OpenTelemetry instrumentation for LLM routers and gateways.

Start a router under ``opentelemetry-instrument`` and nothing here needs to be imported.
For a router that should say more than hooks can see, use `otel_llm_router.telemetry`;
for tests of that code, `otel_llm_router.testing`.
"""

from otel_llm_router._version import __version__

__all__ = ["__version__"]
