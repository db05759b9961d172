"""GenAI semantic-convention metrics of an attempt, under the old names, the new ones, or both.

Room: `telemetry`. An ended attempt comes in; records on `signals.instruments.gen_ai` go out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

from otel_llm_router.signals.instruments import gen_ai
from otel_llm_router.telemetry._recorder import Records

if TYPE_CHECKING:
    from otel_llm_router.telemetry._attempt import Attempt

Names = Literal["old", "new", "both", "none"]

_PROVIDER_NAMES: Final[Mapping[str, str]] = {
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "moonshot": "moonshot_ai",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}
"""Routers' words for providers that the convention names otherwise; all others are kept."""

_OLD: Final = frozenset({"old", "both"})
_NEW: Final = frozenset({"new", "both"})
_INFERENCE: Final = frozenset({"chat", "text_completion", "generate_content"})


def provider_name(provider: str) -> str:
    """Return the convention's name of a provider."""
    return _PROVIDER_NAMES.get(provider, provider)


def add(records: Records, attempt: Attempt, names: Names, seconds: float) -> None:
    """Add the metrics of one ended attempt to ``records``."""
    target = attempt.target
    common = (target.operation, provider_name(target.provider), target.model, attempt.response_model)
    failed = (*common, attempt.error_type or None)
    inference = target.operation in _INFERENCE
    if names in _OLD:
        _add_old(records, attempt, common)
    if names in _OLD or (
        names == "new" and not inference
    ):  # the convention keeps the old name for what is no inference
        records.append((gen_ai.OPERATION_DURATION, seconds, failed))
    if names in _NEW and inference:
        records.append((gen_ai.INFERENCE_DURATION, seconds, failed))
        _add_new(records, attempt, common)


def _add_old(records: Records, attempt: Attempt, common: tuple[str | None, ...]) -> None:
    for instrument, value in (
        (gen_ai.OPERATION_TIME_TO_FIRST_CHUNK, attempt.time_to_first_chunk),
        (gen_ai.OPERATION_TIME_PER_OUTPUT_CHUNK, attempt.time_per_output_chunk),
    ):
        if value is not None:
            records.append((instrument, value, common))
    for kind, tokens in (("input", attempt.usage.input), ("output", attempt.usage.output)):
        if tokens is not None:
            records.append((gen_ai.TOKEN_USAGE, tokens, (*common, kind)))


def _add_new(records: Records, attempt: Attempt, common: tuple[str | None, ...]) -> None:
    usage, counted = attempt.usage, (*common, "unknown")
    for instrument, value, labels in (
        (gen_ai.INFERENCE_TIME_TO_FIRST_CHUNK, attempt.time_to_first_chunk, common),
        (gen_ai.INFERENCE_TIME_PER_OUTPUT_CHUNK, attempt.time_per_output_chunk, common),
        # Zero is recorded too: the convention wants the series of a failed call to exist.
        (gen_ai.USAGE_INPUT, usage.input or 0, counted),
        (gen_ai.USAGE_OUTPUT, usage.output or 0, counted),
        (gen_ai.USAGE_CACHE_READ, usage.cache_read, counted),
        (gen_ai.USAGE_CACHE_WRITE, usage.cache_write, counted),
        (gen_ai.USAGE_REASONING, usage.reasoning, counted),
    ):
        if value is not None:
            records.append((instrument, value, labels))
