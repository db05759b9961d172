"""The doors through which telemetry leaves: the scrape server and the OTLP senders.

Room: `export`. What the SDK has aggregated comes in; Prometheus text, health answers and OTLP
requests go out. Only `otel_llm_router.distro` assembles it.
"""
