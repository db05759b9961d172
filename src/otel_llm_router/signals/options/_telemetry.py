"""Options: what is recorded, by which names and labels.

Room: `signals`.
"""

from __future__ import annotations

from otel_llm_router.signals._model import Option

GENAI_METRICS = Option(
    name="genai_metrics",
    env="OTEL_LLM_ROUTER_GENAI_METRICS",
    type="choice",
    default="old",
    choices=("old", "new", "both", "none"),
    description="Which names of the GenAI semantic conventions are emitted beside ours, while upstream renames them.",
)
FOREIGN = Option(
    name="foreign",
    env="OTEL_LLM_ROUTER_FOREIGN",
    type="choice",
    default="defer",
    choices=("defer", "own"),
    description=(
        "What becomes of a call of which another instrumentation (openai, OpenInference, OpenLLMetry) makes a span too. "
        "`defer`: it keeps that span and its `gen_ai.*` metrics, ours count it without a second one. `own`: ours are made "
        "beside theirs. See [wire.md](wire.md)."
    ),
)
PROVIDERS = Option(
    name="providers",
    env="OTEL_LLM_ROUTER_PROVIDERS",
    type="str",
    default="",
    description=(
        "Providers at hosts that are nobody's known address: `host[:port]=name`, several with commas between them, 100 at "
        "most. A host stands for those below it too. See [wire.md](wire.md)."
    ),
)
LABEL_LIMIT = Option(
    name="label_limit",
    env="OTEL_LLM_ROUTER_LABEL_LIMIT",
    type="int",
    default=0,
    minimum=0,
    maximum=2000,
    description="Distinct values that an open label may have, in place of each label's declared bound; 0 keeps those.",
)
LABEL_IDLE = Option(
    name="label_idle",
    env="OTEL_LLM_ROUTER_LABEL_IDLE",
    type="float",
    default=3600.0,
    minimum=0.0,
    description=(
        "Seconds after which a value of an open label that was not seen again makes room for a new one, once the label is "
        "full: its series end, and when it comes back they begin again at 0. Set it longer than the export interval: a "
        "reader of changes (delta temporality) misses what it had not read by then. 0 keeps every value for good, and so "
        "does the SDK (`OTEL_LLM_ROUTER_FAST_PATH=false`)."
    ),
)
ATTRIBUTION = Option(
    name="attribution",
    env="OTEL_LLM_ROUTER_ATTRIBUTION",
    type="set",
    default="",
    choices=("team", "user", "key", "organization"),
    description=(
        "Whom tokens and cost are also counted for, and whose budgets are shown: any of these, with commas between "
        "them. Each becomes a label of `llm_router_attributed_*`, bounded by what the label declares; keys by their "
        "alias or a hash, never themselves."
    ),
)
PROCESS_METRICS = Option(
    name="process_metrics",
    env="OTEL_LLM_ROUTER_PROCESS_METRICS",
    type="bool",
    default=True,
    description="Report CPU, memory, files, threads and garbage-collector pauses of the process.",
)
