"""Options: health checks.

Room: `signals`.
"""

from __future__ import annotations

from otel_llm_router.signals._model import Option

HEALTH = Option(
    name="health",
    env="OTEL_LLM_ROUTER_HEALTH",
    type="bool",
    default=True,
    description="Run the health checks and serve `/health`, `/health/live` and `/health/ready`; see [health.md](health.md).",
    aliases=("HEALTH_CHECK_ENABLED",),
)
HEALTH_INTERVAL = Option(
    name="health_interval",
    env="OTEL_LLM_ROUTER_HEALTH_INTERVAL",
    type="float",
    default=30.0,
    minimum=1.0,
    description="Seconds between two runs of a health check that was added without its own interval.",
)
HEALTH_TIMEOUT = Option(
    name="health_timeout",
    env="OTEL_LLM_ROUTER_HEALTH_TIMEOUT",
    type="float",
    default=5.0,
    minimum=0.1,
    maximum=60.0,
    description="Seconds that a health check may take in each of its three tries.",
)
HEALTH_CPU_LIMIT = Option(
    name="health_cpu_limit",
    env="OTEL_LLM_ROUTER_HEALTH_CPU_LIMIT",
    type="float",
    default=80.0,
    minimum=1.0,
    maximum=101.0,
    description="Percent of the processors in use from which on `cpu_usage` has failed; 101 is never.",
)
HEALTH_MEMORY_LIMIT = Option(
    name="health_memory_limit",
    env="OTEL_LLM_ROUTER_HEALTH_MEMORY_LIMIT",
    type="float",
    default=85.0,
    minimum=1.0,
    maximum=101.0,
    description="Percent of memory in use from which on `memory_usage` has failed, which is critical; 101 is never.",
)
HEALTH_DISK_LIMIT = Option(
    name="health_disk_limit",
    env="OTEL_LLM_ROUTER_HEALTH_DISK_LIMIT",
    type="float",
    default=90.0,
    minimum=1.0,
    maximum=101.0,
    description="Percent of the disk in use from which on `disk_space` has failed; 101 is never.",
)
HEALTH_TARGETS = Option(
    name="health_targets",
    env="OTEL_LLM_ROUTER_HEALTH_TARGETS",
    type="str",
    default="",
    description=(
        "Services to check, `name=url` with commas between them: `http(s)://host/path` (an answer below 500), "
        "`tcp://host:port` (a connection), `redis(s)://host:port` (a PING)."
    ),
)
HEALTH_INFERENCE_URL = Option(
    name="health_inference_url",
    env="OTEL_LLM_ROUTER_HEALTH_INFERENCE_URL",
    type="str",
    default="",
    description=(
        "Endpoint for chat completions to which `inference_probe` sends a request for one token every five minutes. Each "
        "costs what such a request costs, and is counted as a request by what serves it. Empty: no probe."
    ),
)
HEALTH_INFERENCE_MODEL = Option(
    name="health_inference_model",
    env="OTEL_LLM_ROUTER_HEALTH_INFERENCE_MODEL",
    type="str",
    default="",
    description="Model that `inference_probe` asks for.",
)
HEALTH_INFERENCE_KEY = Option(
    name="health_inference_key",
    env="OTEL_LLM_ROUTER_HEALTH_INFERENCE_KEY",
    type="str",
    default="",
    description="Key that `inference_probe` sends as `Authorization: Bearer`.",
    secret=True,
)
