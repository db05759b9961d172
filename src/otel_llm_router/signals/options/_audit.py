"""Options of the audit trail."""

from __future__ import annotations

from otel_llm_router.signals._model import Option

AUDIT_FILE = Option(
    name="audit_file",
    env="OTEL_LLM_ROUTER_AUDIT_FILE",
    type="str",
    default="",
    description=(
        "Audit file, on a local file system: JSON lines that all processes of the service append to, each with the hash of "
        "the one before. Empty: no audit. Not on Windows. See [audit.md](audit.md)."
    ),
)
AUDIT_KEY_FILE = Option(
    name="audit_key_file",
    env="OTEL_LLM_ROUTER_AUDIT_KEY_FILE",
    type="str",
    default="",
    description=(
        "File with a secret of at least 16 bytes, by which the hashes of audit records become HMACs: nobody without it can "
        "make or change records that verify."
    ),
)
AUDIT_FILE_BYTES = Option(
    name="audit_file_bytes",
    env="OTEL_LLM_ROUTER_AUDIT_FILE_BYTES",
    type="int",
    default=67_108_864,
    minimum=4096,
    description="Bytes after which the audit file is put aside, and the chain goes on in another. None is ever removed.",
)
AUDIT_EVENTS = Option(
    name="audit_events",
    env="OTEL_LLM_ROUTER_AUDIT_EVENTS",
    type="set",
    default="authentication,key_use,configuration,decision,suspicious",
    choices=("authentication", "key_use", "configuration", "decision", "suspicious"),
    description="What is put on record by itself: any of these, with commas between them. `telemetry.audit()` always is.",
)
AUDIT_EXPORT = Option(
    name="audit_export",
    env="OTEL_LLM_ROUTER_AUDIT_EXPORT",
    type="bool",
    default=False,
    description=(
        "Send audit records over OTLP too, once they are on disk. Leave it off where a Collector ships the file, or tell "
        "the copies by their `log.record.uid`."
    ),
)
