"""The disk behind the queue of what is exported, if the options want one.

Room: `distro`.
"""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Final

from otel_llm_router import _file_locks
from otel_llm_router.distro.resource import identity
from otel_llm_router.signals.instruments import self_telemetry
from otel_llm_router.telemetry.instrumenting import recorder

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource

    from otel_llm_router.distro.settings import Settings
    from otel_llm_router.export._accounts import Accounts
    from otel_llm_router.export._spool import Spool

_logger = logging.getLogger("otel_llm_router")

_COUNTED: Final = ("traces", "logs")


def make(options: Settings, resource: Resource, accounts: Accounts) -> Spool | None:
    """Return the spool, or None where there is to be none; what cannot be used is said."""
    if not options.spool_dir:
        return None
    from otel_llm_router.export import _spool, workers  # noqa: PLC0415  # with a spool only

    try:
        if not _file_locks.AVAILABLE:
            raise OSError("this system has no locks over files that fall with their process")  # noqa: TRY301  # said below
        path = _spool.directory(options.spool_dir, workers.key("spool", *identity(resource.attributes)))
    except OSError as error:
        _logger.warning("otel-llm-router: what cannot be delivered waits in memory alone: %s", error)
        return None
    return _spool.Spool(path, options.spool_bytes, accounts)


def observe(spool: Spool) -> None:
    """Report how much waits on disk."""

    def waiting() -> list[tuple[float, tuple[str, ...]]]:
        records: Counter[str] = Counter(dict.fromkeys(_COUNTED, 0))
        for signal, number in spool.waiting().items():
            if signal in _COUNTED:
                records[signal] += number
        return [(float(number), (signal,)) for signal, number in records.items()]

    recorder().observe(self_telemetry.SPOOLED, "spool", waiting)
