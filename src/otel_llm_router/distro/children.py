"""Entry point ``opentelemetry_post_instrument``: processes that this one starts anew are instrumented as well.

Room: `distro`. ``opentelemetry-instrument`` works through ``PYTHONPATH``, from which releases before 0.63 take their
directory for good: workers that uvicorn or `multiprocessing` start with a fresh interpreter would go without.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

from otel_llm_router.telemetry.instrumenting import guard

_DIRECTORY: Final = "auto_instrumentation"


def instrument_children() -> None:
    """Put the directory back, where this process was started with it."""
    with guard("children"):
        started_by = getattr(sys.modules.get("sitecustomize"), "__file__", None) or ""
        directory = str(Path(started_by).parent)
        if Path(directory).name != _DIRECTORY:
            return
        paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
        if directory not in paths:
            os.environ["PYTHONPATH"] = os.pathsep.join([directory, *paths])
