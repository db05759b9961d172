"""GenAI semantic-convention metrics of an attempt, under the old names, the new ones, or both.

Room: `telemetry`. An ended attempt comes in; records on `signals.instruments.gen_ai` go out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, Literal

from otel_llm_router.signals.instruments import gen_ai
from otel_llm_router.telemetry._recorder import Recorder

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

_INFERENCE: Final = frozenset({"chat", "text_completion", "generate_content"})


def provider_name(provider: str) -> str:
    """Return the convention's name of a provider."""
    return _PROVIDER_NAMES.get(provider, provider)


def record(attempt: Attempt, recorder: Recorder, names: Names, seconds: float, error_type: str) -> None:
    """Record the metrics of one ended attempt."""
    if names == "none":
        return
    target = attempt.target
    common = (target.operation, provider_name(target.provider), target.model, attempt.response_model)
    error = error_type or None
    inference = target.operation in _INFERENCE
    if names != "new" or not inference:  # the convention keeps the old name for what is no inference
        recorder.record(gen_ai.OPERATION_DURATION, seconds, *common, error)
    if names != "new":
        _record_chunks(
            attempt, recorder, common, gen_ai.OPERATION_TIME_TO_FIRST_CHUNK, gen_ai.OPERATION_TIME_PER_OUTPUT_CHUNK
        )
        for kind, value in (("input", attempt.usage.input), ("output", attempt.usage.output)):
            if value is not None:
                recorder.record(gen_ai.TOKEN_USAGE, value, *common, kind)
    if names != "old" and inference:
        recorder.record(gen_ai.INFERENCE_DURATION, seconds, *common, error)
        _record_chunks(
            attempt, recorder, common, gen_ai.INFERENCE_TIME_TO_FIRST_CHUNK, gen_ai.INFERENCE_TIME_PER_OUTPUT_CHUNK
        )
        usage = attempt.usage
        # Zero is recorded too: the convention wants the series of a failed call to exist.
        recorder.record(gen_ai.USAGE_INPUT, usage.input or 0, *common, "unknown")
        recorder.record(gen_ai.USAGE_OUTPUT, usage.output or 0, *common, "unknown")
        for instrument, value in (
            (gen_ai.USAGE_CACHE_READ, usage.cache_read),
            (gen_ai.USAGE_CACHE_WRITE, usage.cache_write),
            (gen_ai.USAGE_REASONING, usage.reasoning),
        ):
            if value is not None:
                recorder.record(instrument, value, *common, "unknown")


def _record_chunks(
    attempt: Attempt,
    recorder: Recorder,
    common: tuple[str | None, ...],
    first: gen_ai.Instrument,
    between: gen_ai.Instrument,
) -> None:
    if attempt.time_to_first_chunk is not None:
        recorder.record(first, attempt.time_to_first_chunk, *common)
    if attempt.time_per_output_chunk is not None:
        recorder.record(between, attempt.time_per_output_chunk, *common)
