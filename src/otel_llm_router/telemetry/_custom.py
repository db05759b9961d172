"""Counters and histograms of the application's own, in one line each.

Room: `telemetry`. Their labels are bounded like ours; their names are the application's.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from otel_llm_router import _sanitize
from otel_llm_router.signals import Attribute, Kind
from otel_llm_router.telemetry import _deferred, _guard

if TYPE_CHECKING:
    from otel_llm_router.telemetry._recorder import Recorder
    from otel_llm_router.telemetry._telemetry import Telemetry

LABEL_BOUND: Final = 100
"""Distinct values of each label of a custom instrument; further ones become ``other``."""


class _Custom:
    """What a custom counter and a custom histogram share."""

    kind = Kind.COUNTER

    def __init__(
        self,
        telemetry: Telemetry,
        name: str,
        *,
        labels: Iterable[str],
        unit: str,
        description: str,
        buckets: Iterable[float] = (),
    ) -> None:
        self._telemetry = telemetry
        self._name = name
        self._unit = unit
        self._description = description
        self._handle: tuple[Recorder, Any] | None = None
        self._buckets: tuple[float, ...] = ()
        self._labels: dict[str, Attribute] = {}
        with _guard.guard(f"custom {self.kind.value}"):
            self._buckets = tuple(float(bound) for bound in buckets)
            self._labels = {
                key: Attribute(key=_sanitize.text(key), description="", bound=LABEL_BOUND, domain=f"{name} {key}")
                for key in labels
            }
            self._resolve()

    def _resolve(self) -> tuple[Recorder, Any]:
        recorder = self._telemetry.recorder
        if self._handle is None or self._handle[0] is not recorder:
            created = recorder.custom(
                self._name,
                kind=self.kind,
                unit=self._unit,
                description=self._description,
                buckets=self._buckets,
                attributes=self._labels.values(),
            )
            self._handle = (recorder, created)
        return self._handle

    def _attributes(self, recorder: Recorder, labels: dict[str, object]) -> dict[str, str]:
        unknown = labels.keys() - self._labels.keys()
        if unknown:
            raise ValueError(
                f"{self._name}: labels {sorted(unknown)} are not declared; declared: {sorted(self._labels)}"
            )
        # A label left out is an empty one: every series of an instrument has the same labels.
        value = recorder.bounds.value
        return {attribute.key: value(attribute, labels.get(key, "")) for key, attribute in self._labels.items()}


class Counter(_Custom):
    """A counter of the application's own."""

    kind = Kind.COUNTER

    def add(self, amount: float = 1, **labels: object) -> None:
        """Add ``amount``, which is not negative, to the series with ``labels``."""
        with _guard.guard("custom counter"):
            if _deferred.collecting():
                _deferred.later(partial(self.add, amount, **labels))
                return
            recorder, handle = self._resolve()
            number = _sanitize.finite(amount)
            if number is not None and number >= 0:
                handle.add(number, self._attributes(recorder, labels))


class Histogram(_Custom):
    """A histogram of the application's own."""

    kind = Kind.HISTOGRAM

    def record(self, value: float, **labels: object) -> None:
        """Record ``value``, which is not negative, in the series with ``labels``."""
        with _guard.guard("custom histogram"):
            if _deferred.collecting():
                _deferred.later(partial(self.record, value, **labels))
                return
            recorder, handle = self._resolve()
            number = _sanitize.finite(value)
            if number is not None and number >= 0:
                handle.record(number, self._attributes(recorder, labels))
