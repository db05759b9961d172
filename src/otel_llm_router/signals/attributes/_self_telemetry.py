"""Labels of telemetry about itself.

Room: `signals`.
"""

from __future__ import annotations

from otel_llm_router.signals._model import Attribute
from otel_llm_router.signals.attributes import _outcomes

CHECK = Attribute(key="check", description="Name of a health check.", bound=60)
SIGNAL = Attribute(key="signal", description="Telemetry signal.", values=("traces", "metrics", "logs"))
REDACTION_REASON = Attribute(
    key="reason",
    description=(
        "Why a text was dropped: `too_long` to look through, `too_much` in too short a time, a `pattern` of the "
        "operator's took too long, an `error` of ours."
    ),
    values=("too_long", "too_much", "pattern", "error"),
    domain="redaction_reason",
)
EXPORT_REASON = Attribute(
    key="reason",
    description=(
        "Why an export failed, or why records were dropped: `queue_full` when the bound in memory pushed them out, "
        "`spool_full` when the bound on disk did, `spool_damaged` when what was read from disk is not what was written, "
        "`shutdown` when the process ended before they could be delivered."
    ),
    values=(
        "refused",
        "timeout",
        "disconnected",
        "tls",
        "rejected",
        "redirect",
        "too_large",
        "encoding",
        "queue_full",
        "spool_full",
        "spool_damaged",
        "shutdown",
        _outcomes.OTHER,
    ),
    domain="export_reason",
)
WORKER_STATE = Attribute(
    key="state",
    description="What became of a worker process at the last scrape.",
    values=("live", "unresponsive", "ended", "supervisor"),
    domain="worker_state",
)
LABEL = Attribute(key="label", description="Key of the label that overflowed.", bound=40)
HOOK = Attribute(key="hook", description="Place in our code where the guard caught an error.", bound=60)
INSTRUMENTATION = Attribute(key="instrumentation", description="Name of an instrumentor.", bound=40)
GC_GENERATION = Attribute(
    key="generation",
    description="Generation that the garbage collector swept.",
    values=("0", "1", "2"),
)
