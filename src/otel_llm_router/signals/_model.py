"""The shapes in which signals are declared.

Room: `signals`. Nothing comes in; frozen declarations go out. A declaration says what exists
and what its names are; how it is recorded is the business of `telemetry`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal


class Kind(str, Enum):
    """Kind of an OpenTelemetry instrument.

    Synchronous kinds are recorded where the event happens; observable kinds are read when a
    door collects, so that a series disappears as soon as its source stops reporting it.
    """

    COUNTER = "counter"
    UP_DOWN_COUNTER = "up_down_counter"
    HISTOGRAM = "histogram"
    OBSERVABLE_COUNTER = "observable_counter"
    OBSERVABLE_GAUGE = "observable_gauge"


class Merge(str, Enum):
    """How one instrument of several worker processes becomes one number at a scrape.

    Histograms and up-down counters add up, and so do counters, but for a count that all processes see (``MAX``); what a
    gauge means has to be declared.
    """

    SUM = "sum"
    """Each process holds its own: together they hold the sum."""
    MAX = "max"
    """All see the same thing, or one of them is enough to raise it."""
    MIN = "min"
    """The least of them."""
    LAST = "last"
    """All see the same thing change: the value that changed last."""
    PER_WORKER = "per_worker"
    """Nothing can be said of all together: a series for each process, told apart by the label ``worker``."""


class Stability(str, Enum):
    """What a user may build on (Collector vocabulary: docs/component-stability.md there).

    ``STABLE`` names are contracts. ``DEVELOPMENT`` names may change in a minor release, with a
    changelog entry.
    """

    STABLE = "stable"
    DEVELOPMENT = "development"


@dataclass(frozen=True, kw_only=True, eq=False)
class Attribute:
    """One attribute of a metric, span or event; on our metrics its key is the Prometheus label.

    Args:
        key: Attribute key as exported.
        description: What a value means.
        values: The closed set of values, when there is one; any other value is a defect and is
            recorded as ``other``.
        bound: How many distinct values an open attribute may have on metrics; further values are
            recorded as ``other`` and counted in ``llm_router.telemetry.label.overflow``.
            ``None`` means the attribute never appears on a metric.
        domain: Attributes with one domain share their slots. Defaults to the key.
        client_chosen: Whether a client can make values up. Half the slots are then kept for values
            that the router itself vouched for, so that a flood of junk cannot use them up.
    """

    key: str
    description: str
    values: tuple[str, ...] = ()
    bound: int | None = None
    domain: str = ""
    client_chosen: bool = False

    @property
    def slots(self) -> str:
        """Name of the pool of distinct values that this attribute draws from."""
        return self.domain or self.key


@dataclass(frozen=True, kw_only=True, eq=False)
class Instrument:
    """One metric instrument.

    Args:
        name: OpenTelemetry name.
        prometheus_name: The name that a Prometheus server shows, by the Python exporter's
            translation and by the Collector's and Prometheus' own alike. For a histogram it is the
            family name, without ``_bucket``, ``_sum`` or ``_count``.
        kind: Kind of instrument.
        unit: UCUM unit; annotations in braces do not reach the Prometheus name.
        description: Help text.
        attributes: The attributes a record may carry, and no other.
        buckets: Upper bounds of a histogram, in the instrument's unit.
        merge: How a gauge, or a count that is not this process' own, of several worker processes becomes one number.
        stability: What a user may build on.
        source: Where the declaration comes from: a requirement row or a semantic convention.
    """

    name: str
    prometheus_name: str
    kind: Kind
    unit: str
    description: str
    attributes: tuple[Attribute, ...] = ()
    buckets: tuple[float, ...] = ()
    merge: Merge = Merge.SUM
    stability: Stability = Stability.DEVELOPMENT
    source: str


SpanKindName = Literal["server", "client", "internal"]


@dataclass(frozen=True, kw_only=True, eq=False)
class SpanEvent:
    """One event that a span may carry."""

    name: str
    description: str
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Span:
    """One kind of span: its name pattern, OpenTelemetry span kind, attributes and events."""

    name: str
    kind: SpanKindName
    description: str
    attributes: tuple[Attribute, ...] = ()
    events: tuple[SpanEvent, ...] = ()
    source: str


SeverityName = Literal["INFO", "WARN", "ERROR"]

StreamName = Literal["application", "access", "error", "audit", "metrics"]


@dataclass(frozen=True, kw_only=True, eq=False)
class LogEvent:
    """One OpenTelemetry log event (a log record with an event name).

    Args:
        name: Event name.
        severity: Severity of the record.
        description: What happened; the record's body.
        attributes: What it may carry.
        stream: The log stream that it belongs to whatever its severity is; by default ``error`` from ERROR on, and
            ``application`` below.
        source: Where the declaration comes from.
    """

    name: str
    severity: SeverityName
    description: str
    attributes: tuple[Attribute, ...] = ()
    stream: StreamName | None = None
    source: str


OptionType = Literal["bool", "int", "float", "str", "choice", "path", "set"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Option:
    """One option of the distribution.

    Args:
        name: Short name, as in messages and in `otel_llm_router.distro`.
        env: Environment variable. With an ``OTEL_`` prefix it is also a flag of
            ``opentelemetry-instrument``.
        type: How the text is read.
        default: Value when nothing is set.
        description: What it does.
        choices: Allowed values of a ``choice``, and of each part of a ``set``.
        minimum: Smallest allowed number.
        maximum: Largest allowed number.
        aliases: Other environment variables that set the same option, weaker than ``env``.
        inverted_aliases: Variables that say the opposite of a ``bool``.
        secret: Whether its value is never shown.
        common_aliases: Whether the aliases are names that applications use in ways of their own: what is said there and
            cannot be read is passed over.
    """

    name: str
    env: str
    type: OptionType
    default: bool | int | float | str
    description: str
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    aliases: tuple[str, ...] = ()
    inverted_aliases: tuple[str, ...] = ()
    secret: bool = False
    common_aliases: bool = False

    @property
    def flag(self) -> str:
        """The flag that ``opentelemetry-instrument`` derives from the environment variable."""
        return "--" + self.env.removeprefix("OTEL_").lower()

    @property
    def allowed(self) -> str:
        """What may be written, in words for a message."""
        if self.type == "set":
            return "any of " + ", ".join(self.choices) + ", with commas between them"
        if self.choices:
            return "one of " + ", ".join(self.choices)
        if self.type == "bool":
            return "true or false"
        if self.type == "path":
            return "a path that begins with /"
        if self.type == "str":
            return "any text"
        noun = "a whole number" if self.type == "int" else "a number"
        if self.minimum is not None and self.maximum is not None:
            return f"{noun} from {self.minimum:g} to {self.maximum:g}"
        if self.minimum is not None:
            return f"{noun} of at least {self.minimum:g}"
        return noun
