"""What the programs of the matrix do: a span, a log record and a count, each with a name of its own."""

from __future__ import annotations

import os
import resource
import sys
import time

from opentelemetry import metrics, trace
from opentelemetry._logs import LogRecord, SeverityNumber, get_logger

from benchmarks.faults import stock

if os.environ.get("FAULTS_SUBJECT") == "stock":
    stock.set_up()

_tracer = trace.get_tracer("faults")
_logger = get_logger("faults")
_counter = metrics.get_meter("faults").create_counter("work")


def one(name: str, **attributes: str) -> None:
    """Emit a span, a log record and a count."""
    _tracer.start_span(name, attributes=attributes).end()
    _logger.emit(
        LogRecord(timestamp=time.time_ns(), severity_number=SeverityNumber.INFO, body=name, attributes=attributes)
    )
    _counter.add(1)


def steadily(rate: float, seconds: float, first: int = 0) -> int:
    """Emit ``rate`` a second for some seconds, by their numbers from ``first``; return the next number."""
    began, number = time.monotonic(), first
    while (passed := time.monotonic() - began) < seconds:
        while number - first < passed * rate:
            one(str(number))
            number += 1
        time.sleep(min(0.01, 1 / rate))
    return number


def resident() -> float:
    """Return the resident memory of this process in MB."""
    with open("/proc/self/statm") as statm:  # noqa: PTH123
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def peak() -> float:
    """Return the most resident memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def say(**values: object) -> None:
    """Print for whoever runs this."""
    print(*(f"{name}={value}" for name, value in values.items()), flush=True)


ARGUMENTS = sys.argv[1:]
