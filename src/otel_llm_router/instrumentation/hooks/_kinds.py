"""The kinds of hook: what a hooked call can mean, and which values each kind takes.

Room: `instrumentation`. Declarations only; `_actions` says what each does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind.

    Args:
        name: As it is written.
        says: What a call of the function means.
        values: The values it takes, each with what it is.
        streams: Whether generator functions can have it, and streams can be their results.
    """

    name: str
    says: str
    values: Mapping[str, str]
    streams: bool = False


_WHEN: Final = {"when": "only calls for which this is something true; read before the call where it needs no result"}
_TARGET: Final = {
    "model": "model that is asked for",
    "provider": "provider that is asked",
    "provider_and_model": "both in one text, with a slash between them",
    "deployment": "identifier of the deployment",
}
_FAILURE: Final = {
    "error": "an exception or anything else that is true: the call failed although it returned",
    "error_type": "class of that failure, of the closed list of `error.type`",
    "status": "HTTP status of that failure",
}

KINDS: Final[Mapping[str, Kind]] = {
    kind.name: kind
    for kind in (
        Kind(
            "request",
            "one request of a client, until its answer or stream has ended",
            {
                "model": "model that the client asked for",
                "strategy": "routing strategy",
                "user": "caller; goes on the span only",
                **_FAILURE,
            },
            streams=True,
        ),
        Kind(
            "decision",
            "one routing decision; calls made inside are part of deciding",
            {
                "model": "the chosen model",
                "provider": "its provider; for `decision.provider` in other hooks",
                "provider_and_model": "both in one text, with a slash between them",
                "deployment": "the chosen deployment",
                "reason": "why, in words of which there are few",
                "score": "what the strategy computed for it",
                "estimated_cost": "what the request is expected to cost, in USD",
                "strategy": "routing strategy",
                "candidates": "what could be chosen: a list",
            },
        ),
        Kind(
            "attempt",
            "one call to a deployment, until its answer or stream has ended",
            {
                **_TARGET,
                "operation": "GenAI operation name; `chat` when left out",
                "response": "where the provider's answer is, for tokens, model and finish reasons; the result when left out",
                "input_tokens": "input tokens, where the answer has no usage",
                "output_tokens": "output tokens, where the answer has no usage",
                "cost": "what it cost, in USD",
                **_FAILURE,
            },
            streams=True,
        ),
        Kind(
            "scope",
            "nothing by itself; its values are `outer.model` and so on for hooks inside the call",
            {**_TARGET, "name": "any further text"},
            streams=True,
        ),
        Kind(
            "refusal",
            "a result that is true means that the attempt around is not made after all",
            {"refused": "what must be true; the result when left out"},
        ),
        Kind(
            "cache",
            "one look-up in a cache",
            {
                "name": "which cache; the function's name when left out",
                "hit": "what is true of a hit; when left out, any result but None",
                "answers": "whether a hit is the answer of the request: true when left out",
                "model": "model that had answered",
                "similarity": "of a semantic cache, from 0 to 1",
                "saved_usd": "what the answer would have cost",
            },
        ),
        Kind(
            "eviction",
            "entries thrown out of a cache",
            {"name": "which cache", "entries": "how many; 1 when left out"},
        ),
        Kind("queue", "one wait for a slot or a turn", {"name": "which queue; the function's name when left out"}),
        Kind(
            "connection",
            "one connection, open for the time of the call",
            {"type": "what it carries", "protocol": "what it speaks"},
            streams=True,
        ),
        Kind(
            "model_load",
            "the loading of a model",
            {
                "name": "which model, or the path of its file",
                "format": "its format; told from the file's name when left out",
                "size_bytes": "memory that it takes; the size of its files when left out",
            },
        ),
        Kind("model_unload", "the unloading of a model", {"name": "which model, or the path of its file"}),
        Kind(
            "cooldown",
            "a deployment taken out of rotation",
            {**{k: v for k, v in _TARGET.items() if k != "provider_and_model"}, "seconds": "for how long"},
        ),
        Kind(
            "error",
            "an error that is no failed request or attempt",
            {"error": "the exception; the first argument that is one when left out", "component": "where"},
        ),
        Kind(
            "rate_limited",
            "a client turned away over its limit",
            {"scope": "whose limit", "type": "requests or tokens"},
        ),
        Kind("auth_failure", "a client turned away for its credentials", {"reason": "why"}),
        Kind(
            "budget",
            "a budget stated",
            {"scope": "whose", "limit_usd": "its limit in USD", "spent_usd": "what is spent in USD"},
        ),
        Kind(
            "saved",
            "money that was not spent",
            {"usd": "how much", "by": "`routing` or `cache`", "model": "model that answered"},
        ),
    )
}
"""Every kind, by its name."""


def values_of(kind: Kind) -> tuple[str, ...]:
    """Return the names of the values that a hook of ``kind`` takes."""
    return (*kind.values, *_WHEN)
