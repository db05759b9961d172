"""Labels of what a router serves with and holds: HTTP, connections, models, caches, queues.

Room: `signals`.
"""

from __future__ import annotations

from otel_llm_router.signals._model import Attribute
from otel_llm_router.signals.attributes import _outcomes

METHOD = Attribute(
    key="method",
    description="HTTP method; anything that is not a registered method is ``other``.",
    values=("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE", _outcomes.OTHER),
)
ROUTE = Attribute(
    key="route",
    description="Route template, never the raw path; empty when no route matched.",
    bound=200,
)
STATUS_CODE = Attribute(key="status_code", description="HTTP status code of the response.", bound=80)
AUTH_REASON = Attribute(
    key="reason",
    description="Why authentication failed: ``missing``, ``invalid``, ``expired``, ``forbidden``, or the application's own word.",
    bound=20,
    domain="auth_reason",
)
CONNECTION_TYPE = Attribute(
    key="type",
    description="What the connection carries: ``http``, ``sse``, ``websocket`` or the application's own word.",
    bound=20,
    domain="connection_type",
)
PROTOCOL = Attribute(
    key="protocol",
    description="Protocol spoken, such as ``http/1.1``.",
    bound=20,
    domain="protocol",
)
CONNECTION_STATE = Attribute(
    key="state",
    description="State of a pooled upstream connection.",
    values=("open", "idle", "waiting"),
    domain="connection_state",
)
FORMAT = Attribute(key="format", description="Model file format, such as ``gguf``.", bound=30)
SIZE_CATEGORY = Attribute(
    key="size_category",
    description="small < 1e9 bytes, medium < 10e9, large < 50e9, else xlarge.",
    values=("small", "medium", "large", "xlarge"),
)
CACHE_TYPE = Attribute(key="cache_type", description="Which cache.", bound=40)
CACHE_RESULT = Attribute(
    key="result", description="What the look-up gave.", values=("hit", "miss"), domain="cache_result"
)
QUEUE_TYPE = Attribute(key="queue_type", description="Which queue.", bound=40)
