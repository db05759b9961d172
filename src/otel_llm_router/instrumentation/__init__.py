"""Zero-code instrumentation: one sub-package for each library or protocol.

Room: `instrumentation`. Each translates what its library does into calls of
`otel_llm_router.telemetry`, and imports nothing else of ours.
"""
