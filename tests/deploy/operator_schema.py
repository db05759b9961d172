"""The Prometheus operator's resources, as far as ours go; anything else is wrong.

Names and types are those of https://prometheus-operator.dev/docs/api-reference/api/ (monitoring.coreos.com/v1).
"""

from __future__ import annotations

from typing import Any

import jsonschema

_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_DURATION: dict[str, Any] = {"type": "string", "pattern": r"^([0-9]+(ms|s|m|h|d))+$"}
_TEXTS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}


def _object(required: str, **properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required.split(), "additionalProperties": False}


def _each(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1}


def _resource(spec: dict[str, Any]) -> dict[str, Any]:
    return _object(
        "apiVersion kind metadata spec",
        apiVersion={"const": "monitoring.coreos.com/v1"},
        kind=_TEXT,
        metadata=_object("name", name=_TEXT, labels=_TEXTS, namespace=_TEXT),
        spec=spec,
    )


_ENDPOINT = _object(
    "port",
    port=_TEXT,
    path={"type": "string", "pattern": "^/"},
    interval=_DURATION,
    authorization=_object("credentials", type=_TEXT, credentials=_object("key", name=_TEXT, key=_TEXT)),
)
_WHERE: dict[str, Any] = {
    "jobLabel": _TEXT,
    "namespaceSelector": _object("", any={"type": "boolean"}, matchNames=_each(_TEXT)),
    "selector": _object("matchLabels", matchLabels=_TEXTS),
}
_RULE = _object("expr", alert=_TEXT, record=_TEXT, expr=_TEXT, labels=_TEXTS, annotations=_TEXTS, **{"for": _DURATION})
SCHEMAS = {
    "ServiceMonitor": _resource(_object("selector endpoints", endpoints=_each(_ENDPOINT), **_WHERE)),
    "PodMonitor": _resource(_object("selector podMetricsEndpoints", podMetricsEndpoints=_each(_ENDPOINT), **_WHERE)),
    "PrometheusRule": _resource(
        _object("groups", groups=_each(_object("name rules", name=_TEXT, interval=_DURATION, rules=_each(_RULE))))
    ),
}


def wrong(document: dict[str, Any]) -> list[str]:
    """Say what the operator would not take."""
    validator: Any = jsonschema.Draft202012Validator(SCHEMAS[document["kind"]])
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]
