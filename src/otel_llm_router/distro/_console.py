"""What we have to say reaches the terminal, as a warning of Python's own logging would.

Room: `distro`. An application that has configured no logging sees warnings through `logging.lastResort`, until some
instrumentation attaches a handler of OpenTelemetry's to the root logger: from then on Python prints none. Ours would
then go to a collector alone, the one about the collector that does not answer included.
"""

from __future__ import annotations

import logging
from typing import Final

_LOGGER: Final = "otel_llm_router"


class Console(logging.Handler):
    """Prints a record unless some other handler than OpenTelemetry's has it too."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record, as `logging.lastResort` does."""
        current: logging.Logger | None = logging.getLogger(record.name)
        while current is not None:
            if any(not (handler is self or _is_opentelemetry(handler)) for handler in current.handlers):
                return
            current = current.parent if current.propagate else None
        if logging.lastResort is not None:
            logging.lastResort.handle(record)


def _is_opentelemetry(handler: logging.Handler) -> bool:
    return type(handler).__module__.startswith("opentelemetry.")


def attach() -> None:
    """Attach the handler to our logger, once."""
    logger = logging.getLogger(_LOGGER)
    if not any(isinstance(handler, Console) for handler in logger.handlers):
        logger.addHandler(Console())
