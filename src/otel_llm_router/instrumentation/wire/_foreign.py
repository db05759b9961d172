"""Other instrumentations that make a span of the same call: openai's, OpenInference's, OpenLLMetry's.

Room: `instrumentation`. They wrap the provider's library, so that their span is the current one when the
HTTP request is made. The rule: the call keeps the span, and the ``gen_ai.*`` metrics if it makes any, of
who came first; we count it in our own metrics and make no second span. Said once for each of them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final, cast

from opentelemetry import trace

from otel_llm_router.telemetry.instrumenting import SCOPE

_logger = logging.getLogger("otel_llm_router")

_OPERATIONS: Final = frozenset({"chat", "text_completion", "generate_content", "embeddings"})
"""GenAI operations that are one call to a provider; the others (agents, tools) are what calls are made for."""

_KINDS: Final = frozenset({"LLM", "EMBEDDING"})
"""OpenInference's kinds of span that are one call to a provider."""

_MAX_SAID: Final = 100

said: set[str] = set()
"""Instrumentations that have been spoken of."""


def found() -> str | None:
    """Return the name of the instrumentation whose span of this call is current, or None."""
    span: Any = trace.get_current_span()
    if not span.is_recording():
        return None
    attributes: Any = getattr(span, "attributes", None)
    if not isinstance(attributes, Mapping) or not _is_call(span, cast("Mapping[str, Any]", attributes)):
        return None
    scope = str(getattr(getattr(span, "instrumentation_scope", None), "name", "") or "unknown")
    if scope == SCOPE:
        return None
    if scope not in said and len(said) < _MAX_SAID:
        said.add(scope)
        _logger.warning(
            "otel-llm-router: %s makes spans of calls to providers too; they keep its span and its gen_ai.* metrics, "
            "ours count them without a second one (said once). To have our spans, switch one of the two off with "
            "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS; see docs/wire.md.",
            scope,
        )
    return scope


def _is_call(span: Any, attributes: Mapping[str, Any]) -> bool:
    operation = attributes.get("gen_ai.operation.name")
    if operation is not None:
        return operation in _OPERATIONS
    if attributes.get("openinference.span.kind") in _KINDS:
        return True
    named = "gen_ai.system" in attributes or "gen_ai.provider.name" in attributes or "llm.request.type" in attributes
    return named and getattr(span, "kind", None) is trace.SpanKind.CLIENT
