"""What is hidden in everything that leaves, by the options.

Room: `distro`.
"""

from __future__ import annotations

import logging

from otel_llm_router import redaction
from otel_llm_router.distro.settings import Settings
from otel_llm_router.signals.instruments import self_telemetry
from otel_llm_router.telemetry.instrumenting import guard, recorder

_logger = logging.getLogger("otel_llm_router")


def configure(options: Settings) -> None:
    """Let the options hold. Where a pattern cannot be used it is said, and all that is no pattern holds.

    What finds secrets is loaded here, in the thread that configures: the first text would be a label, on a request's
    path, or come while a worker is forked.
    """
    personal, keys, allowed = (parts(one) for one in (options.redact_pii, options.redact_keys, options.redact_allow))
    try:
        redaction.configure(
            personal=personal,
            patterns=options.redact_patterns,
            keys=keys,
            allowed=allowed,
            limit=options.redact_limit,
            dropped=_count,
        )
    except redaction.PatternError as error:
        _logger.warning("otel-llm-router: OTEL_LLM_ROUTER_REDACT_PATTERNS: %s; no pattern of it is used", error)
        redaction.configure(personal=personal, keys=keys, allowed=allowed, limit=options.redact_limit, dropped=_count)
    redaction.load()


def parts(text: str) -> list[str]:
    """Return what is between the commas of an option."""
    return [part for one in text.split(",") if (part := one.strip())]


def _count(reason: str) -> None:
    with guard("redaction"):
        recorder().record(self_telemetry.REDACTION_DROPPED, 1, reason)
