"""Source of the dashboards, the Prometheus rules and their runbooks.

Declarations from `otel_llm_router.signals` come in; Grafana JSON, rule files and Markdown go out,
written by ``scripts/generate``. A change is made here, never in what was generated.
"""
