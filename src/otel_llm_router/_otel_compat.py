"""Every name of OpenTelemetry that is not public and that we need; a test fails when one moves.

The SDK has no public way to make exporters and samplers from the standard environment variables: its
own configurator does it with these functions. The Prometheus exporter's rules for names are the
reference for scopes that are not ours; we use them without its collector, which puts values under the
labels of another scope and fails a whole scrape for one exponential histogram.
"""

# pyright: reportPrivateUsage=false

import copy
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import attrgetter
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any, Final, Literal, cast
from weakref import WeakSet

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk import _configuration
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExporter, MetricReader, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.util import _decorator

if TYPE_CHECKING:
    from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
    from opentelemetry.exporter.prometheus._mapping import map_unit, sanitize_attribute, sanitize_full_name

__all__ = [
    "BaseConfigurator",
    "add_reader",
    "attributes_with",
    "begin_again",
    "change_resource",
    "context_manager",
    "emit_of",
    "encode_logs",
    "endpoint_of",
    "event_content",
    "exporter_names",
    "file_exporter",
    "file_limits",
    "file_reader",
    "id_generator_name",
    "import_exporters",
    "import_id_generator",
    "import_sampler",
    "insecure",
    "join_collect",
    "map_unit",
    "metric_preferences",
    "resource_of",
    "sampler_name",
    "sanitize_attribute",
    "sanitize_full_name",
    "span_content",
    "span_encoding_of",
    "span_processor",
    "temporalities",
    "use_span_encoding",
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
    """Return what few processes need, with what comes with it: rules of the Prometheus exporter's, an encoder of OTLP's.

    Raises:
        AttributeError: there is nothing of that name.
    """
    if name == "encode_logs":
        from opentelemetry.exporter.otlp.proto.common import _log_encoder  # noqa: PLC0415

        return _log_encoder.encode_logs
    if name in _RULES_FOR_NAMES:
        from opentelemetry.exporter.prometheus import _mapping  # noqa: PLC0415

        return getattr(_mapping, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


span_content: Callable[[ReadableSpan], tuple[Any, ...]] = attrgetter(
    "_context", "_parent", "_name", "_kind", "_status", "_start_time", "_end_time", "_attributes", "_events", "_links"
)
"""What a `ReadableSpan` holds, and not a subclass: each of its properties costs a call and some of them a copy."""

event_content: Callable[[Event], tuple[Any, ...]] = attrgetter("_name", "_timestamp", "_attributes")
"""What an `Event` holds, and not a subclass."""


def span_encoding_of(exporter: Any) -> Literal["export", "_translate_data"] | None:
    """Return the method of a standard OTLP span exporter that encodes: over HTTP ``export``, over gRPC the other one.

    None when it is another exporter, one that someone has changed, or of an OpenTelemetry that does it differently.
    """
    names: tuple[Literal["export"], Literal["_translate_data"]] = ("export", "_translate_data")
    made_by: type[Any] = exporter.__class__
    for name in names:
        function = getattr(made_by, name, None)
        if isinstance(function, FunctionType) and "encode_spans" in function.__code__.co_names:
            stock = function.__globals__.get("encode_spans")
            serialized = name != "export" or "SerializePartialToString" in function.__code__.co_names
            if serialized and str(getattr(stock, "__module__", "")).startswith("opentelemetry.exporter.otlp."):
                return name
    return None


def use_span_encoding(exporter: Any, method: str, encode: Callable[[Sequence[ReadableSpan]], Any]) -> None:
    """Let one exporter's method call ``encode`` where it calls ``encode_spans``; other exporters are not touched."""
    made_by: type[Any] = exporter.__class__
    function: FunctionType = getattr(made_by, method)
    copy = FunctionType(
        function.__code__,
        {**function.__globals__, "encode_spans": encode},
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    setattr(exporter, method, MethodType(copy, exporter))


def metric_preferences(exporter: MetricExporter) -> Mapping[str, Any]:
    """Return the temporality and aggregation that an exporter prefers, as arguments for another one."""
    return {
        "preferred_temporality": exporter._preferred_temporality,
        "preferred_aggregation": exporter._preferred_aggregation,
    }


def endpoint_of(exporter: Any) -> str:
    """Return the endpoint an OTLP exporter sends to, or nothing."""
    return str(getattr(exporter, "_endpoint", "") or "")


def resource_of(provider: MeterProvider) -> Resource:
    """Return who a meter provider's metrics are from."""
    return provider._sdk_config.resource


def change_resource(resource: Resource, attributes: Mapping[str, Any]) -> None:
    """Change attributes of a resource wherever it is held."""
    resource._attributes = BoundedAttributes(attributes={**resource.attributes, **attributes})


_LOCKS: Final[dict[type, Callable[[], Any]]] = {
    type(threading.Lock()): threading.Lock,
    type(threading.RLock()): threading.RLock,
}
_SERIES: Final = "_attributes_aggregation"
"""Where the SDK keeps the series of an instrument, in each of its views."""


def begin_again(providers: Iterable[object]) -> None:
    """Give the SDK's objects behind ``providers`` locks that nobody holds, and let their series begin at nothing.

    For a forked process: a thread that held a lock is not there, and what was counted before is the parent's.
    """
    waiting: list[Any] = list(providers)
    seen = {id(one) for one in waiting}
    roots = set(seen)
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            found: list[Any] = [*one.keys(), *one.values()]
        elif isinstance(one, (list, tuple, set, frozenset, WeakSet)):
            found = list(cast("Iterable[Any]", one))
        elif id(one) in roots or type(one).__module__.startswith("opentelemetry.sdk."):
            found = _renewed(one)
        else:
            continue
        for next_one in found:
            if id(next_one) not in seen:
                seen.add(id(next_one))
                waiting.append(next_one)


def _renewed(one: Any) -> list[Any]:
    """Renew one object of the SDK's, and return what it holds."""
    held = dict(getattr(one, "__dict__", {}))
    for name, value in held.items():
        if type(value) in _LOCKS:
            setattr(one, name, _LOCKS[type(value)]())
    held.pop(_SERIES, {}).clear()
    return list(held.values())


def insecure(exporter: Any) -> bool:
    """Return whether an OTLP exporter over gRPC connects without TLS."""
    return bool(getattr(exporter, "_insecure", False))


def temporalities(reader: MetricReader) -> Mapping[type, AggregationTemporality]:
    """Return the temporality that a reader wants for each class of instruments."""
    return reader._instrument_class_temporality


def add_reader(provider: MeterProvider, reader: MetricReader) -> None:
    """Add a reader as if ``provider`` had been made with it: what is added later the SDK neither flushes nor ends."""
    provider.add_metric_reader(reader)
    provider._metric_readers = [*provider._metric_readers, reader]
    made: Any = getattr(reader, "_set_meter_provider", None)  # since 1.45
    if made is not None:
        made(provider)


def join_collect(reader: MetricReader, join: Callable[[MetricsData | None], MetricsData | None]) -> None:
    """Let what ``reader`` collects pass through ``join``; the reader belongs to a provider already."""
    collect: Any = reader._collect

    def joined(*args: Any, **kwargs: Any) -> Any:
        return join(collect(*args, **kwargs))

    reader._set_collect_callback(joined)


def attributes_with(given: BoundedAttributes, values: Mapping[str, Any]) -> BoundedAttributes:
    """Return a copy of attributes that has other values, and as many dropped ones."""
    found = copy.copy(given)
    found._dict = dict(values)
    return found


def emit_of(processor: BatchSpanProcessor) -> Callable[[Any], None]:
    """Return what lets anything wait in a batch processor for its exporter."""
    return processor._batch_processor.emit


def span_processor(provider: TracerProvider) -> SpanProcessor:
    """Return what a provider gives its ended spans to, whatever is added to it later."""
    return provider._active_span_processor


def file_exporter(signal: Literal["traces", "metrics", "logs"], asked: Any) -> Any:
    """Make the exporter that a configuration file asks for; ``asked`` is a model of opentelemetry-configuration's.

    Raises:
        ConfigurationError: it cannot be made.
    """
    if signal == "traces":
        from opentelemetry.configuration import _tracer_provider as traces  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]

        return traces._create_span_exporter(asked)
    if signal == "logs":
        from opentelemetry.configuration import _logger_provider as logs  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]

        return logs._create_log_record_exporter(asked)
    from opentelemetry.configuration import _meter_provider as metrics  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]

    return metrics._create_push_metric_exporter(asked)


def file_reader(asked: Any) -> MetricReader:
    """Make the reader that a configuration file asks for, and that somebody else pulls from.

    Raises:
        ConfigurationError: it cannot be made.
    """
    from opentelemetry.configuration import _meter_provider as metrics  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]

    return metrics._create_pull_metric_reader(asked)


def file_limits(asked: Any) -> Any:
    """Return the limits of series as the SDK's readers take them; None where a file, or the package, has none."""
    from opentelemetry.configuration import _meter_provider as metrics  # noqa: PLC0415  # pyright: ignore[reportMissingTypeStubs]

    make = getattr(metrics, "_create_cardinality_limits", None)  # since 0.66b0
    return make(asked) if make is not None else None
