"""Every name of OpenTelemetry that is not public and that we need; a test fails when one moves.

The SDK has no public way to make exporters and samplers from the standard environment variables: its
own configurator does it with these functions. The Prometheus exporter's rules for names are the
reference for scopes that are not ours; we use them without its collector, which puts values under the
labels of another scope and fails a whole scrape for one exponential histogram.
"""

# pyright: reportPrivateUsage=false

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk import _configuration
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExporter, MetricReader, MetricsData
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.util import _decorator

if TYPE_CHECKING:
    from opentelemetry.exporter.prometheus._mapping import map_unit, sanitize_attribute, sanitize_full_name

__all__ = [
    "BaseConfigurator",
    "context_manager",
    "endpoint_of",
    "exporter_names",
    "id_generator_name",
    "import_exporters",
    "import_id_generator",
    "import_sampler",
    "join_collect",
    "map_unit",
    "metric_preferences",
    "sampler_name",
    "sanitize_attribute",
    "sanitize_full_name",
    "span_processor",
    "temporalities",
]

BaseConfigurator = _configuration._BaseConfigurator
exporter_names = _configuration._get_exporter_names
id_generator_name = _configuration._get_id_generator
import_exporters = _configuration._import_exporters
import_id_generator = _configuration._import_id_generator
import_sampler = _configuration._import_sampler
sampler_name = _configuration._get_sampler

context_manager = _decorator._agnosticcontextmanager
"""Makes what is also a decorator, of async functions too: what a tracer's interface promises."""

_RULES_FOR_NAMES: Final = frozenset({"map_unit", "sanitize_attribute", "sanitize_full_name"})


def __getattr__(name: str) -> Any:
    """Return one of the Prometheus exporter's rules for names; only a scrape needs them and what comes with them.

    Raises:
        AttributeError: there is nothing of that name.
    """
    if name in _RULES_FOR_NAMES:
        from opentelemetry.exporter.prometheus import _mapping  # noqa: PLC0415

        return getattr(_mapping, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def metric_preferences(exporter: MetricExporter) -> Mapping[str, Any]:
    """Return the temporality and aggregation that an exporter prefers, as arguments for another one."""
    return {
        "preferred_temporality": exporter._preferred_temporality,
        "preferred_aggregation": exporter._preferred_aggregation,
    }


def endpoint_of(exporter: Any) -> str:
    """Return the endpoint an OTLP exporter sends to, or nothing."""
    return str(getattr(exporter, "_endpoint", "") or "")


def temporalities(reader: MetricReader) -> Mapping[type, AggregationTemporality]:
    """Return the temporality that a reader wants for each class of instruments."""
    return reader._instrument_class_temporality


def join_collect(reader: MetricReader, join: Callable[[MetricsData | None], MetricsData | None]) -> None:
    """Let what ``reader`` collects pass through ``join``; the reader belongs to a provider already."""
    collect: Any = reader._collect

    def joined(*args: Any, **kwargs: Any) -> Any:
        return join(collect(*args, **kwargs))

    reader._set_collect_callback(joined)


def span_processor(provider: TracerProvider) -> SpanProcessor:
    """Return what a provider gives its ended spans to, whatever is added to it later."""
    return provider._active_span_processor
