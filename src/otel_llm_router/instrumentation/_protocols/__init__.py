"""The protocols that language models are called by: OpenAI's, Anthropic's, Gemini's, Ollama's.

Room: `instrumentation`. What the wire outbound and the door inbound both read: which requests are calls to a
model, and what bodies and events say. No HTTP library and no server is known here.
"""
