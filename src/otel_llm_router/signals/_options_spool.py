"""Options of the disk behind the queue of what is exported.

Room: `signals`. See `options`.
"""

from __future__ import annotations

from typing import Final

from otel_llm_router.signals._model import Option

SPOOL_DIR: Final = Option(
    name="spool_dir",
    env="OTEL_LLM_ROUTER_SPOOL_DIR",
    type="str",
    default="",
    description=(
        "Directory in which spans, log records and the last metrics wait that the collector does not take, so that they "
        "outlive the process; the next process of the service delivers them. Off when unset. "
        "See [exporting.md](exporting.md)."
    ),
)
SPOOL_BYTES: Final = Option(
    name="spool_bytes",
    env="OTEL_LLM_ROUTER_SPOOL_BYTES",
    type="int",
    default=268_435_456,
    minimum=1_048_576,
    description=(
        "Bytes of disk that may wait there, of all processes of the service together; beyond them the oldest are dropped "
        "and counted."
    ),
)

OPTIONS: Final = (SPOOL_DIR, SPOOL_BYTES)
