"""The application's context on its way upstream.

Room: `instrumentation`. Trace context and baggage go out as OpenTelemetry's propagators write them; an entry of the
baggage that is a secret stays here, for who answers may be anyone.
"""

from __future__ import annotations

from collections.abc import MutableMapping

from opentelemetry import baggage, propagate
from opentelemetry.context import Context

from otel_llm_router import redaction


def inject(headers: MutableMapping[str, str], context: Context | None) -> None:
    """Write a context into headers; the current one when None."""
    for name, value in baggage.get_all(context).items():
        if redaction.value(name, str(value)) != str(value):
            context = baggage.remove_baggage(name, context)
    propagate.inject(headers, context)
