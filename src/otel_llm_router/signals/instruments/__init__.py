"""Every instrument, by the part of a router that it measures.

Room: `signals`. ``requests`` is what the router's client sees, ``routing`` what the router does to
serve it, ``resources`` what it holds, ``gen_ai`` the semantic convention's own metrics and
``self_telemetry`` what we say about ourselves; ``security`` is the audit trail.
"""

from otel_llm_router.signals.instruments import (
    gen_ai,
    requests,
    resources,
    routing,
    security,
    self_telemetry,
)

__all__ = ["gen_ai", "requests", "resources", "routing", "security", "self_telemetry"]
