"""Every option of the distribution.

Room: `signals`. An option is an environment variable; ``opentelemetry-instrument`` turns it into
a flag as well. The standard ``OTEL_*`` variables are honoured and not repeated here.
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
)
SCRAPE = Option(
    name="scrape",
    env="OTEL_LLM_ROUTER_SCRAPE",
    type="bool",
    default=True,
    description="Serve `/metrics` and the health endpoints. `OTEL_METRICS_EXPORTER` without `prometheus` turns `/metrics` off as well.",
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
    aliases=("OTEL_EXPORTER_PROMETHEUS_PORT",),
)
GENAI_METRICS = Option(
    name="genai_metrics",
    env="OTEL_LLM_ROUTER_GENAI_METRICS",
    type="choice",
    default="old",
    choices=("old", "new", "both", "none"),
    description="Which names of the GenAI semantic conventions are emitted beside ours, while upstream renames them.",
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
EXIT_BUDGET = Option(
    name="exit_budget",
    env="OTEL_LLM_ROUTER_EXIT_BUDGET",
    type="float",
    default=2.0,
    minimum=0.0,
    maximum=60.0,
    description="Seconds that the process may take longer to exit so that what is buffered can leave, for all signals together.",
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
    GENAI_METRICS,
    LABEL_LIMIT,
    LABEL_IDLE,
    PROCESS_METRICS,
    HOOKS,
    HOOKS_FILE,
    EXIT_BUDGET,
    FAST_PATH,
    STRICT,
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
}
"""Standard variables that get another default; one that is set is never changed."""
