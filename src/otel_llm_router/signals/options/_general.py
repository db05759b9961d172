"""Options: the distribution as a whole: its switch, and how it behaves under test.

Room: `signals`.
"""

from __future__ import annotations

from otel_llm_router.signals._model import Option

DISABLED = Option(
    name="disabled",
    env="OTEL_LLM_ROUTER_DISABLED",
    type="bool",
    default=False,
    description=(
        "Kill switch. The application runs as if nothing were installed: no patch, no thread, no "
        "socket, no SDK. `OTEL_SDK_DISABLED=true` does the same."
    ),
    inverted_aliases=("MONITORING_ENABLED",),
)
STRICT = Option(
    name="strict",
    env="OTEL_LLM_ROUTER_STRICT",
    type="bool",
    default=False,
    description="For tests: errors in the telemetry itself are raised instead of counted.",
)
