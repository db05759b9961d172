"""Metrics of the OpenTelemetry GenAI semantic conventions, recorded per attempt.

The convention renames them: `OLD` is what released instrumentations emit (semantic conventions
1.41), `NEW` what its main branch says. ``OTEL_LLM_ROUTER_GENAI_METRICS`` chooses.
"""

from __future__ import annotations

from typing import Final

from otel_llm_router.signals import attributes as a
from otel_llm_router.signals._model import Instrument, Kind

DURATION_BUCKETS: Final = (
    0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92,
)  # fmt: skip
TOKEN_BUCKETS: Final = (
    1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0, 16777216.0, 67108864.0,
)  # fmt: skip

_COMMON = (a.GEN_AI_OPERATION, a.GEN_AI_PROVIDER, a.GEN_AI_REQUEST_MODEL, a.GEN_AI_RESPONSE_MODEL)
_USAGE = (*_COMMON, a.GEN_AI_TOKEN_MODALITY)

OPERATION_DURATION = Instrument(
    name="gen_ai.client.operation.duration",
    prometheus_name="gen_ai_client_operation_duration_seconds",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="Duration of calls to a provider.",
    attributes=(*_COMMON, a.GEN_AI_ERROR_TYPE),
    buckets=DURATION_BUCKETS,
    source="semconv 1.41 gen_ai (old name)",
)
OPERATION_TIME_TO_FIRST_CHUNK = Instrument(
    name="gen_ai.client.operation.time_to_first_chunk",
    prometheus_name="gen_ai_client_operation_time_to_first_chunk_seconds",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="Time from the start of a streamed call to its first chunk with content.",
    attributes=_COMMON,
    buckets=DURATION_BUCKETS,
    source="semconv 1.41 gen_ai (old name)",
)
OPERATION_TIME_PER_OUTPUT_CHUNK = Instrument(
    name="gen_ai.client.operation.time_per_output_chunk",
    prometheus_name="gen_ai_client_operation_time_per_output_chunk_seconds",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="Mean time between chunks of a streamed call, after the first.",
    attributes=_COMMON,
    buckets=DURATION_BUCKETS,
    source="semconv 1.41 gen_ai (old name)",
)
TOKEN_USAGE = Instrument(
    name="gen_ai.client.token.usage",
    prometheus_name="gen_ai_client_token_usage",
    kind=Kind.HISTOGRAM,
    unit="{token}",
    description="Tokens of calls to a provider, by input and output.",
    attributes=(*_COMMON, a.GEN_AI_TOKEN_TYPE),
    buckets=TOKEN_BUCKETS,
    source="semconv 1.41 gen_ai (old name)",
)
OLD = (
    OPERATION_DURATION,
    OPERATION_TIME_TO_FIRST_CHUNK,
    OPERATION_TIME_PER_OUTPUT_CHUNK,
    TOKEN_USAGE,
)

INFERENCE_DURATION = Instrument(
    name="gen_ai.client.inference.duration",
    prometheus_name="gen_ai_client_inference_duration_seconds",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="Duration of inference calls to a provider.",
    attributes=(*_COMMON, a.GEN_AI_ERROR_TYPE),
    buckets=DURATION_BUCKETS,
    source="semconv-genai main",
)
INFERENCE_TIME_TO_FIRST_CHUNK = Instrument(
    name="gen_ai.client.inference.time_to_first_chunk",
    prometheus_name="gen_ai_client_inference_time_to_first_chunk_seconds",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="Time from the start of a streamed call to its first chunk with content.",
    attributes=_COMMON,
    buckets=DURATION_BUCKETS,
    source="semconv-genai main",
)
INFERENCE_TIME_PER_OUTPUT_CHUNK = Instrument(
    name="gen_ai.client.inference.time_per_output_chunk",
    prometheus_name="gen_ai_client_inference_time_per_output_chunk_seconds",
    kind=Kind.HISTOGRAM,
    unit="s",
    description="Mean time between chunks of a streamed call, after the first.",
    attributes=_COMMON,
    buckets=DURATION_BUCKETS,
    source="semconv-genai main",
)
USAGE_INPUT = Instrument(
    name="gen_ai.client.inference.usage.input_tokens",
    prometheus_name="gen_ai_client_inference_usage_input_tokens_total",
    kind=Kind.COUNTER,
    unit="{token}",
    description="Input tokens, cached ones included.",
    attributes=_USAGE,
    source="semconv-genai main",
)
USAGE_OUTPUT = Instrument(
    name="gen_ai.client.inference.usage.output_tokens",
    prometheus_name="gen_ai_client_inference_usage_output_tokens_total",
    kind=Kind.COUNTER,
    unit="{token}",
    description="Output tokens, reasoning included.",
    attributes=_USAGE,
    source="semconv-genai main",
)
USAGE_CACHE_READ = Instrument(
    name="gen_ai.client.inference.usage.cache_read.input_tokens",
    prometheus_name="gen_ai_client_inference_usage_cache_read_input_tokens_total",
    kind=Kind.COUNTER,
    unit="{token}",
    description="Input tokens read from the provider's cache.",
    attributes=_USAGE,
    source="semconv-genai main",
)
USAGE_CACHE_WRITE = Instrument(
    name="gen_ai.client.inference.usage.cache_write.input_tokens",
    prometheus_name="gen_ai_client_inference_usage_cache_write_input_tokens_total",
    kind=Kind.COUNTER,
    unit="{token}",
    description="Input tokens written to the provider's cache.",
    attributes=_USAGE,
    source="semconv-genai main",
)
USAGE_REASONING = Instrument(
    name="gen_ai.client.inference.usage.reasoning.output_tokens",
    prometheus_name="gen_ai_client_inference_usage_reasoning_output_tokens_total",
    kind=Kind.COUNTER,
    unit="{token}",
    description="Output tokens spent on reasoning.",
    attributes=_USAGE,
    source="semconv-genai main",
)
NEW = (
    INFERENCE_DURATION,
    INFERENCE_TIME_TO_FIRST_CHUNK,
    INFERENCE_TIME_PER_OUTPUT_CHUNK,
    USAGE_INPUT,
    USAGE_OUTPUT,
    USAGE_CACHE_READ,
    USAGE_CACHE_WRITE,
    USAGE_REASONING,
)
