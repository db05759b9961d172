"""Run the fault matrix: every row with each subject, in one run.

    python -m benchmarks.faults [--rows R1,R3] [--quick] [--json FILE]

Rows that are not run keep what FILE has of them.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.faults import report
from benchmarks.faults.rows import found
from benchmarks.faults.subjects import SUBJECTS


def main() -> int:
    """Run the command."""
    rows = found()
    parser = argparse.ArgumentParser(prog="scripts/faults", description="Run the fault matrix.")
    parser.add_argument("--rows", default=",".join(rows), help="ids, with commas between them")
    parser.add_argument("--quick", action="store_true", help="a part of each row, and not for the page")
    parser.add_argument("--json", type=Path, default=report.RESULTS, help="where to write the results")
    arguments = parser.parse_args()
    if arguments.quick and arguments.json == report.RESULTS:
        parser.error("--quick needs a --json of its own")
    results: dict[str, Any] = json.loads(arguments.json.read_text()) if arguments.json.is_file() else {}
    for name in arguments.rows.split(","):
        row = rows[name]
        figures = {}
        for subject in SUBJECTS:
            began = time.monotonic()
            figures[subject] = row.run(subject, arguments.quick)
            print(
                f"{name} {subject}: {figures[subject]} ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True
            )
        results[name] = {
            "on": time.strftime("%Y-%m-%d"),
            "python": platform.python_version(),
            "opentelemetry": version("opentelemetry-sdk"),
            "figures": figures,
        }
        arguments.json.write_text(json.dumps(dict(sorted(results.items())), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
