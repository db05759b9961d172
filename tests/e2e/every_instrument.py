"""An application that records every instrument that one application can, and logs every field; it ends with its input."""

from __future__ import annotations

# What the tests of ``telemetry`` record each instrument with.
# pyright: reportPrivateUsage=false
import sys

from opentelemetry._logs import LogRecord, SeverityNumber, get_logger

from otel_llm_router import telemetry as router
from tests.telemetry.conftest import _answer, _chunk
from tests.telemetry.test_catalogue import _holds, _routes

FIELDS = {
    "llm_router.request.id": "request-1",
    "gen_ai.response.model": "gpt-4o",
    "gen_ai.usage.output_tokens": 42,
    "llm_router.request.duration": 12.5,
}


def main() -> None:
    _routes(_chunk, _answer)
    _holds()
    router.counter("app.counter").add(1, undeclared="label")  # an error in telemetry, for its own metric
    with router.request(model="smart"):
        logger = get_logger("app")
        logger.emit(
            LogRecord(
                event_name="llm_router.inference.completed",
                severity_number=SeverityNumber.INFO,
                severity_text="INFO",
                body="a request was answered",
                attributes=FIELDS,
            )
        )
        logger.emit(
            LogRecord(
                severity_number=SeverityNumber.ERROR,
                severity_text="ERROR",
                body="an answer could not be read",
                attributes={"exception.type": "ValueError", "exception.message": "no JSON"},
            )
        )
    sys.stdout.write("recorded\n")
    sys.stdout.flush()
    sys.stdin.read()


main()
