"""Which provider a host is.

Room: `instrumentation`. A host name comes in; the word that routers use for the provider goes out, which
`telemetry` translates into the convention's ``gen_ai.provider.name``. Of hosts that are nobody's known
address the protocol is named instead, so that the number of names stays small.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

_HOSTS: Final[Mapping[str, str]] = {
    "api.openai.com": "openai",
    "openai.azure.com": "azure",
    "cognitiveservices.azure.com": "azure",
    "services.ai.azure.com": "azure_ai",
    "inference.ai.azure.com": "azure_ai",
    "api.anthropic.com": "anthropic",
    "generativelanguage.googleapis.com": "gemini",
    "aiplatform.googleapis.com": "vertex_ai",
    "api.mistral.ai": "mistral",
    "api.groq.com": "groq",
    "api.x.ai": "xai",
    "api.deepseek.com": "deepseek",
    "api.cohere.com": "cohere",
    "api.cohere.ai": "cohere",
    "api.perplexity.ai": "perplexity",
    "api.moonshot.ai": "moonshot",
    "api.moonshot.cn": "moonshot",
    "ml.cloud.ibm.com": "watsonx",
    "openrouter.ai": "openrouter",
    "api.together.xyz": "together_ai",
    "api.together.ai": "together_ai",
    "api.fireworks.ai": "fireworks_ai",
    "api.cerebras.ai": "cerebras",
    "api.sambanova.ai": "sambanova",
    "api.deepinfra.com": "deepinfra",
    "api.novita.ai": "novita",
    "api.hyperbolic.xyz": "hyperbolic",
    "integrate.api.nvidia.com": "nvidia_nim",
    "router.huggingface.co": "huggingface",
    "api-inference.huggingface.co": "huggingface",
    "endpoints.huggingface.cloud": "huggingface",
    "models.github.ai": "github",
    "dashscope.aliyuncs.com": "dashscope",
    "dashscope-intl.aliyuncs.com": "dashscope",
    "open.bigmodel.cn": "zai",
    "api.z.ai": "zai",
    "api.minimax.io": "minimax",
    "ollama.com": "ollama",
}
"""Addresses of providers; each stands for the hosts below it too."""

_REGIONAL: Final = {"aiplatform.googleapis.com": "vertex_ai"}
"""Addresses whose regions are written in front with a hyphen."""


@lru_cache(maxsize=1000)
def provider_of(host: str) -> str | None:
    """Return the provider at ``host``, or None when it is nobody's known address."""
    host = host.lower().rstrip(".")
    for region, provider in _REGIONAL.items():
        if host.endswith("-" + region):
            return provider
    if host.startswith("bedrock-runtime.") and host.endswith(".amazonaws.com"):
        return "bedrock"
    parts = host.split(".")
    for start in range(len(parts) - 1):
        provider = _HOSTS.get(".".join(parts[start:]))
        if provider is not None:
            return provider
    return None
