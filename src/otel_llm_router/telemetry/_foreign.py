"""Other instrumentations that make a span of the same call: OpenTelemetry's, OpenInference's, OpenLLMetry's.

Room: `telemetry`. They wrap a provider's library, so that their span is the current one when the HTTP
request is made. By the rule `defer` the call keeps their span, and their ``gen_ai.*`` metrics if they make
any; we count it in our own metrics and make no second span. By the rule `own` ours are made beside theirs.
Which it is, is said once for each of them.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Final, Literal, cast

from opentelemetry import trace

from otel_llm_router.telemetry import _guard
from otel_llm_router.telemetry._recorder import SCOPE

_logger = logging.getLogger("otel_llm_router")

Rule = Literal["defer", "own"]

_OPERATIONS: Final = frozenset({"chat", "text_completion", "generate_content", "embeddings"})
"""GenAI operations that are one call to a provider; the others (agents, tools) are what calls are made for."""

_KINDS: Final = frozenset({"LLM", "EMBEDDING"})
"""OpenInference's kinds of span that are one call to a provider."""

_WITHOUT_METRICS: Final = "openinference."
"""Beginning of the names of instrumentations that make spans alone: the ``gen_ai.*`` metrics are ours."""

_SDKS: Final = frozenset(
    {
        *("ai21", "anthropic", "cohere", "google-genai", "google-generativeai", "google-cloud-aiplatform", "groq"),
        *("huggingface-hub", "litellm", "mistralai", "ollama", "openai", "replicate", "together"),
    }
)
"""Libraries by which calls to providers are made; an instrumentor that is for one of them makes spans of calls."""

_NAME: Final = re.compile(r"[A-Za-z0-9._-]+")
_MAX_SAID: Final = 100

said: Final[set[str]] = set()
"""Instrumentations that have been spoken of."""

beneath: Final[set[str]] = set()
"""Instrumentations whose spans were seen under a span of ours for the same call."""


def current(rule: Rule, ours: trace.Span | None = None) -> str | None:
    """Return the name of the instrumentation whose span of this call is current and is the call's, or None.

    Args:
        rule: See option ``foreign``.
        ours: The span of ours that is most likely the current one.
    """
    span: Any = trace.get_current_span()
    if span is ours or not span.is_recording():
        return None
    scope = str(getattr(getattr(span, "instrumentation_scope", None), "name", "") or "unknown")
    if scope == SCOPE:
        return None
    attributes: Any = getattr(span, "attributes", None)
    if not isinstance(attributes, Mapping) or not _is_call(span, cast("Mapping[str, Any]", attributes)):
        return None
    _say(scope, rule)
    return scope if rule == "defer" else None


def makes_metrics(scope: str) -> bool:
    """Whether an instrumentation makes the ``gen_ai.*`` metrics of its calls, as far as is known."""
    return not scope.startswith(_WITHOUT_METRICS)


def expected(rule: Rule) -> bool:
    """Whether a span of another instrumentation's may yet begin for a call that begins now."""
    return rule == "defer" and (bool(beneath) or _active())


def _say(scope: str, rule: Rule) -> None:
    if scope in said or len(said) >= _MAX_SAID:
        return
    said.add(scope)
    choice = (
        "the call keeps its span and its gen_ai.* metrics, ours count it without a second one (said once). To have our "
        "spans, switch one of the two off with OTEL_PYTHON_DISABLED_INSTRUMENTATIONS, or set OTEL_LLM_ROUTER_FOREIGN=own"
        if rule == "defer"
        else "OTEL_LLM_ROUTER_FOREIGN=own has ours made beside them (said once)"
    )
    _logger.warning(
        "otel-llm-router: %s makes spans of calls to providers too; %s; see docs/wire.md.",
        scope,
        choice,
    )


def _is_call(span: Any, attributes: Mapping[str, Any]) -> bool:
    operation = attributes.get("gen_ai.operation.name")
    if operation is not None:
        return operation in _OPERATIONS
    kind = attributes.get("openinference.span.kind")  # which it may keep for the end
    if kind is not None:
        return kind in _KINDS
    if "llm.model_name" in attributes or "embedding.model_name" in attributes:
        return True
    named = "gen_ai.system" in attributes or "gen_ai.provider.name" in attributes or "llm.request.type" in attributes
    return named and getattr(span, "kind", None) is trace.SpanKind.CLIENT


_irrelevant: Final[set[Any]] = set()
"""Instrumentors that are for something else."""


def _active() -> bool:
    """Whether an instrumentor of a provider's library is switched on."""
    module: Any = sys.modules.get("opentelemetry.instrumentation.instrumentor")
    if module is None:
        return False
    instrumentors: list[Any] = module.BaseInstrumentor.__subclasses__()
    for instrumentor in instrumentors:
        if instrumentor in _irrelevant:
            continue
        # The one that there is, without making one: what that sets in motion is nobody's business here.
        instance: Any = instrumentor.__dict__.get("_instance")
        if instance is not None:
            if not _for_a_provider(instance):
                _irrelevant.add(instrumentor)
            elif instance.is_instrumented_by_opentelemetry:
                return True
    return False


def _for_a_provider(instrumentor: Any) -> bool:
    if type(instrumentor).__module__.startswith("otel_llm_router."):
        return False
    with _guard.guard("foreign.dependencies"):
        for requirement in instrumentor.instrumentation_dependencies():
            name = _NAME.match(str(requirement).strip())
            if name is not None and name[0].lower().replace("_", "-") in _SDKS:
                return True
    return False
