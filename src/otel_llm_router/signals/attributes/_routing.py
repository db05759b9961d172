"""Labels of requests, decisions and attempts: who answered, who asked, with what tokens, money and limits.

Room: `signals`.
"""

from __future__ import annotations

from otel_llm_router.signals._model import Attribute

MODEL = Attribute(
    key="model",
    description="Model that answered; the requested one where none did.",
    bound=200,
    client_chosen=True,
)
FROM_MODEL = Attribute(
    key="from_model",
    description="Model (group) that failed.",
    bound=200,
    domain="model",
    client_chosen=True,
)
TO_MODEL = Attribute(
    key="to_model", description="Model (group) tried next.", bound=200, domain="model", client_chosen=True
)
PROVIDER = Attribute(key="provider", description="Provider that was called.", bound=60)
DEPLOYMENT = Attribute(
    key="deployment",
    description="Identifier of one deployment in the router's configuration.",
    bound=200,
)
STRATEGY = Attribute(key="strategy", description="Routing strategy.", bound=40)
REASON = Attribute(key="reason", description="Why the router decided so.", bound=60)
FILTER_REASON = Attribute(
    key="reason",
    description="Why a candidate was left out: ``cooldown``, ``unavailable``, ``budget``, ``context_window`` or the router's own word.",
    bound=40,
    domain="filter_reason",
)
TOKEN_TYPE = Attribute(
    key="type",
    description=(
        "Type of token. ``cache_read`` and ``cache_write`` are parts of ``input``, ``reasoning`` is a part of ``output``."
    ),
    values=("input", "output", "cache_read", "cache_write", "reasoning"),
    domain="token_type",
)
USAGE_SOURCE = Attribute(
    key="source",
    description="``reported`` by the provider, or ``estimated`` on our side of it.",
    values=("reported", "estimated"),
    domain="usage_source",
)
USAGE_MISSING_REASON = Attribute(
    key="reason",
    description="``absent``: the provider sent none; ``invalid``: it sent something that cannot be a count.",
    values=("absent", "invalid"),
    domain="usage_missing_reason",
)
WASTE_REASON = Attribute(
    key="reason",
    description="Why the tokens did not become an answer.",
    values=("attempt_failed", "aborted"),
    domain="waste_reason",
)
COST_SOURCE = Attribute(
    key="source",
    description="Who computed the cost: ``reported`` by the router library or provider, ``estimated`` from a price table or estimated tokens.",
    values=("reported", "estimated"),
    domain="cost_source",
)
SAVED_BY = Attribute(
    key="saved_by",
    description="What saved the money: ``cache`` or ``routing`` (against the baseline model).",
    values=("cache", "routing"),
)
SCOPE = Attribute(key="scope", description="What a budget or limit applies to.", bound=100, client_chosen=True)
LIMIT_KIND = Attribute(
    key="kind",
    description="What is limited; ``parallel_requests`` are those in flight at once.",
    values=("requests", "tokens", "parallel_requests"),
    domain="limit_kind",
)
TEAM = Attribute(key="team", description="Team of the caller; only where configured.", bound=100)
USER = Attribute(key="user", description="The caller; only where configured.", bound=100, client_chosen=True)
KEY = Attribute(
    key="key",
    description="Alias of the caller's key, or a hash of it, never the key; only where configured.",
    bound=100,
)
ORGANIZATION = Attribute(
    key="organization", description="Organization of the caller; only where configured.", bound=100
)
ABORT_SIDE = Attribute(
    key="side",
    description="Who broke the stream off: ``client`` or ``upstream``.",
    values=("client", "upstream"),
)
STREAM_PHASE = Attribute(
    key="phase",
    description="How far the stream had come.",
    values=("before_first_token", "mid_stream"),
)
