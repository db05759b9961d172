"""Options: redis as a cache.

Room: `signals`.
"""

from __future__ import annotations

from otel_llm_router.signals._model import Option

REDIS_CACHE_KEYS = Option(
    name="redis_cache_keys",
    env="OTEL_LLM_ROUTER_REDIS_CACHE_KEYS",
    type="str",
    default="",
    description=(
        "Which keys in Redis are a cache's: `pattern=cache_type`, several with commas between them, as in "
        "`answers:*=answers`. `GET`, `MGET` and `HGET` of such a key count as look-ups; see [caches.md](caches.md)."
    ),
)
REDIS_OBSERVE = Option(
    name="redis_observe",
    env="OTEL_LLM_ROUTER_REDIS_OBSERVE",
    type="str",
    default="",
    description=(
        "Which Redis servers that the application connects to are asked about themselves: `host:port=cache_type` with "
        "patterns, as in `*=redis`, several with commas between them; see [caches.md](caches.md)."
    ),
)
