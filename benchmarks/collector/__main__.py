"""Kill the Collector, fill its disk, measure it; keep the results.

python -m benchmarks.collector [--only kills,disk,throughput,mixture] [--quick --json FILE]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from benchmarks.collector import disk, kills, mixture, report, throughput
from benchmarks.machine import describe

_PARTS: Final[dict[str, Callable[[Path, bool], Any]]] = {
    "kills": lambda directory, quick: kills.run(directory, kills=5 if quick else 100),
    "kills_at_start": lambda directory, quick: kills.run(directory, kills=3 if quick else 50, starting=True),
    "disk": lambda directory, _quick: disk.run(directory),
    "throughput": lambda directory, quick: throughput.run(directory, seconds=1.0 if quick else 10.0),
    "mixture": lambda directory, quick: mixture.run(directory, seconds=1.0 if quick else 10.0),
}


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(
        prog="scripts/bench-collector", description="Measure the Collector's configuration."
    )
    parser.add_argument("--only", default=",".join(_PARTS), help="parts, with commas between them")
    parser.add_argument("--quick", action="store_true", help="less of each, and not for the page")
    parser.add_argument("--json", type=Path, default=report.RESULTS, help="where to write the results")
    arguments = parser.parse_args()
    if arguments.quick and arguments.json == report.RESULTS:
        parser.error("--quick needs a --json of its own")
    results: dict[str, Any] = json.loads(arguments.json.read_text()) if arguments.json.is_file() else {}
    for name in arguments.only.split(","):
        with tempfile.TemporaryDirectory() as directory:
            figures = _PARTS[name](Path(directory), arguments.quick)
        print(f"{name}: {figures}", file=sys.stderr, flush=True)
        machine = {
            key: value for key, value in describe(()).items() if key in {"cores", "architecture", "system", "load"}
        }
        results[name] = {"on": time.strftime("%Y-%m-%d"), "machine": machine, "figures": figures}
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
