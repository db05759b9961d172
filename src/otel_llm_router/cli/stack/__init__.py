"""`otel-llm-router stack`: a Collector, Prometheus, Alertmanager and OpenSearch on one machine, without containers.

Room: `cli`. Engines are found or built by `_go_engines`, `_opensearch` and the Collector's own modules; `_launches` says how
each is started, `_running` starts and ends them, `_state` remembers them between commands.
"""
