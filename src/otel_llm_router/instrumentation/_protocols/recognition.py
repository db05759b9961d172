"""Which HTTP requests are calls to a language model, and what they ask for.

Room: `instrumentation`. Method, path, host and body come in; what is called goes out, or None for
everything that is no such call. Pure functions; no HTTP library is known here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from otel_llm_router.instrumentation._protocols import bodies
from otel_llm_router.instrumentation._protocols.providers import provider_of

Dialect = Literal["openai", "responses", "anthropic", "gemini", "ollama"]
"""Shape of the answer."""

_LAST: Final = frozenset({"completions", "responses", "embeddings", "messages", "chat", "generate", "embed"})
"""Last segments of the paths that are looked at more closely; Gemini's have a colon."""

_GEMINI: Final = re.compile(
    r"(?:^|/)models/([^/:]+):(generateContent|streamGenerateContent|embedContent|batchEmbedContents)$"
)
_GEMINI_OPERATIONS: Final = {
    "generateContent": "generate_content",
    "streamGenerateContent": "generate_content",
    "embedContent": "embeddings",
    "batchEmbedContents": "embeddings",
}
_AZURE_DEPLOYMENT: Final = re.compile(r"/deployments/([^/]+)/")
_UNNAMED: Final = {"anthropic": "anthropic", "gemini": "gemini", "ollama": "ollama"}
"""Provider at an unknown host, where the protocol is one provider's own."""

OPENAI_COMPATIBLE: Final = "openai_compatible"
"""Provider at an unknown host that speaks OpenAI's protocol: vLLM, TGI, llama.cpp, a gateway."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call to a language model.

    Args:
        provider: Provider in routers' words.
        model: Model that is asked for.
        operation: GenAI operation name.
        dialect: Shape of the answer.
        stream: Whether the answer is asked for in pieces.
        address: Host.
        port: Port, where the URL says one.
    """

    provider: str
    model: str
    operation: str
    dialect: Dialect
    stream: bool
    address: str
    port: int | None


@dataclass(frozen=True, slots=True)
class _Endpoint:
    """What a path tells.

    Args:
        dialect: Shape of the answer.
        operation: GenAI operation name.
        needs: Fields of which the body has one, where the path alone could be anybody's.
        model: Model that the path names.
        stream: Whether the answer is in pieces: said by the path, or unless the body says otherwise.
    """

    dialect: Dialect
    operation: str
    needs: tuple[str, ...]
    model: str = ""
    stream: bool = False


_ENDPOINTS: Final[tuple[tuple[str, _Endpoint], ...]] = (
    ("/chat/completions", _Endpoint("openai", "chat", ("messages",))),
    ("/completions", _Endpoint("openai", "text_completion", ("prompt",))),
    ("/responses", _Endpoint("responses", "chat", ("input", "prompt", "conversation", "previous_response_id"))),
    ("/api/embeddings", _Endpoint("ollama", "embeddings", ("prompt",))),
    ("/embeddings", _Endpoint("openai", "embeddings", ("input",))),
    ("/v1/messages", _Endpoint("anthropic", "chat", ("messages",))),
    ("/api/chat", _Endpoint("ollama", "chat", ("messages",), stream=True)),
    ("/api/generate", _Endpoint("ollama", "text_completion", ("prompt",), stream=True)),
    ("/api/embed", _Endpoint("ollama", "embeddings", ("input",))),
)


_UNMISTAKABLE: Final = ("/chat/completions", "/v1/completions", "/v1/responses", "/v1/embeddings", "/v1/messages")
"""Ends of paths under which nothing else is served than models."""

_ASKED: Final = ("messages", "prompt", "input", "contents")
"""Fields of which a request to a model has one, in whatever protocol."""

_NO_CALLS: Final = frozenset({"count_tokens", "tokenize", "detokenize", "moderations"})
"""Last segments of paths that take a model and a prompt, and no model answers."""


def served_at(path: str) -> Dialect | None:
    """Return the protocol that is served under a path which nothing else is served under, or None."""
    if path.endswith(_UNMISTAKABLE) or _GEMINI.search(path) is not None:
        return _endpoints(path)[0].dialect
    return None


def dialect_at(path: str) -> Dialect | None:
    """Return the protocol that a path is likely one of, or None."""
    endpoints = _endpoints(path)
    return endpoints[0].dialect if endpoints else None


def may_ask(path: str, body: bytes) -> bool:
    """Whether a large part of a body may be a request to a model, by a look at its bytes: what every POST pays for."""
    return b'"model"' in body and path[path.rfind("/") + 1 :] not in _NO_CALLS


def asks_for(path: str, fields: dict[str, Any] | None) -> str | None:
    """Return the model that a request to a router asks for, whatever its path; None when it asks for none."""
    model = ""
    if fields is not None and any(name in fields for name in _ASKED):
        model = fields.get("model")
    for pattern in (_GEMINI, _AZURE_DEPLOYMENT):
        found = None if model else pattern.search(path)
        if found is not None and fields is not None:
            model = found.group(1)
    return model if isinstance(model, str) and model else None


def possible(path: str) -> bool:
    """Whether a POST to ``path`` may be a call to a language model: the check that every POST pays for."""
    last = path[path.rfind("/") + 1 :]
    return last in _LAST or ":" in last


def model_path(path: str) -> bool:
    """Whether a path is one of those that calls to language models are made to, whatever the body says."""
    return bool(_endpoints(path))


def recognise(path: str, host: str, port: int | None, body: Callable[[], Any]) -> Call | None:
    """Return the call that a request is for which `possible` holds, or None.

    Args:
        path: Path of the URL, without the query.
        host: Host of the URL.
        port: Port of the URL, where it says one.
        body: Returns the body: bytes, text, or an object that will be sent as JSON; None when it cannot be had
            without consuming it.
    """
    endpoints = _endpoints(path)
    fields = _fields(body()) if endpoints else None
    if fields is None:
        return None
    endpoint = next((each for each in endpoints if any(name in fields for name in each.needs)), None)
    if endpoint is None:
        return None
    azure = _AZURE_DEPLOYMENT.search(path)
    model = endpoint.model or fields.get("model") or (azure.group(1) if azure else "")
    if not isinstance(model, str) or not model:
        return None
    stream = fields.get("stream", endpoint.stream)
    provider = provider_of(host, port) or ("azure" if azure else _UNNAMED.get(endpoint.dialect, OPENAI_COMPATIBLE))
    return Call(provider, model, endpoint.operation, endpoint.dialect, stream is True, host, port)


def _endpoints(path: str) -> list[_Endpoint]:
    """Return what a path may be, the likeliest first."""
    found = [endpoint for suffix, endpoint in _ENDPOINTS if path.endswith(suffix)]
    gemini = None if found else _GEMINI.search(path)
    if gemini is not None:
        model, method = gemini.groups()
        needs = ("contents", "content", "requests")
        found = [_Endpoint("gemini", _GEMINI_OPERATIONS[method], needs, model, method == "streamGenerateContent")]
    return found


def _fields(body: Any) -> dict[str, Any] | None:
    if isinstance(body, dict):
        return body  # pyright: ignore[reportUnknownVariableType]
    if isinstance(body, str):
        body = body.encode("utf-8", "replace")
    if not isinstance(body, (bytes, bytearray)):
        return None
    return bodies.read(bytes(body))
