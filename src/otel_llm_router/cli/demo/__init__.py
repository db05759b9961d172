"""``otel-llm-router demo``: a real router, its upstreams and its telemetry, held against each other.

Room: `cli`. Upstream providers and a gateway on the real ``litellm.Router`` run as processes of their
own; mixed traffic goes through them; what the upstreams and clients wrote down themselves is compared
with what the scrape says and what OTLP delivered.
"""
