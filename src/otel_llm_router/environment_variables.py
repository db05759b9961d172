"""Names of our environment variables, from which ``opentelemetry-instrument`` makes flags.

That command turns every ``OTEL_*`` name it finds in this module into a flag and stops working if
two modules define the same one, so nothing else may be defined or imported here. The options
themselves are declared in `otel_llm_router.signals.options`; a test holds the two together.
"""

OTEL_LLM_ROUTER_DISABLED = "OTEL_LLM_ROUTER_DISABLED"
OTEL_LLM_ROUTER_SCRAPE = "OTEL_LLM_ROUTER_SCRAPE"
OTEL_LLM_ROUTER_SCRAPE_HOST = "OTEL_LLM_ROUTER_SCRAPE_HOST"
OTEL_LLM_ROUTER_SCRAPE_PORT = "OTEL_LLM_ROUTER_SCRAPE_PORT"
OTEL_LLM_ROUTER_GENAI_METRICS = "OTEL_LLM_ROUTER_GENAI_METRICS"
OTEL_LLM_ROUTER_LABEL_LIMIT = "OTEL_LLM_ROUTER_LABEL_LIMIT"
OTEL_LLM_ROUTER_PROCESS_METRICS = "OTEL_LLM_ROUTER_PROCESS_METRICS"
OTEL_LLM_ROUTER_HOOKS = "OTEL_LLM_ROUTER_HOOKS"
OTEL_LLM_ROUTER_HOOKS_FILE = "OTEL_LLM_ROUTER_HOOKS_FILE"
OTEL_LLM_ROUTER_EXIT_BUDGET = "OTEL_LLM_ROUTER_EXIT_BUDGET"
OTEL_LLM_ROUTER_FAST_PATH = "OTEL_LLM_ROUTER_FAST_PATH"
OTEL_LLM_ROUTER_STRICT = "OTEL_LLM_ROUTER_STRICT"
