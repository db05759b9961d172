"""The Collector's own series that alerts and runbooks name, as its telemetry endpoint has them.

Nothing comes in; names with their labels go out. A test finds them on a real Collector.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

SIGNALS: Final = ("spans", "metric_points", "log_records")
COUNTERS: Final[Mapping[str, frozenset[str]]] = {
    **{f"otelcol_receiver_refused_{signal}": frozenset({"receiver", "transport"}) for signal in SIGNALS},
    **{f"otelcol_exporter_send_failed_{signal}": frozenset({"exporter"}) for signal in SIGNALS},
    **{f"otelcol_exporter_enqueue_failed_{signal}": frozenset({"exporter"}) for signal in SIGNALS},
}
SET_ASIDE: Final = "otelcol_storage_files_set_aside"
"""Made by `collector-config/base.yaml`; it comes the way of all metrics, with the Collector as job and instance."""
SERIES: Final[Mapping[str, frozenset[str]]] = {
    **COUNTERS,
    "otelcol_exporter_queue_size": frozenset({"exporter", "data_type"}),
    "otelcol_exporter_queue_capacity": frozenset({"exporter", "data_type"}),
    SET_ASIDE: frozenset(),
}
