"""How each configuration is switched on, inside a worker process, as its documentation says.

Peers are imported by name: each exists in its own environment only. Where the peer leaves the SDK to
the application, all get the same one: batch processors and OTLP over HTTP, from the standard variables.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final


def nothing() -> None:
    """Watch nothing."""


def no_op() -> None:
    """Register a callback that does nothing: what LiteLLM's own callback machinery costs."""
    litellm = import_module("litellm")
    litellm.callbacks.append(import_module("litellm.integrations.custom_logger").CustomLogger())


def own() -> None:
    """Check that ``opentelemetry-instrument`` has set ours up, on the path that was asked for.

    Raises:
        RuntimeError: it has not.
    """
    provider = _module("opentelemetry.trace").get_tracer_provider()
    fast = os.environ.get("OTEL_LLM_ROUTER_FAST_PATH", "true") == "true"
    module = "otel_llm_router.aggregation" if fast else "opentelemetry.sdk.trace"
    if not type(provider).__module__.startswith(module):
        raise RuntimeError(f"the tracer provider is {type(provider)}, not one of {module}")


def litellm_otel() -> None:
    """LiteLLM's ``otel`` callback, without metrics and events, as it is by default."""
    _module("litellm").callbacks = ["otel"]


def litellm_prometheus() -> None:
    """LiteLLM's ``prometheus`` callback."""
    _module("litellm").callbacks = ["prometheus"]


def genai_openai() -> None:
    """OpenTelemetry's GenAI instrumentation of the openai SDK; content is off by default."""
    sdk()
    import_module("opentelemetry.instrumentation.genai.openai").OpenAIInstrumentor().instrument()


def stock_otel() -> None:
    """OpenTelemetry's instrumentations of FastAPI, httpx and the openai SDK."""
    genai_openai()
    import_module("opentelemetry.instrumentation.fastapi").FastAPIInstrumentor().instrument()
    import_module("opentelemetry.instrumentation.httpx").HTTPXClientInstrumentor().instrument()


def stock_httpx() -> None:
    """OpenTelemetry's instrumentation of httpx alone."""
    sdk()
    import_module("opentelemetry.instrumentation.httpx").HTTPXClientInstrumentor().instrument()


def openllmetry_litellm() -> None:
    """OpenLLMetry's instrumentation of LiteLLM."""
    sdk()
    import_module("opentelemetry.instrumentation.litellm").LiteLLMInstrumentor().instrument()


def openllmetry_openai() -> None:
    """OpenLLMetry's instrumentation of the openai SDK."""
    sdk()
    import_module("opentelemetry.instrumentation.openai").OpenAIInstrumentor().instrument()


def openinference() -> None:
    """OpenInference's instrumentation of LiteLLM; it has no metrics."""
    sdk()
    import_module("openinference.instrumentation.litellm").LiteLLMInstrumentor().instrument()


def openinference_openai() -> None:
    """OpenInference's instrumentation of the openai SDK; it has no metrics."""
    sdk()
    import_module("openinference.instrumentation.openai").OpenAIInstrumentor().instrument()


def openlit() -> None:
    """OpenLIT with content off; its price table is a local file, since it fetches one otherwise."""
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as prices:
        json.dump({"chat": {"gpt-4o-mini": {"promptPrice": 0.00015, "completionPrice": 0.0006}}}, prices)
    try:
        import_module("openlit").init(
            otlp_endpoint=os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"],
            capture_message_content=False,
            pricing_json=prices.name,
        )
    finally:
        os.unlink(prices.name)  # noqa: PTH108  # a name, not a path of ours


SETUPS: Mapping[str, Callable[[], None]] = {
    function.__name__: function
    for function in (
        nothing,
        no_op,
        own,
        litellm_otel,
        litellm_prometheus,
        genai_openai,
        stock_httpx,
        stock_otel,
        openllmetry_litellm,
        openllmetry_openai,
        openinference,
        openinference_openai,
        openlit,
    )
}

CALLBACKS: Final = frozenset({"no_op", "litellm_otel", "litellm_prometheus"})
"""Setups that hook nothing: LiteLLM calls them."""


def sdk() -> None:
    """Set the SDK up as its own configurator does: batch processors, periodic metrics, OTLP over HTTP."""
    resource = _module("opentelemetry.sdk.resources").Resource.create()
    trace, metrics, logs = (_module(f"opentelemetry.sdk.{name}") for name in ("trace", "metrics", "_logs"))
    otlp = "opentelemetry.exporter.otlp.proto.http"
    tracer = trace.TracerProvider(resource=resource)
    exporter = _module(f"{otlp}.trace_exporter").OTLPSpanExporter()
    tracer.add_span_processor(_module("opentelemetry.sdk.trace.export").BatchSpanProcessor(exporter))
    _module("opentelemetry.trace").set_tracer_provider(tracer)
    exporter = _module(f"{otlp}.metric_exporter").OTLPMetricExporter()
    reader = _module("opentelemetry.sdk.metrics.export").PeriodicExportingMetricReader(exporter)
    _module("opentelemetry.metrics").set_meter_provider(
        metrics.MeterProvider(metric_readers=[reader], resource=resource)
    )
    logger = logs.LoggerProvider(resource=resource)
    exporter = _module(f"{otlp}._log_exporter").OTLPLogExporter()
    logger.add_log_record_processor(_module("opentelemetry.sdk._logs.export").BatchLogRecordProcessor(exporter))
    _module("opentelemetry._logs").set_logger_provider(logger)


def flush() -> None:
    """Export every span and log record that is buffered; metrics have their own rhythm."""
    for provider in (
        _module("opentelemetry.trace").get_tracer_provider(),
        _module("opentelemetry._logs").get_logger_provider(),
    ):
        _flush(provider)


def flush_metrics() -> None:
    """Export the metrics once."""
    _flush(_module("opentelemetry.metrics").get_meter_provider())


def _flush(provider: Any) -> None:
    if hasattr(provider, "force_flush"):
        provider.force_flush()


def _module(name: str) -> Any:
    return import_module(name)
