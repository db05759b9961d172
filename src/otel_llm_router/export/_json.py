"""``/metrics/json``: the same families as ``/metrics``, for who would rather not parse text.

Room: `export`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family


def text(families: Iterable[Family]) -> bytes:
    """Return families as JSON: an object ``{"metrics": [{name, type, help, unit, samples: [{name, labels, value}]}]}``.

    What JSON has no number for (NaN, infinity) is written as Prometheus writes it, in quotes.
    """
    found = [
        {
            "name": family.name,
            "type": family.type,
            "help": family.documentation,
            "unit": family.unit,
            "samples": [_sample(sample) for sample in family.samples],
        }
        for family in families
    ]
    return json.dumps({"metrics": found}, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def _sample(sample: Any) -> dict[str, Any]:
    value = float(sample.value)
    shown: float | str = value
    if not math.isfinite(value):
        shown = "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return {"name": sample.name, "labels": dict(sample.labels), "value": shown}
