"""Every option of the distribution.

Room: `signals`. An option is an environment variable; ``opentelemetry-instrument`` turns it into
a flag as well. The standard ``OTEL_*`` variables are honoured and not repeated here.
"""

from __future__ import annotations

from otel_llm_router.signals import _options_redaction
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
SCRAPE = Option(
    name="scrape",
    env="OTEL_LLM_ROUTER_SCRAPE",
    type="bool",
    default=True,
    description="Serve `/metrics` and the health endpoints. `OTEL_METRICS_EXPORTER` without `prometheus` turns `/metrics` off as well.",
    aliases=("PROMETHEUS_ENABLED", "ENABLE_METRICS"),
)
SCRAPE_HOST = Option(
    name="scrape_host",
    env="OTEL_LLM_ROUTER_SCRAPE_HOST",
    type="str",
    default="127.0.0.1",
    description="Address that the scrape server listens on.",
    aliases=("OTEL_EXPORTER_PROMETHEUS_HOST",),
)
SCRAPE_PORT = Option(
    name="scrape_port",
    env="OTEL_LLM_ROUTER_SCRAPE_PORT",
    type="int",
    default=9090,
    minimum=0,
    maximum=65535,
    description="Port that the scrape server listens on; 0 takes a free one and logs which.",
    aliases=("OTEL_EXPORTER_PROMETHEUS_PORT", "METRICS_PORT"),
)
SCRAPE_PATH = Option(
    name="scrape_path",
    env="OTEL_LLM_ROUTER_SCRAPE_PATH",
    type="path",
    default="/metrics",
    description="Path of the metrics; as JSON they are under it, at `/json`.",
    aliases=("METRICS_ENDPOINT",),
)
HEALTH_PATH = Option(
    name="health_path",
    env="OTEL_LLM_ROUTER_HEALTH_PATH",
    type="path",
    default="/health",
    description="Path of the health report; liveness and readiness are under it, at `/live` and `/ready`.",
    aliases=("HEALTH_ENDPOINT",),
)
PROFILER = Option(
    name="profiler",
    env="OTEL_LLM_ROUTER_PROFILER",
    type="bool",
    default=False,
    description=(
        "Serve `/debug/profile/cpu` and `/debug/profile/memory`, to those who have a token, a password or a certificate: "
        "without authentication it stays off. See [server.md](server.md)."
    ),
    aliases=("PROFILER_ENABLED",),
)
SCRAPE_LISTEN = Option(
    name="scrape_listen",
    env="OTEL_LLM_ROUTER_SCRAPE_LISTEN",
    type="bool",
    default=True,
    description=(
        "Listen on a port. Off, the same answers are to be had only from the application "
        "`otel_llm_router.export.asgi:application`, mounted into the router's own; see [server.md](server.md)."
    ),
)
SCRAPE_CACHE = Option(
    name="scrape_cache",
    env="OTEL_LLM_ROUTER_SCRAPE_CACHE",
    type="float",
    default=1.0,
    minimum=0.0,
    maximum=60.0,
    description="Seconds for which a rendered `/metrics` is good, however many ask for it; 0 renders each time.",
)
SCRAPE_TOKEN = Option(
    name="scrape_token",
    env="OTEL_LLM_ROUTER_SCRAPE_TOKEN",
    type="str",
    default="",
    description="Bearer token that the scrape server asks for, but for `/health/live` and `/health/ready`.",
    secret=True,
)
SCRAPE_TOKEN_FILE = Option(
    name="scrape_token_file",
    env="OTEL_LLM_ROUTER_SCRAPE_TOKEN_FILE",
    type="str",
    default="",
    description="File that holds that token; read again when it changes.",
)
SCRAPE_USERS_FILE = Option(
    name="scrape_users_file",
    env="OTEL_LLM_ROUTER_SCRAPE_USERS_FILE",
    type="str",
    default="",
    description=(
        "File of users for basic authentication, a line `name:hash` for each, with hashes of "
        "`otel-llm-router hash-password` or of bcrypt; read again when it changes."
    ),
)
SCRAPE_TLS_CERT = Option(
    name="scrape_tls_cert",
    env="OTEL_LLM_ROUTER_SCRAPE_TLS_CERT",
    type="str",
    default="",
    description="PEM file with the certificate chain of the scrape server, which then speaks TLS; loaded again when it changes.",
)
SCRAPE_TLS_KEY = Option(
    name="scrape_tls_key",
    env="OTEL_LLM_ROUTER_SCRAPE_TLS_KEY",
    type="str",
    default="",
    description="PEM file with the private key of that certificate, where it is in a file of its own.",
)
SCRAPE_TLS_CLIENT_CA = Option(
    name="scrape_tls_client_ca",
    env="OTEL_LLM_ROUTER_SCRAPE_TLS_CLIENT_CA",
    type="str",
    default="",
    description="PEM file with the certificates by which clients' certificates must be signed (mutual TLS).",
)
WORKERS = Option(
    name="workers",
    env="OTEL_LLM_ROUTER_WORKERS",
    type="bool",
    default=True,
    description=(
        "Let the processes of one service on this host share one scrape endpoint, which adds all of them up; see "
        "[workers.md](workers.md). Off, each process serves itself, and only the first one has the port. Not on Windows, "
        "and not with port 0."
    ),
)
RUNTIME_DIR = Option(
    name="runtime_dir",
    env="OTEL_LLM_ROUTER_RUNTIME_DIR",
    type="str",
    default="",
    description=(
        "Directory in which the processes of one service find each other, on a local file system; by default "
        "`XDG_RUNTIME_DIR`, or the directory for temporary files. A private one is made in it."
    ),
)
GENAI_METRICS = Option(
    name="genai_metrics",
    env="OTEL_LLM_ROUTER_GENAI_METRICS",
    type="choice",
    default="old",
    choices=("old", "new", "both", "none"),
    description="Which names of the GenAI semantic conventions are emitted beside ours, while upstream renames them.",
)
FOREIGN = Option(
    name="foreign",
    env="OTEL_LLM_ROUTER_FOREIGN",
    type="choice",
    default="defer",
    choices=("defer", "own"),
    description=(
        "What becomes of a call of which another instrumentation (openai, OpenInference, OpenLLMetry) makes a span too. "
        "`defer`: it keeps that span and its `gen_ai.*` metrics, ours count it without a second one. `own`: ours are made "
        "beside theirs. See [wire.md](wire.md)."
    ),
)
PROVIDERS = Option(
    name="providers",
    env="OTEL_LLM_ROUTER_PROVIDERS",
    type="str",
    default="",
    description=(
        "Providers at hosts that are nobody's known address: `host[:port]=name`, several with commas between them, 100 at "
        "most. A host stands for those below it too. See [wire.md](wire.md)."
    ),
)
LABEL_LIMIT = Option(
    name="label_limit",
    env="OTEL_LLM_ROUTER_LABEL_LIMIT",
    type="int",
    default=0,
    minimum=0,
    maximum=2000,
    description="Distinct values that an open label may have, in place of each label's declared bound; 0 keeps those.",
)
LABEL_IDLE = Option(
    name="label_idle",
    env="OTEL_LLM_ROUTER_LABEL_IDLE",
    type="float",
    default=3600.0,
    minimum=0.0,
    description=(
        "Seconds after which a value of an open label that was not seen again makes room for a new one, once the label is "
        "full: its series end, and when it comes back they begin again at 0. Set it longer than the export interval: a "
        "reader of changes (delta temporality) misses what it had not read by then. 0 keeps every value for good, and so "
        "does the SDK (`OTEL_LLM_ROUTER_FAST_PATH=false`)."
    ),
)
ATTRIBUTION = Option(
    name="attribution",
    env="OTEL_LLM_ROUTER_ATTRIBUTION",
    type="set",
    default="",
    choices=("team", "user", "key", "organization"),
    description=(
        "Whom tokens and cost are also counted for, and whose budgets are shown: any of these, with commas between "
        "them. Each becomes a label of `llm_router_attributed_*`, bounded by what the label declares; keys by their "
        "alias or a hash, never themselves."
    ),
)
PROCESS_METRICS = Option(
    name="process_metrics",
    env="OTEL_LLM_ROUTER_PROCESS_METRICS",
    type="bool",
    default=True,
    description="Report CPU, memory, files, threads and garbage-collector pauses of the process.",
)
HOOKS = Option(
    name="hooks",
    env="OTEL_LLM_ROUTER_HOOKS",
    type="str",
    default="",
    description=(
        "Declared hooks: `module:Class.method=kind`, several with commas between them. What is wrong with one is said "
        "and leaves the others; see [hooks.md](hooks.md)."
    ),
)
HOOKS_FILE = Option(
    name="hooks_file",
    env="OTEL_LLM_ROUTER_HOOKS_FILE",
    type="str",
    default="",
    description="Path of a YAML file with declared hooks; see [hooks.md](hooks.md).",
)
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
REDIS_CACHE_KEYS = Option(
    name="redis_cache_keys",
    env="OTEL_LLM_ROUTER_REDIS_CACHE_KEYS",
    type="str",
    default="",
    description=(
        "Which keys in Redis are a cache's: `pattern=cache_type`, several with commas between them, as in "
        "`answers:*=answers`. `GET`, `MGET` and `HGET` of such a key count as look-ups; see [caches.md](caches.md)."
    ),
)
REDIS_OBSERVE = Option(
    name="redis_observe",
    env="OTEL_LLM_ROUTER_REDIS_OBSERVE",
    type="str",
    default="",
    description=(
        "Which Redis servers that the application connects to are asked about themselves: `host:port=cache_type` with "
        "patterns, as in `*=redis`, several with commas between them; see [caches.md](caches.md)."
    ),
)
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
STRICT = Option(
    name="strict",
    env="OTEL_LLM_ROUTER_STRICT",
    type="bool",
    default=False,
    description="For tests: errors in the telemetry itself are raised instead of counted.",
)

OPTIONS = (
    DISABLED,
    SCRAPE,
    SCRAPE_HOST,
    SCRAPE_PORT,
    SCRAPE_PATH,
    HEALTH_PATH,
    PROFILER,
    SCRAPE_LISTEN,
    SCRAPE_CACHE,
    SCRAPE_TOKEN,
    SCRAPE_TOKEN_FILE,
    SCRAPE_USERS_FILE,
    SCRAPE_TLS_CERT,
    SCRAPE_TLS_KEY,
    SCRAPE_TLS_CLIENT_CA,
    WORKERS,
    RUNTIME_DIR,
    GENAI_METRICS,
    FOREIGN,
    PROVIDERS,
    LABEL_LIMIT,
    LABEL_IDLE,
    ATTRIBUTION,
    PROCESS_METRICS,
    HOOKS,
    HOOKS_FILE,
    HEALTH,
    HEALTH_INTERVAL,
    HEALTH_TIMEOUT,
    HEALTH_CPU_LIMIT,
    HEALTH_MEMORY_LIMIT,
    HEALTH_DISK_LIMIT,
    HEALTH_TARGETS,
    HEALTH_INFERENCE_URL,
    HEALTH_INFERENCE_MODEL,
    HEALTH_INFERENCE_KEY,
    REDIS_CACHE_KEYS,
    REDIS_OBSERVE,
    LOGS,
    LOGS_LEVEL,
    LOGS_FIELDS,
    EXIT_BUDGET,
    QUEUE_BYTES,
    FAST_PATH,
    STRICT,
    *_options_redaction.OPTIONS,
)
PREFIX = "OTEL_LLM_ROUTER_"
"""Every option's environment variable begins with it; others that do are mistakes."""

STANDARD_DEFAULTS = {
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_METRICS_EXPORTER": "otlp,prometheus",
    "OTEL_LOGS_EXPORTER": "otlp",
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip",
    # Read once, when the first HTTP instrumentation is loaded.
    "OTEL_SEMCONV_STABILITY_OPT_IN": "http",
    # Scrapes and probes are no requests to a router: of HTTP requests by these paths there are no spans and no counts.
    "OTEL_PYTHON_EXCLUDED_URLS": "/metrics/?$,/health(/[a-z]+)?/?$,/healthz$,/livez$,/readyz$",
}
"""Standard variables that get another default; one that is set is never changed."""
