"""Options: log streams and the files that they are written to.

Room: `signals`.
"""

from __future__ import annotations

from otel_llm_router.signals._model import Option

LOG_FILE = Option(
    name="log_file",
    env="OTEL_LLM_ROUTER_LOG_FILE",
    type="str",
    default="",
    description=(
        "Write log records as lines: to a file, to a directory (it exists, or the path ends with `/`; a file for each stream), or to "
        "`stdout` or `stderr`. Empty: none are written. Worker processes share the files. See [logs.md](logs.md)."
    ),
    aliases=("LOG_FILE",),
)
LOG_FORMAT = Option(
    name="log_format",
    env="OTEL_LLM_ROUTER_LOG_FORMAT",
    type="choice",
    default="auto",
    choices=("auto", "json", "pretty"),
    description="How lines are written. `auto` is `pretty` on a terminal and `json` elsewhere.",
    aliases=("LOG_FORMAT",),
    common_aliases=True,
)
LOG_LEVEL = Option(
    name="log_level",
    env="OTEL_LLM_ROUTER_LOG_LEVEL",
    type="choice",
    default="info",
    choices=("debug", "info", "warn", "warning", "error", "critical"),
    description=(
        "Least level of the records that are written to the streams `application` and `error`. The application's own loggers and "
        "handlers stay as they are."
    ),
    aliases=("LOG_LEVEL",),
    common_aliases=True,
)
LOG_DEBUG = Option(
    name="log_debug",
    env="OTEL_LLM_ROUTER_LOG_DEBUG",
    type="bool",
    default=False,
    description="Write records from level debug on, whatever the least level is.",
    aliases=("DEBUG",),
    common_aliases=True,
)
LOG_STREAMS = Option(
    name="log_streams",
    env="OTEL_LLM_ROUTER_LOG_STREAMS",
    type="set",
    default="",
    choices=("application", "access", "error", "audit", "metrics"),
    description=(
        "The streams of log records that there are. `access` (a record for each HTTP request) and `metrics` (a summary every so often) "
        "exist only where they are named; named, they leave over OTLP as well. Empty: all of them where `OTEL_LLM_ROUTER_LOG_FILE` is "
        "set, else application, error and audit."
    ),
)
LOG_MAX_BYTES = Option(
    name="log_max_bytes",
    env="OTEL_LLM_ROUTER_LOG_MAX_BYTES",
    type="int",
    default=104_857_600,
    minimum=0,
    description="Bytes from which on a log file is renamed to `.1` and another begun; 0 never does, for a rotation from outside.",
)
LOG_BACKUPS = Option(
    name="log_backups",
    env="OTEL_LLM_ROUTER_LOG_BACKUPS",
    type="int",
    default=5,
    minimum=1,
    maximum=1000,
    description="How many renamed log files are kept.",
)
LOG_INFERENCES = Option(
    name="log_inferences",
    env="OTEL_LLM_ROUTER_LOG_INFERENCES",
    type="choice",
    default="failed",
    choices=("failed", "ended", "all"),
    description=(
        "Which log events there are of routed requests: of those that failed or were given up, of each that ended, or of each that "
        "began as well."
    ),
)
LOG_ACCESS_SAMPLE = Option(
    name="log_access_sample",
    env="OTEL_LLM_ROUTER_LOG_ACCESS_SAMPLE",
    type="str",
    default="",
    description=(
        "Share of HTTP requests that the stream `access` has a record of, by route: `/v1/embeddings=0.01,*=0.1`; the first pattern that "
        "matches holds. Answers from status 400 on are always recorded."
    ),
)
LOG_CLIENT_ADDRESS = Option(
    name="log_client_address",
    env="OTEL_LLM_ROUTER_LOG_CLIENT_ADDRESS",
    type="bool",
    default=False,
    description="Give records of the stream `access` the address of the client.",
)
LOG_SUMMARY_INTERVAL = Option(
    name="log_summary_interval",
    env="OTEL_LLM_ROUTER_LOG_SUMMARY_INTERVAL",
    type="float",
    default=60.0,
    minimum=1.0,
    description="Seconds between two records of the stream `metrics`.",
)
