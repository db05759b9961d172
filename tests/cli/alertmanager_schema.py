"""What Alertmanager takes in a configuration, as far as ours goes; anything else is wrong.

Names and types are those of https://prometheus.io/docs/alerting/latest/configuration/, of version 0.31.
"""

from __future__ import annotations

from typing import Any

import jsonschema

_TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
_MATCHERS: dict[str, Any] = {"type": "array", "items": {"type": "string", "pattern": r'^[a-z_]+(=|!=|=~|!~)".*"$'}}
_DURATION: dict[str, Any] = {"type": "string", "pattern": r"^\d+(s|m|h|d)$"}
_TIMING: dict[str, Any] = dict.fromkeys(("group_wait", "group_interval", "repeat_interval"), _DURATION)
_LABELS: dict[str, Any] = {"type": "array", "items": {"type": "string", "pattern": "^[a-z_]+$"}}


def _object(required: str, **properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def _each(item: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": item, "minItems": 1}


_BOOL: dict[str, Any] = {"type": "boolean"}
_PATH: dict[str, Any] = {"type": "string", "pattern": "^/"}
_URL: dict[str, Any] = {"type": "string", "pattern": "^https?://"}
_SENDS: dict[str, Any] = {"send_resolved": _BOOL}
_ROUTE: dict[str, Any] = _object("receiver matchers", receiver=_TEXT, matchers=_MATCHERS, **_TIMING)

SCHEMA: dict[str, Any] = _object(
    "route receivers",
    **{
        "global": _object(
            "smtp_smarthost smtp_from",
            smtp_smarthost={"type": "string", "pattern": r":\d+$"},
            smtp_from=_TEXT,
            smtp_require_tls=_BOOL,
            smtp_auth_username=_TEXT,
            smtp_auth_password_file=_PATH,
        )
    },
    route=_object("receiver", receiver=_TEXT, group_by=_LABELS, routes=_each(_ROUTE), **_TIMING),
    inhibit_rules=_each(
        _object(
            "source_matchers target_matchers equal", source_matchers=_MATCHERS, target_matchers=_MATCHERS, equal=_LABELS
        )
    ),
    receivers=_each(
        _object(
            "name",
            name=_TEXT,
            slack_configs=_each(
                _object(
                    "api_url_file", api_url_file=_PATH, color=_TEXT, title=_TEXT, fallback=_TEXT, text=_TEXT, **_SENDS
                )
            ),
            email_configs=_each(
                _object("to", to=_TEXT, headers={"type": "object"}, html={"type": "string"}, text=_TEXT, **_SENDS)
            ),
            webhook_configs=_each(
                _object(
                    "url",
                    url=_URL,
                    http_config=_object(
                        "", follow_redirects=_BOOL, authorization=_object("credentials_file", credentials_file=_PATH)
                    ),
                    **_SENDS,
                )
            ),
            pagerduty_configs=_each(
                _object(
                    "routing_key_file",
                    routing_key_file=_PATH,
                    url=_URL,
                    severity=_TEXT,
                    description=_TEXT,
                    component=_TEXT,
                    **_SENDS,
                )
            ),
        )
    ),
)


def wrong(content: dict[str, Any]) -> list[str]:
    """Say what Alertmanager would not take."""
    validator: Any = jsonschema.Draft202012Validator(SCHEMA)
    problems = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(content)]
    known = {receiver.get("name") for receiver in content.get("receivers", [])}
    named = [content["route"]["receiver"], *(route["receiver"] for route in content["route"].get("routes", []))]
    return problems + [f"no receiver {name}" for name in named if name not in known]
