"""Options: declared hooks.

Room: `signals`.
"""

from __future__ import annotations

from otel_llm_router.signals._model import Option

HOOKS = Option(
    name="hooks",
    env="OTEL_LLM_ROUTER_HOOKS",
    type="str",
    default="",
    description=(
        "Declared hooks: `module:Class.method=kind`, several with commas between them. What is wrong with one is said "
        "and leaves the others; see [hooks.md](hooks.md)."
    ),
)
HOOKS_FILE = Option(
    name="hooks_file",
    env="OTEL_LLM_ROUTER_HOOKS_FILE",
    type="str",
    default="",
    description="Path of a YAML file with declared hooks; see [hooks.md](hooks.md).",
)
