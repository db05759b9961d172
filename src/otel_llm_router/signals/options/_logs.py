"""Options: log records.

Room: `signals`.
"""

from __future__ import annotations

from otel_llm_router.signals._model import Option

LOGS = Option(
    name="logs",
    env="OTEL_LLM_ROUTER_LOGS",
    type="bool",
    default=False,
    description=(
        "Export the application's own log records, of the standard library's logging and of structlog, each once and with "
        "trace ids, whatever the application does to its handlers. Messages leave as they are; see [logs.md](logs.md)."
    ),
    aliases=("OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION", "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED"),
)
LOGS_LEVEL = Option(
    name="logs_level",
    env="OTEL_LLM_ROUTER_LOGS_LEVEL",
    type="choice",
    default="notset",
    choices=("notset", "debug", "info", "warn", "warning", "error", "critical"),
    description="Least level of the log records that are exported, beside the level that each logger has.",
    aliases=("OTEL_PYTHON_LOG_HANDLER_LEVEL",),
)
LOGS_FIELDS = Option(
    name="logs_fields",
    env="OTEL_LLM_ROUTER_LOGS_FIELDS",
    type="bool",
    default=False,
    description=(
        "Give each log record `otelTraceID`, `otelSpanID`, `otelTraceSampled` and `otelServiceName`, for the application's "
        "own formatters, and each event of structlog's printing loggers `trace_id` and `span_id`."
    ),
    aliases=("OTEL_PYTHON_LOG_CORRELATION",),
)
