"""Typed PromQL: from declared instruments to queries.

Declared instruments come in, queries go out. A label that the instrument does not have, a rate of a gauge
and a quantile of a counter are refused here rather than shown as an empty panel.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from dashboards.source.queries import Aggregate, Label, Match, Query, QueryError, Target, aggregation, label
from otel_llm_router.signals import Attribute, Instrument, Kind

COUNTERS: Final = (Kind.COUNTER, Kind.OBSERVABLE_COUNTER)
LEVELS: Final = (Kind.OBSERVABLE_GAUGE, Kind.UP_DOWN_COUNTER)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which targets a query covers, and over which window rates are taken.

    Args:
        window: A PromQL duration, or Grafana's variable for one.
        matchers: Matchers on target labels, as PromQL writes them.
        by: Target labels that every result keeps. Rules keep the job, so that an alert means one
            service and carries its name.
    """

    window: str
    matchers: tuple[str, ...] = ()
    by: tuple[Target, ...] = ()

    def rate(self, instrument: Instrument, *, by: Sequence[Label] = (), where: Sequence[Match] = ()) -> Query:
        """Give events per second: of a counter, or of the records of a histogram."""
        return self._counted("rate", instrument, by=by, where=where)

    def increase(self, instrument: Instrument, *, by: Sequence[Label] = (), where: Sequence[Match] = ()) -> Query:
        """Give events in the window: of a counter, or of the records of a histogram."""
        return self._counted("increase", instrument, by=by, where=where)

    def level(
        self, instrument: Instrument, *, how: Aggregate = "sum", by: Sequence[Label] = (), where: Sequence[Match] = ()
    ) -> Query:
        """Give the present value of a gauge or an up-down counter."""
        _need(instrument, LEVELS, "present value")
        return self._aggregated(how, instrument, self._series(instrument, "", where), by)

    def cumulative(
        self, instrument: Instrument, *, part: Literal["", "_sum", "_count"] = "", by: Sequence[Label] = ()
    ) -> Query:
        """Give a count since the start of the process, with fewer labels.

        Only with the instance kept does a restart look like one to ``rate``.
        """
        _need(instrument, (Kind.HISTOGRAM,) if part else COUNTERS, "cumulative count")
        return self._aggregated("sum", instrument, self._series(instrument, part, ()), (Target.INSTANCE, *by))

    def cumulative_buckets(self, instrument: Instrument, *, bounds: Sequence[float], by: Sequence[Label] = ()) -> Query:
        """Give some of the cumulative buckets of a histogram, with fewer labels.

        Raises:
            QueryError: the histogram has no bucket with one of the bounds.
        """
        _need(instrument, (Kind.HISTOGRAM,), "buckets")
        strange = [f"{bound:g}" for bound in bounds if bound not in instrument.buckets]
        if strange:
            raise QueryError(f"{instrument.name} has no bucket with the bound {', '.join(strange)}")
        # A whole bound is written 1 on the OTLP path and 1.0 on the scrape path.
        texts = [f"{bound:g}".replace(".", "[.]") + ("([.]0)?" if bound.is_integer() else "") for bound in bounds]
        matcher = f'le=~"{"|".join([*texts, "[+]Inf"])}"'
        series = self._series(instrument, "_bucket", (), matcher)
        return self._bucketed(instrument, series, (Target.INSTANCE, *by))

    def quantile(
        self, quantile: float, instrument: Instrument, *, by: Sequence[Label] = (), where: Sequence[Match] = ()
    ) -> Query:
        """Estimate a quantile of a histogram from its buckets."""
        rates = f"rate({self._buckets(instrument, where)}[{self.window}])"
        buckets = self._bucketed(instrument, rates, by)
        return Query(
            text=f"histogram_quantile({quantile:g}, {buckets.text})",
            labels=buckets.labels - {"le"},
            ceiling=max(instrument.buckets),
        )

    def heat(self, instrument: Instrument) -> Query:
        """Give the records per bucket of a histogram whose series are often born with their only record.

        ``increase`` needs two samples and so never sees the first record of a series. A series that did
        not exist a window ago counts with all that it holds.
        """
        series = self._buckets(instrument, ())
        born = f"({series} unless {series} offset {self.window})"
        return self._bucketed(instrument, f"{born} or increase({series}[{self.window}])", ())

    def _counted(
        self,
        function: Literal["rate", "increase"],
        instrument: Instrument,
        *,
        by: Sequence[Label],
        where: Sequence[Match],
    ) -> Query:
        _need(instrument, (*COUNTERS, Kind.HISTOGRAM), function)
        series = self._series(instrument, "_count" if instrument.kind is Kind.HISTOGRAM else "", where)
        return self._aggregated("sum", instrument, f"{function}({series}[{self.window}])", by)

    def _buckets(self, instrument: Instrument, where: Sequence[Match]) -> str:
        _need(instrument, (Kind.HISTOGRAM,), "buckets")
        return self._series(instrument, "_bucket", where)

    def _series(self, instrument: Instrument, part: str, where: Sequence[Match], *more: str) -> str:
        for match in where:
            _need_label(instrument, match.attribute)
        conditions = ", ".join([*self.matchers, *(match.text for match in where), *more])
        return f"{instrument.prometheus_name}{part}" + (f"{{{conditions}}}" if conditions else "")

    def _aggregated(self, how: Aggregate, instrument: Instrument, inner: str, by: Sequence[Label]) -> Query:
        names = self._names(instrument, by)
        return Query(text=aggregation(how, names, inner), labels=frozenset(names))

    def _bucketed(self, instrument: Instrument, inner: str, by: Sequence[Label]) -> Query:
        names = [*self._names(instrument, by), "le"]
        return Query(text=aggregation("sum", names, inner), labels=frozenset(names))

    def _names(self, instrument: Instrument, by: Sequence[Label]) -> list[str]:
        kept = [*self.by, *(name for name in by if name not in self.by)]
        for name in kept:
            _need_label(instrument, name)
        return [label(name) for name in kept]


def _need(instrument: Instrument, kinds: Sequence[Kind], what: str) -> None:
    if instrument.kind not in kinds:
        raise QueryError(
            f"{instrument.name} is a {instrument.kind.value}; {what} needs {' or '.join(kind.value for kind in kinds)}"
        )


def _need_label(instrument: Instrument, name: Label) -> None:
    if isinstance(name, Attribute) and name not in instrument.attributes:
        allowed = ", ".join(attribute.key for attribute in instrument.attributes) or "none"
        raise QueryError(f"{instrument.name} has no attribute {name.key}; it has {allowed}")
