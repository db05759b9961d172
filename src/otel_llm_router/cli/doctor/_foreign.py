"""Other packages that make telemetry of the same calls.

Room: `cli`. See `docs/wire.md`: by default another's span of a call stays, and ours counts it without a second one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from otel_llm_router.cli.doctor._findings import Finding
from otel_llm_router.cli.doctor._instrumentors import DISABLED, GROUP
from otel_llm_router.cli.doctor._situation import Situation
from otel_llm_router.instrumentation.litellm._callbacks import CHOICES

CHECK: Final = "foreign"

_PROVIDERS: Final = (
    "openai|openai-v2|anthropic|bedrock|cohere|google-generativeai|google-genai|vertexai|groq|mistralai|ollama|"
    "replicate|sagemaker|together|watsonx|litellm|langchain"
)
_FAMILIES: Final = (
    (
        re.compile(rf"opentelemetry-instrumentation-({_PROVIDERS})"),
        "an instrumentation of OpenTelemetry or OpenLLMetry",
    ),
    (re.compile(r"openinference-instrumentation-.+"), "OpenInference"),
    (re.compile(r"traceloop-sdk"), "OpenLLMetry"),
    (re.compile(r"openlit"), "OpenLIT"),
)

_CHOICES: Final = {
    "defer": "where both see a call it keeps its span and its gen_ai.* metrics, ours count the call without a second span",
    "own": "OTEL_LLM_ROUTER_FOREIGN=own has ours made beside its spans and its gen_ai.* metrics: a call has two of each",
}
"""What happens to a call that both see, by option ``foreign``."""

_HTTP: Final = re.compile(r"opentelemetry-instrumentation-(httpx|aiohttp-client|requests|urllib3)")
"""OpenTelemetry's instrumentations of HTTP clients."""

_CALLBACKS: Final = ("arize-phoenix-otel", "langfuse", "langsmith", "logfire", "opik", "weave")
"""What LiteLLM has a callback for that makes spans or counts of each call."""

_LITELLM_OTEL: Final = ("OTEL_EXPORTER", "OTEL_ENDPOINT", "OTEL_HEADERS", "LITELLM_OTEL_INTEGRATION_ENABLE_METRICS")
"""Variables that LiteLLM's own callback ``otel`` reads and nobody else."""


def check(situation: Situation) -> Iterator[Finding]:
    """Say who else makes spans of calls to models."""
    quiet = True
    points = situation.installed.entry_points(GROUP)
    disabled = situation.disabled_instrumentations()
    for name in sorted(situation.installed.distributions):
        family = next((family for pattern, family in _FAMILIES if pattern.fullmatch(name)), None)
        if family is None:
            continue
        quiet = False
        own = [one.name for one in points if one.package.startswith(f"{name} ")]
        active = [] if "*" in disabled else [one for one in own if one not in disabled]
        package = f"{name} {situation.installed.version(name)} ({family})"
        if own and not active:
            yield Finding(CHECK, "ok", f"{package} is installed and switched off by {DISABLED}")
            continue
        when = "is loaded beside ours" if own else "is installed, and records once the application starts it"
        off = f"set {DISABLED}={','.join([*disabled, *active])}" if own else "leave its start out of the application"
        yield Finding(
            CHECK,
            "warn",
            f"{package} {when}: {_CHOICES[situation.settings.foreign]}",
            f"to have our spans{' alone' if situation.settings.foreign == 'own' else ''}, {off}; see docs/wire.md",
        )
    yield from _http(situation)
    if situation.installed.version("litellm"):
        for finding in _callbacks(situation):
            quiet = quiet and finding.status == "ok" and finding.message.startswith("if LiteLLM")
            yield finding
        if situation.environ.get("LITELLM_RUST"):
            quiet = False
            yield Finding(
                CHECK,
                "warn",
                "LITELLM_RUST lets LiteLLM make calls outside Python, where no hook of ours sees them: attempts, tokens "
                "and streams are missing or end too early",
                "unset LITELLM_RUST",
            )
    if quiet:
        yield Finding(CHECK, "ok", "no other instrumentation of calls to models is installed")


def _http(situation: Situation) -> Iterator[Finding]:
    """Say what becomes of stock instrumentations of the HTTP clients that ours watch."""
    found = [name for name in sorted(situation.installed.distributions) if _HTTP.fullmatch(name)]
    if found:
        yield Finding(
            CHECK,
            "ok",
            f"{', '.join(found)}: a span of the HTTP request stands under our span of the call, or around it; "
            "the call is counted once",
        )


def _callbacks(situation: Situation) -> Iterator[Finding]:
    told = [name for name in _LITELLM_OTEL if situation.environ.get(name)]
    if told:
        yield Finding(
            CHECK,
            "warn",
            f"{', '.join(told)} is for LiteLLM's own callback otel, which writes on our spans and adds one of the raw request if it is on",
            "leave otel out of callbacks in LiteLLM's configuration; ours needs none of these variables",
        )
    for name, choice in CHOICES.items():
        yield Finding(CHECK, "ok", f"if LiteLLM's callbacks name {name}: {choice}")
    found = [name for name in _CALLBACKS if situation.installed.version(name)]
    if found:
        yield Finding(
            CHECK,
            "ok",
            f"installed, and recording the same calls where LiteLLM's callbacks name it: {', '.join(found)}",
        )
