"""The audit trail: who was let in, which keys were used, what was refused, and what was changed, on record.

Room: `logs`. Events come in; lines of an append-only file go out, each with the hash of the one before, on disk before
anything else is done with them. `verify` says whether a file is as it was written. See docs/audit.md.
"""

from otel_llm_router._file_locks import AVAILABLE
from otel_llm_router.logs.audit._event import Event
from otel_llm_router.logs.audit._record import Seal
from otel_llm_router.logs.audit._trail import Configuration, Trail

__all__ = ["AVAILABLE", "Configuration", "Event", "Seal", "Trail"]
