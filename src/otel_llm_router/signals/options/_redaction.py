"""Options of redaction.

Room: `signals`. See `docs/redaction.md`.
"""

from __future__ import annotations

from otel_llm_router.signals._model import Option

REDACT_PII = Option(
    name="redact_pii",
    env="OTEL_LLM_ROUTER_REDACT_PII",
    type="set",
    default="",
    choices=("email", "phone", "card", "iban", "ssn", "ip"),
    description=(
        "Personal data to hide in everything that leaves, beside secrets: any of these, with commas between them. See "
        "[redaction.md](redaction.md)."
    ),
)
REDACT_PATTERNS = Option(
    name="redact_patterns",
    env="OTEL_LLM_ROUTER_REDACT_PATTERNS",
    type="str",
    default="",
    description=(
        "More to hide, as regular expressions: `name = pattern` each, with `;;` between them, or the path of a file with "
        "one on each line. Needs `pip install 'otel-llm-router[redaction]'`."
    ),
)
REDACT_KEYS = Option(
    name="redact_keys",
    env="OTEL_LLM_ROUTER_REDACT_KEYS",
    type="str",
    default="",
    description="More names, of attributes, headers and parameters, whose values are hidden; with commas between them.",
)
REDACT_ALLOW = Option(
    name="redact_allow",
    env="OTEL_LLM_ROUTER_REDACT_ALLOW",
    type="str",
    default="",
    description="Names whose values are not hidden though they sound secret, and values that are none; with commas between them.",
)
REDACT_LIMIT = Option(
    name="redact_limit",
    env="OTEL_LLM_ROUTER_REDACT_LIMIT",
    type="int",
    default=131_072,
    minimum=1024,
    maximum=4_194_304,
    description="Characters of the longest text that is looked through for secrets; a longer one is dropped.",
)
