"""What is hidden in what leaves the process.

Room: `cli`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from otel_llm_router import redaction
from otel_llm_router.cli.doctor._findings import Finding
from otel_llm_router.cli.doctor._situation import Situation

CHECK: Final = "redaction"


def check(situation: Situation) -> Iterator[Finding]:
    """Say what is hidden, and what cannot be."""
    settings = situation.settings
    patterns = "patterns of your own" if settings.redact_patterns else ""
    try:
        redaction.configure(patterns=settings.redact_patterns)
    except redaction.PatternError as error:
        patterns = ""
        yield Finding(
            CHECK,
            "fail",
            f"{error}; no pattern of OTEL_LLM_ROUTER_REDACT_PATTERNS is used",
            "correct it; see docs/redaction.md",
        )
    finally:
        redaction.configure()
    personal = settings.redact_pii.replace(",", ", ")
    hidden = ", ".join(filter(None, ("secrets", personal, patterns)))
    yield Finding(CHECK, "ok", f"{hidden} are hidden in what is exported")
