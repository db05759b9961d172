"""Every option of the distribution.

Room: `signals`. An option is an environment variable; ``opentelemetry-instrument`` turns it into
a flag as well. The standard ``OTEL_*`` variables are honoured and not repeated here. Each is declared
in the module of its subject, and is an attribute of this package.
"""

from __future__ import annotations

from types import ModuleType

from otel_llm_router.signals._model import Option
from otel_llm_router.signals.options import (
    _alerts,
    _export,
    _general,
    _health,
    _hooks,
    _log_files,
    _logs,
    _redis,
    _scrape,
    _telemetry,
)
from otel_llm_router.signals.options._alerts import *
from otel_llm_router.signals.options._export import *
from otel_llm_router.signals.options._general import *
from otel_llm_router.signals.options._health import *
from otel_llm_router.signals.options._hooks import *
from otel_llm_router.signals.options._log_files import *
from otel_llm_router.signals.options._logs import *
from otel_llm_router.signals.options._redis import *
from otel_llm_router.signals.options._scrape import *
from otel_llm_router.signals.options._telemetry import *


def _declared(module: ModuleType) -> tuple[Option, ...]:
    return tuple(value for value in vars(module).values() if isinstance(value, Option))


OPTIONS: tuple[Option, ...] = (
    _general.DISABLED,
    *_declared(_scrape),
    *_declared(_telemetry),
    *_declared(_hooks),
    *_declared(_health),
    *_declared(_redis),
    *_declared(_logs),
    *_declared(_log_files),
    *_declared(_export),
    *_declared(_alerts),
    _general.STRICT,
)
"""Every option, in the order of `docs/configuration.md`."""

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
