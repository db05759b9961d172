"""Options: how telemetry leaves: queues, the end of the process, the fast path.

Room: `signals`.
"""

from __future__ import annotations

from otel_llm_router.signals._model import Option

EXIT_BUDGET = Option(
    name="exit_budget",
    env="OTEL_LLM_ROUTER_EXIT_BUDGET",
    type="float",
    default=2.0,
    minimum=0.0,
    maximum=60.0,
    description="Seconds that the process may take longer to exit so that what is buffered can leave, for all signals together.",
)
QUEUE_BYTES = Option(
    name="queue_bytes",
    env="OTEL_LLM_ROUTER_QUEUE_BYTES",
    type="int",
    default=33_554_432,
    minimum=1_048_576,
    maximum=1_073_741_824,
    description=(
        "Bytes of spans and log records that may wait for the collector, together; beyond them the oldest are dropped and "
        "counted. `OTEL_BSP_MAX_QUEUE_SIZE` and `OTEL_BLRP_MAX_QUEUE_SIZE` bound their number as well where they are set."
    ),
)
FAST_PATH = Option(
    name="fast_path",
    env="OTEL_LLM_ROUTER_FAST_PATH",
    type="bool",
    default=True,
    description=(
        "Aggregate our own metrics ahead of the SDK, put our spans together off the request path, and encode all spans for "
        "OTLP with an encoder of our own. Off, the SDK does it all, with the same numbers and several times the CPU; "
        "views and span limits then hold for our scope too."
    ),
)
