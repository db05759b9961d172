"""Alerts about the Collector: what it turns away, cannot deliver, or keeps for longer than it can.

Nothing comes in; alerting rules go out. The series are the Collector's own, named as it names them on its telemetry
endpoint, and the count of queue files set aside from `collector-config/base.yaml`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from dashboards.source.collector_series import SET_ASIDE, SIGNALS
from dashboards.source.queries import Query
from dashboards.source.rules import Alert

QUEUE_HIGH: Final = 0.5
"""Share of a queue's size; half leaves time to act."""


def _any_signal(name: str, by: Sequence[str]) -> Query:
    parts = [f"sum by({', '.join(by)}) (rate({name}_{signal}[5m])) > 0" for signal in SIGNALS]
    return Query(text="\nor ".join(parts))


_QUEUE: Final = "max by(job, instance, exporter, data_type)"

ALERTS: Final = (
    Alert(
        name="CollectorQueueFilling",
        query=Query(
            text=f"{_QUEUE} (otelcol_exporter_queue_size)\n/ {_QUEUE} (otelcol_exporter_queue_capacity)\n> {QUEUE_HIGH}"
        ),
        threshold=QUEUE_HIGH,
        hold="5m",
        severity="warning",
        component="collector-queue",
        summary="{{ $labels.job }}: telemetry waits for a back end",
        description=(
            "The queue of {{ $labels.exporter }} for {{ $labels.data_type }} on {{ $labels.instance }} is "
            "{{ $value | humanizePercentage }} full; the threshold is 50 %. When it is full, senders are told to come back."
        ),
    ),
    Alert(
        name="CollectorRefusing",
        query=_any_signal("otelcol_receiver_refused", ("job", "instance", "receiver")),
        threshold=0,
        hold="2m",
        severity="critical",
        component="collector-intake",
        summary="{{ $labels.job }}: the Collector turns telemetry away",
        description=(
            '{{ $value | printf "%.1f" }} records per second come to {{ $labels.receiver }} on {{ $labels.instance }} and are '
            "refused, over 5 minutes. Senders try again for as long as they can keep it."
        ),
    ),
    Alert(
        name="CollectorDropping",
        query=_any_signal("otelcol_exporter_send_failed", ("job", "instance", "exporter")),
        threshold=0,
        hold="0s",
        severity="critical",
        component="collector-delivery",
        summary="{{ $labels.job }}: the Collector gives telemetry up",
        description=(
            '{{ $value | printf "%.1f" }} records per second are given up by {{ $labels.exporter }} on {{ $labels.instance }}, '
            "over 5 minutes: the back end turned them down for good, or was away for too long."
        ),
    ),
    Alert(
        name="CollectorQueueFileSetAside",
        query=Query(text=f"{SET_ASIDE} > 0"),
        threshold=0,
        hold="0s",
        severity="critical",
        component="collector-storage",
        summary="{{ $labels.job }}: a queue could not be read",
        description=(
            "{{ $value }} queue files on {{ $labels.instance }} are damaged and were set aside. What waited in them has not "
            "been delivered."
        ),
    ),
)
