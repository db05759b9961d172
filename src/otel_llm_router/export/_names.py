"""Names and label texts of Prometheus, for what has OpenTelemetry's.

Room: `export`. Declared instruments have their declared name; others get it by the rules of the stock
exporter.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Any, Final

from otel_llm_router import signals
from otel_llm_router._otel_compat import map_unit, sanitize_attribute, sanitize_full_name
from otel_llm_router.export._texts import text_of

_OURS: Final = {instrument.name: instrument for instrument in signals.INSTRUMENTS}

KINDS: Final[Mapping[str, str]] = {
    "counter": "counter",
    "up_down_counter": "gauge",
    "gauge": "gauge",
    "histogram": "histogram",
}
"""Kind of the family, by shape of the instrument."""


def family_name(name: str, unit: str, kind: str) -> str:
    """Return the name of an instrument's family, which for a counter is without ``_total``."""
    declared = _OURS.get(name)
    if declared is not None:
        return declared.prometheus_name.removesuffix("_total") if kind == "counter" else declared.prometheus_name
    name, unit = sanitize_full_name(name), map_unit(unit)
    if kind == "counter":
        name = name.removesuffix("_total")
    return f"{name}_{unit}" if unit and not name.endswith(f"_{unit}") else name


_label = functools.lru_cache(maxsize=1000)(sanitize_attribute)


def joined_labels(attributes: Iterable[tuple[str, Any]]) -> dict[str, str]:
    """Return attributes as labels."""
    labels: dict[str, str] = {}
    for key, value in attributes:
        label = _label(key)
        if not label:  # no parser takes a label without a name
            continue
        # Two keys may become one label; joined as the Prometheus compatibility specification says.
        labels[label] = f"{labels[label]};{text_of(value)}" if label in labels else text_of(value)
    return labels
