"""Prompts and completions, for those who ask for them; imported only then.

Room: `telemetry`. What a call is asked and what it answers come in, in the shapes of OpenAI, Anthropic, Gemini and
Ollama, as objects or mappings, whole or in pieces; the messages of OpenTelemetry's GenAI conventions go out, bounded,
without secrets and without binary data. While the application waits its objects are only read, as far as the bound
goes, and nothing of them is kept; redaction and JSON are for later.
"""

from otel_llm_router.telemetry._content._content import Content, Policy

__all__ = ["Content", "Policy"]
