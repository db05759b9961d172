"""Attributes of the GenAI semantic conventions.

Room: `signals`.
"""

from __future__ import annotations

from otel_llm_router.signals._model import Attribute
from otel_llm_router.signals.attributes import _outcomes

GEN_AI_OPERATION = Attribute(key="gen_ai.operation.name", description="``chat``, ``embeddings`` and so on.", bound=20)
GEN_AI_PROVIDER = Attribute(
    key="gen_ai.provider.name",
    description="Provider by the names of the convention.",
    bound=60,
)
GEN_AI_REQUEST_MODEL = Attribute(
    key="gen_ai.request.model",
    description="Model that the deployment was asked for.",
    bound=200,
    domain="model",
    client_chosen=True,
)
GEN_AI_RESPONSE_MODEL = Attribute(
    key="gen_ai.response.model",
    description="Model that the provider says answered.",
    bound=200,
    domain="model",
    client_chosen=True,
)
GEN_AI_TOKEN_TYPE = Attribute(
    key="gen_ai.token.type", description="``input`` or ``output``.", values=("input", "output")
)
GEN_AI_TOKEN_MODALITY = Attribute(
    key="gen_ai.token.modality",
    description="Modality of the tokens; ``unknown`` when the provider gives no split.",
    values=("text", "image", "audio", "unknown"),
)
GEN_AI_ERROR_TYPE = Attribute(
    key="error.type", description="Class of the failure.", values=_outcomes.ERROR_TYPES, domain="gen_ai_error"
)
GEN_AI_STREAM = Attribute(key="gen_ai.request.stream", description="Set, and true, when the answer was streamed.")
GEN_AI_RESPONSE_ID = Attribute(key="gen_ai.response.id", description="Provider's identifier of the answer.")
GEN_AI_FINISH_REASONS = Attribute(key="gen_ai.response.finish_reasons", description="Why each choice ended.")
GEN_AI_INPUT_TOKENS = Attribute(key="gen_ai.usage.input_tokens", description="Input tokens, cached ones included.")
GEN_AI_OUTPUT_TOKENS = Attribute(key="gen_ai.usage.output_tokens", description="Output tokens, reasoning included.")
GEN_AI_CACHE_READ = Attribute(
    key="gen_ai.usage.cache_read.input_tokens", description="Input tokens read from the provider's cache."
)
GEN_AI_CACHE_WRITE = Attribute(
    key="gen_ai.usage.cache_write.input_tokens", description="Input tokens written to the provider's cache."
)
GEN_AI_REASONING = Attribute(
    key="gen_ai.usage.reasoning.output_tokens", description="Output tokens spent on reasoning."
)
GEN_AI_INPUT_MESSAGES = Attribute(
    key="gen_ai.input.messages",
    description="What the model was asked. Content: see [content.md](content.md).",
)
GEN_AI_OUTPUT_MESSAGES = Attribute(
    key="gen_ai.output.messages",
    description="What it answered, one message for each choice. Content: see [content.md](content.md).",
)
GEN_AI_SYSTEM_INSTRUCTIONS = Attribute(
    key="gen_ai.system_instructions",
    description="System instructions that are no message. Content: see [content.md](content.md).",
)
GEN_AI_TOOL_DEFINITIONS = Attribute(
    key="gen_ai.tool.definitions",
    description="Tools that the model was offered. Content: see [content.md](content.md).",
)
