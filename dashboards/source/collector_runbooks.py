"""Advice for each alert about the Collector.

Nothing comes in; by alert name, what it means, where to look and what to do go out.
"""

from __future__ import annotations

from typing import Final

from dashboards.source.queries import Query
from dashboards.source.runbook_texts import Runbook

_PANELS: Final = (("LLM Router / System Resources", "Telemetry lost"),)
_QUEUES: Final = (
    Query(text="otelcol_exporter_queue_size"),
    Query(text="sum by(job, instance, exporter) (rate(otelcol_exporter_enqueue_failed_log_records[5m]))"),
)

TEXTS: Final = {
    "CollectorQueueFilling": Runbook(
        meaning=(
            "A back end takes less than arrives, or nothing. Its queue is on disk, nothing is lost yet, and the other back "
            "ends get everything. A full queue turns senders away, for all back ends."
        ),
        panels=_PANELS,
        queries=_QUEUES,
        actions=(
            "Is the back end up? The Collector's log names the exporter and the answer it gets; `queue_size` falls by itself once it answers.",
            "It answers, and slowly: give it more, or raise `num_consumers` of its exporter.",
            "It will be away for long: raise `LLM_ROUTER_COLLECTOR_QUEUE_BYTES` (and have the disk for it), or take its file out of the Collector's command, which gives up what waits for it.",
        ),
    ),
    "CollectorRefusing": Runbook(
        meaning=(
            "Senders get 503 or RESOURCE_EXHAUSTED: a queue is full, the disk is full, or the Collector is at its memory limit. "
            "Routers keep what they can and send again; what they cannot keep they count as dropped."
        ),
        panels=_PANELS,
        queries=_QUEUES,
        actions=(
            "`no space left on device` in the Collector's log: make room on the disk of `LLM_ROUTER_COLLECTOR_STORAGE`.",
            "A queue is full: as for CollectorQueueFilling.",
            "`data refused due to high memory usage`: raise `LLM_ROUTER_COLLECTOR_MEMORY_LIMIT_MIB`, or add a Collector.",
        ),
    ),
    "CollectorDropping": Runbook(
        meaning=(
            "The Collector sent records, they were not taken, and it does not try again: they are lost for this back end. "
            "The others have them."
        ),
        panels=_PANELS,
        queries=_QUEUES,
        actions=(
            "`Dropping data` in the Collector's log says why. 400 and 422: the back end does not accept the record, such as samples that are too old, or a field of another type than the index has.",
            "401 and 403: the key or password is wrong; what was refused meanwhile is lost.",
            "OpenSearch, and `this unknown product`: nothing is lost, the answers lack a header; see `collector-config/backends/opensearch.yaml`.",
            "Elasticsearch was away for more than two hours: its exporter gives up what it holds in its hands.",
        ),
    ),
    "CollectorQueueFileSetAside": Runbook(
        meaning=(
            "A queue file was damaged, by a disk or a power failure. The Collector started with an empty queue in its place. The "
            "file is beside the queues and ends in `.backup`."
        ),
        panels=_PANELS,
        queries=(Query(text="otelcol_storage_files_set_aside"),),
        actions=(
            "Look for faults of the disk, or set `LLM_ROUTER_COLLECTOR_FSYNC=true` if the power failed.",
            "What can be read of the file, bbolt's own tool reads: `go run go.etcd.io/bbolt/cmd/bbolt@latest keys FILE default`.",
            "Move the file away, or delete it: the alert ends with it.",
        ),
    ),
}
