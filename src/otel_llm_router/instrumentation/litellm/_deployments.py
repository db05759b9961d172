"""LiteLLM's deployments, as targets of attempts.

Room: `instrumentation`. Deployment dictionaries and call arguments of the Router come in; provider,
model, identifier and address go out, never a key.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast
from urllib.parse import urlsplit

from otel_llm_router import telemetry
from otel_llm_router.signals.attributes import UNKNOWN

_OPERATIONS: Mapping[str, str] = {
    "completion": "chat",
    "responses": "chat",
    "anthropic_messages": "chat",
    "generate_content": "generate_content",
    "text_completion": "text_completion",
    "embedding": "embeddings",
}


_NOTHING: Final[Mapping[str, Any]] = {}


def mapping(value: Any) -> Mapping[str, Any]:
    """Return ``value`` as a mapping: itself, an object's attributes, or nothing."""
    if type(value) is dict or isinstance(value, Mapping):  # the second is a slow question
        return cast("Mapping[str, Any]", value)
    return getattr(value, "__dict__", _NOTHING)


def listed(value: Any) -> list[Any]:
    """Return ``value`` if it is a list, else a list of it alone."""
    return cast("list[Any]", value) if isinstance(value, list) else [value]


_ROUTED: Final = frozenset(
    {"completion", "acompletion", "text_completion", "atext_completion", "embedding", "aembedding"}
)
"""What a Router calls through its retries and fallbacks only, in every supported release."""


_ANSWERS: Final[set[type]] = set()
"""Classes of complete answers; those of streams may be made for each of them."""

_MAX_ANSWERS: Final = 1000


def is_stream(response: Any) -> bool:
    """Whether a Router's answer is a stream, as opposed to a complete answer (which can be iterated too)."""
    kind: type[object] = type(response)  # pyright: ignore[reportUnknownVariableType]
    if kind in _ANSWERS:
        return False
    found = hasattr(kind, "__anext__") or hasattr(kind, "__next__")  # asking a model is slow
    if not found and len(_ANSWERS) < _MAX_ANSWERS:
        _ANSWERS.add(kind)
    return found


def made_by_router(call_type: Any, arguments: Mapping[str, Any]) -> bool:
    """Whether a provider call comes from a Router, by the metadata that it writes into the arguments."""
    metadata = mapping(arguments.get("metadata"))
    return str(getattr(call_type, "value", call_type)) in _ROUTED and all(
        metadata.get(key) for key in ("model_group", "deployment", "model_info")
    )


def _function(kwargs: Mapping[str, Any]) -> str:
    function = kwargs.get("original_generic_function") or kwargs.get("original_function")
    return getattr(function, "__name__", "").strip("_")


def asks_completion(kwargs: Mapping[str, Any]) -> bool:
    """Whether a Router call asks for a completion, whose stream is of LiteLLM's own kind."""
    return _function(kwargs) in {"completion", "acompletion"}


def operation(kwargs: Mapping[str, Any]) -> str:
    """Return the GenAI operation name of a Router call, by the function it is for."""
    return _operation(_function(kwargs))


@functools.lru_cache(maxsize=1024)
def _operation(name: str) -> str:
    for known, word in _OPERATIONS.items():
        if name in (known, f"a{known}", f"{known}_stream", f"a{known}_stream"):
            return word
    return name.removeprefix("a") or "chat"


@functools.lru_cache(maxsize=1024)
def split_model(model: str, provider: str | None) -> tuple[str, str]:
    """Return (provider, model) for a LiteLLM model name such as ``openai/gpt-4o``."""
    litellm: Any = sys.modules["litellm"]  # it is loaded: we are called by it
    providers: Any = getattr(litellm, "provider_list", ())
    head, slash, tail = model.partition("/")
    if provider:
        return str(provider), tail if slash and head == provider else model
    if slash and any(head == str(getattr(known, "value", known)) for known in providers):
        return head, tail
    try:
        found = litellm.get_llm_provider(model=model)
    except Exception:  # noqa: BLE001  # it raises for names it does not know
        return UNKNOWN, model
    return str(found[1]), str(found[0])


def from_deployment(deployment: Any, operation: str) -> telemetry.Target | None:
    """Return the target for a deployment as the Router's selection returns it."""
    params = mapping(mapping(deployment).get("litellm_params"))
    model = params.get("model")
    if not isinstance(model, str):
        return None
    return _target(
        model,
        _text(params.get("custom_llm_provider")),
        identifier(deployment),
        _text(params.get("api_base")),
        operation,
    )


def from_call(kwargs: Mapping[str, Any], operation: str) -> telemetry.Target:
    """Return the target for the arguments of a provider call, where the selection was not seen."""
    model = kwargs.get("model")
    return _target(
        model if isinstance(model, str) else UNKNOWN,
        _text(kwargs.get("custom_llm_provider")),
        identifier(kwargs),
        _text(kwargs.get("api_base")),
        operation,
    )


def _text(value: Any) -> str | None:
    return str(getattr(value, "value", value)) if value else None


def identifier(deployment: Any) -> str | None:
    """Return the identifier of a deployment, or of the deployment in the arguments of a provider call."""
    found = mapping(mapping(deployment).get("model_info")).get("id")
    return str(found) if found else None


@functools.lru_cache(maxsize=1024)
def _target(
    model: str, provider: str | None, deployment: str | None, api_base: str | None, operation: str
) -> telemetry.Target:
    name, model = split_model(model, provider)
    address, port = _address(api_base) if api_base else (None, None)
    return telemetry.Target(
        provider=name,
        model=model,
        deployment=deployment,
        operation=operation,
        address=address,
        port=port,
    )


@functools.lru_cache(maxsize=1024)
def _address(api_base: str) -> tuple[str | None, int | None]:
    try:
        parts = urlsplit(api_base)
        return parts.hostname, parts.port
    except ValueError:
        return None, None


_MAX_KNOWN: Final = 1000


class Known:
    """Remembers which deployments have been introduced to the telemetry."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._recorder: object = None

    def introduce(self, deployments: Iterable[Any]) -> list[str]:
        """Introduce deployments of a Router's configuration; return their identifiers."""
        names: list[str] = []
        if self._recorder is not telemetry.default.recorder:
            self._recorder = telemetry.default.recorder
            self._seen.clear()
        for deployment in deployments:
            name = identifier(deployment)
            names.append(name or UNKNOWN)
            if name is None or name in self._seen or len(self._seen) > _MAX_KNOWN:
                continue
            self._seen.add(name)
            target = from_deployment(deployment, "chat")
            if target is not None:
                group = mapping(deployment).get("model_name")
                telemetry.deployment(
                    name,
                    provider=target.provider,
                    model=target.model,
                    group=group if isinstance(group, str) else None,
                )
        return names


known = Known()
