"""Keys of model providers and of what is used beside them.

Room: `redaction`.
"""

from __future__ import annotations

from typing import Final

from otel_llm_router.redaction._shapes import ALNUM, BASE64, HEX, WORD, Shape

SHAPES: Final = (
    # OpenAI and all who took over its prefix: DeepSeek, Moonshot, Stability, LiteLLM's virtual keys ...
    Shape("OpenAI and compatible", "sk-", rf"(?!learn-){WORD}{{20,}}"),
    Shape("OpenAI project", "sk-proj-", rf"{WORD}{{8,}}"),
    Shape("OpenAI service account", "sk-svcacct-", rf"{WORD}{{8,}}"),
    Shape("OpenAI administrator", "sk-admin-", rf"{WORD}{{8,}}"),
    Shape("OpenAI session", "sess-", rf"{ALNUM}{{32,}}"),
    Shape("Anthropic API", "sk-ant-api", rf"{WORD}{{8,}}"),
    Shape("Anthropic administrator", "sk-ant-admin", rf"{WORD}{{8,}}"),
    Shape("Anthropic OAuth", "sk-ant-o", rf"{WORD}{{8,}}"),
    Shape("Anthropic session", "sk-ant-sid", rf"{WORD}{{8,}}"),
    Shape("OpenRouter", "sk-or-v1-", rf"{WORD}{{8,}}"),
    Shape("Langfuse secret", "sk-lf-", rf"{WORD}{{8,}}"),
    Shape("Helicone", "sk-helicone-", rf"{WORD}{{8,}}"),
    Shape("xAI", "xai-", rf"{ALNUM}{{32,}}"),
    Shape("Groq", "gsk_", rf"{ALNUM}{{20,}}"),
    Shape("Perplexity", "pplx-", rf"{ALNUM}{{20,}}"),
    Shape("Hugging Face user", "hf_", rf"{ALNUM}{{16,}}"),
    Shape("Hugging Face organization", "api_org_", rf"{ALNUM}{{16,}}"),
    Shape("Replicate", "r8_", rf"{ALNUM}{{16,}}"),
    Shape("Fireworks", "fw_", rf"{ALNUM}{{16,}}"),
    Shape("Cerebras", "csk-", rf"{ALNUM}{{20,}}"),
    Shape("NVIDIA", "nvapi-", rf"{WORD}{{20,}}"),
    Shape("Together", "tgp_v1_", rf"{WORD}{{20,}}"),
    Shape("LangSmith personal", "lsv2_pt_", rf"{ALNUM}{{16,}}(?:_{ALNUM}{{4,}})?"),
    Shape("LangSmith service", "lsv2_sk_", rf"{ALNUM}{{16,}}(?:_{ALNUM}{{4,}})?"),
    Shape("LangChain", "ls__", rf"{HEX}{{32,}}"),
    Shape("Pinecone", "pcsk_", rf"{WORD}{{20,}}"),
    Shape("Jina", "jina_", rf"{ALNUM}{{20}}{WORD}*"),
    Shape("Voyage", "pa-", rf"(?=[a-z0-9_-]{{0,40}}[A-Z]){WORD}{{40,}}"),
    Shape("ElevenLabs", "sk_", rf"{HEX}{{40,}}"),
    Shape("RunPod", "rpa_", rf"{ALNUM}{{20,}}"),
    Shape("Modal token", "ak-", rf"{ALNUM}{{22,}}"),
    Shape("Modal secret", "as-", rf"{ALNUM}{{22,}}"),
    Shape("Anyscale", "esecret_", rf"{ALNUM}{{16,}}"),
    Shape("Tavily", "tvly-", rf"{WORD}{{16,}}"),
    Shape("Firecrawl", "fc-", rf"{HEX}{{32}}"),
    Shape("Browserbase", "bb_live_", rf"{WORD}{{16,}}"),
    Shape("E2B", "e2b_", rf"{HEX}{{32,}}"),
    Shape("Apify", "apify_api_", rf"{ALNUM}{{20,}}"),
    Shape("Weights & Biases", "wandb_v1_", rf"{WORD}{{20,}}"),
    Shape("Google API", "AIza", rf"{WORD}{{30,}}"),
    Shape("Google AI", "AQ.A", rf"{WORD}{{30,}}"),
    Shape("Amazon Bedrock", "ABSK", rf"{BASE64}{{60,}}"),
    Shape("Amazon Bedrock short-term", "bedrock-api-key-", rf"{BASE64}{{16,}}"),
)
