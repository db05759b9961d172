"""Whether prompts and completions are recorded.

Room: `cli`. Ours records none unless the standard variable asks for it; others that are installed may, some unless
they are told not to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from otel_llm_router.cli.doctor._findings import Finding
from otel_llm_router.cli.doctor._situation import Situation
from otel_llm_router.distro import settings
from otel_llm_router.signals.content import OFF, VARIABLE, Mode

CHECK: Final = "content"

_WHERE: Final[Mapping[Mode, str]] = {
    "SPAN_ONLY": "on spans",
    "EVENT_ONLY": "as log events",
    "SPAN_AND_EVENT": "on spans and as log events",
}
_NO: Final = frozenset({"0", "false", "no", "off", "none"})
_YES: Final = frozenset({"1", "true", "yes", "on"})


def check(situation: Situation) -> Iterator[Finding]:
    """Say who records content."""
    environ = situation.environ
    names = situation.installed.distributions
    quiet = True
    mode, problem = settings.content_mode(environ)
    if problem:
        quiet = False
        yield Finding(
            CHECK,
            "warn",
            f"{problem}; other instrumentations may take it for a yes",
            f"set {VARIABLE} to one of its values, or unset it",
        )
    elif mode != OFF:
        quiet = False
        yield Finding(
            CHECK,
            "warn",
            f"{VARIABLE}={mode}: prompts and completions are recorded {_WHERE[mode]}",
            f"unset {VARIABLE} unless that is meant",
        )
    traceloop = any(
        name == "traceloop-sdk" or (name.startswith("opentelemetry-instrumentation-") and _needs(situation, name))
        for name in names
    )
    if traceloop and environ.get("TRACELOOP_TRACE_CONTENT", "true").strip().lower() not in _NO:
        quiet = False
        yield Finding(
            CHECK,
            "warn",
            "OpenLLMetry is installed and records prompts and completions unless it is told not to",
            "set TRACELOOP_TRACE_CONTENT=false unless that is meant",
        )
    openinference = any(name.startswith("openinference-instrumentation-") for name in names)
    hidden = all(
        environ.get(name, "").strip().lower() in _YES
        for name in ("OPENINFERENCE_HIDE_INPUTS", "OPENINFERENCE_HIDE_OUTPUTS")
    )
    if openinference and not hidden:
        quiet = False
        yield Finding(
            CHECK,
            "warn",
            "OpenInference is installed and records prompts and completions unless it is told not to",
            "set OPENINFERENCE_HIDE_INPUTS=true and OPENINFERENCE_HIDE_OUTPUTS=true unless that is meant",
        )
    if quiet:
        yield Finding(CHECK, "ok", "no prompt and no completion is recorded")


def _needs(situation: Situation, name: str) -> bool:
    """Whether a package is one of OpenLLMetry's: those need its conventions, and no others do."""
    needed = situation.installed.distributions[name].requires or ()
    return any(text.startswith("opentelemetry-semantic-conventions-ai") for text in needed)
