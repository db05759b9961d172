"""Puts the log side together: which streams there are, where their lines are written, when the last ones are.

Room: `distro`.
"""

from __future__ import annotations

import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk._logs import LoggerProvider

from otel_llm_router import _otel_compat as _compat
from otel_llm_router import telemetry
from otel_llm_router.signals import options as declared
from otel_llm_router.signals.instruments import self_telemetry
from otel_llm_router.telemetry.instrumenting import Access, guard, recorder, shares

if TYPE_CHECKING:
    from collections.abc import Callable

    from otel_llm_router.distro._lifecycle import Lifecycle
    from otel_llm_router.distro.settings import Settings
    from otel_llm_router.export.scrape import ScrapeReader
    from otel_llm_router.logs import Streams

_logger = logging.getLogger("otel_llm_router")

ALWAYS: Final = frozenset({"application", "error", "audit"})
"""Streams that there are unless options say otherwise."""

_SEVERITIES: Final = {"debug": 5, "info": 9, "warn": 13, "warning": 13, "error": 17, "critical": 21}
_CLOSING: Final = 1.0
"""Seconds that the last lines may take, within the budget of the exit."""

_application: list[LoggerProvider] = []


def streams(settings: Settings) -> frozenset[str]:
    """Return the streams that there are."""
    if settings.log_streams:
        return frozenset(settings.log_streams.split(","))
    return frozenset(declared.LOG_STREAMS.choices) if settings.log_file else ALWAYS


def application_provider() -> LoggerProvider | None:
    """Return where records of the application go that are written to files and do not leave otherwise."""
    return _application[-1] if _application else None


def start(settings: Settings, provider: Any, lifecycle: Lifecycle, settle: Callable[[], object]) -> None:
    """Begin to make and to write what the options ask for.

    Args:
        settings: The options.
        provider: The logger provider that records of ours are emitted on.
        lifecycle: Runs what is to be done at the end.
        settle: Records what has ended and has not been recorded yet.
    """
    chosen = streams(settings)
    telemetry.default.inferences = settings.log_inferences
    if "access" in chosen:
        found, problems = shares(settings.log_access_sample)
        for problem in problems:
            _logger.warning("otel-llm-router: %s: %s", declared.LOG_ACCESS_SAMPLE.env, problem)
        telemetry.default.access = Access(found, client=settings.log_client_address)
    if not settings.log_file or not isinstance(provider, LoggerProvider):
        return
    with guard("log files"):
        written = _written(settings, chosen)
        provider.add_log_record_processor(written)
        if not settings.logs and chosen & {"application", "error"}:
            own = LoggerProvider(resource=provider.resource, shutdown_on_exit=False)
            own.add_log_record_processor(written)
            _application.append(own)
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=partial(_compat.begin_again, [own]))
        lifecycle.add([partial(_flushed, written, settle)])
        lifecycle.add([partial(_closed, written, settle)], last=True)
        lifecycle.add_flush([partial(_flushed, written, settle)])


def summarise(settings: Settings, reader: ScrapeReader | None, lifecycle: Lifecycle) -> None:
    """Begin the stream of summaries, where it is wanted; they need what a scrape reads."""
    if reader is None or "metrics" not in streams(settings):
        return
    with guard("summaries"):
        from otel_llm_router.distro._summary import Summary  # noqa: PLC0415  # where they are wanted

        summary = Summary(reader.points, settings.log_summary_interval)
        summary.start()
        lifecycle.add([summary.say])


def _written(settings: Settings, chosen: frozenset[str]) -> Streams:
    from otel_llm_router import logs  # noqa: PLC0415  # where lines are written

    place = logs.place(settings.log_file, max_bytes=settings.log_max_bytes, backups=settings.log_backups)
    wanted = settings.log_format
    pretty = wanted == "pretty" or (wanted == "auto" and place.terminal)
    return logs.Streams(
        place,
        _Accounts(),
        partial(guard, "log files"),
        streams=chosen,
        level=_SEVERITIES["debug" if settings.log_debug else settings.log_level],
        line=logs.pretty(color=place.terminal) if pretty else logs.as_json,
    )


def _flushed(written: Streams, settle: Callable[[], object], milliseconds: int = 1000) -> None:
    settle()
    written.force_flush(milliseconds)


def _closed(written: Streams, settle: Callable[[], object]) -> None:
    settle()
    written.close(_CLOSING)


class _Accounts:
    """Counts what becomes of lines on our own instruments."""

    def written(self, stream: str, lines: int) -> None:
        with guard("counts of log lines"):
            recorder().record(self_telemetry.LOG_LINES_WRITTEN, lines, stream)

    def dropped(self, stream: str, reason: str, lines: int) -> None:
        with guard("counts of log lines"):
            recorder().record(self_telemetry.LOG_LINES_DROPPED, lines, stream, reason)
