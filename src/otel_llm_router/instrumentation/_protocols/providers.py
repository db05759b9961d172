"""Which provider a host is.

Room: `instrumentation`. A host and a port come in; the word that routers use for the provider goes out, which
`telemetry` translates into the convention's ``gen_ai.provider.name``. Of hosts that are nobody's known
address, and that option ``providers`` does not name, the protocol is named instead, so that the number of
names stays small.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_address
from typing import Final

from otel_llm_router.signals import options

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


MAX_NAMED: Final = 100
"""Hosts that option ``providers`` may name."""

_ENTRY: Final = re.compile(
    r"(?P<host>\[[0-9a-fA-F:.]+\]|[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)(?::(?P<port>\d{1,5}))?"
    r"\s*=\s*(?P<name>[A-Za-z0-9][A-Za-z0-9._-]{0,63})"
)
_MAX_PORT: Final = 65535

_named: dict[tuple[str, int | None], str] = {}
"""What option ``providers`` says, by host and port."""


def read(text: str) -> tuple[dict[tuple[str, int | None], str], list[str]]:
    """Read option ``providers``.

    Returns:
        Names by host and port, and a sentence about each entry that cannot be used.
    """
    found: dict[tuple[str, int | None], str] = {}
    problems: list[str] = []
    entries = [entry for each in text.split(",") if (entry := each.strip())]
    for entry in entries:
        match = _ENTRY.fullmatch(entry)
        port = int(match["port"]) if match is not None and match["port"] else None
        if match is None or (port is not None and not 0 < port <= _MAX_PORT):
            problems.append(
                f"{options.PROVIDERS.env}: {entry[:100]!r} is not allowed: it takes host=name or host:port=name, several "
                "with commas between them, a name of letters, digits, '.', '_' and '-' (see docs/wire.md)"
            )
        elif len(found) >= MAX_NAMED:
            problems.append(f"{options.PROVIDERS.env}: of {len(entries)} entries the first {MAX_NAMED} are used")
            break
        else:
            found[match["host"].strip("[]").lower(), port] = match["name"]
    return found, problems


def use(named: Mapping[tuple[str, int | None], str]) -> None:
    """Take these names from now on."""
    _named.clear()
    _named.update(named)
    provider_of.cache_clear()


@lru_cache(maxsize=1000)
def provider_of(host: str, port: int | None = None) -> str | None:
    """Return the provider at ``host`` and ``port``, or None when it is nobody's known address.

    What option ``providers`` says comes first: of the host before those above it, with the port before without.
    """
    host = host.lower().rstrip(".")
    for name in _and_above(host) if _named else ():
        provider = _named.get((name, port)) or _named.get((name, None))
        if provider is not None:
            return provider
    for region, provider in _REGIONAL.items():
        if host.endswith("-" + region):
            return provider
    if host.startswith("bedrock-runtime.") and host.endswith(".amazonaws.com"):
        return "bedrock"
    for name in _and_above(host):
        provider = _HOSTS.get(name)
        if provider is not None:
            return provider
    return None


def _and_above(host: str) -> list[str]:
    """Return a host and the domains that it is in."""
    try:
        ip_address(host)
    except ValueError:
        parts = host.split(".")
        return [".".join(parts[start:]) for start in range(len(parts))]
    return [host]
