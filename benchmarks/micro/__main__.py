"""Runs one micro benchmark: ``python -m benchmarks.micro NAME [--quick]``; JSON on stdout."""

from __future__ import annotations

import json
import sys
from importlib import import_module


def main(arguments: list[str]) -> None:
    """Measure and print."""
    module = import_module(f"benchmarks.micro.{arguments[0]}")
    print(json.dumps(module.measure(quick="--quick" in arguments)))


if __name__ == "__main__":
    main(sys.argv[1:])
