"""What a value probably is where a hook does not say.

Room: `instrumentation`. Looked for in the places where people put it; a wrong guess is put right by saying
where the value is.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Any, Final

from otel_llm_router.instrumentation.hooks._calls import Call, as_text
from otel_llm_router.telemetry.instrumenting import field

_PROVIDER_CLASS: Final = re.compile(r"(\w+?)(?:LLM|Chat)?(?:Adapter|Provider|Client|Backend)")
_ABSTRACT: Final = frozenset({"base", "abstract", "http", "llm", "async", "default", "generic"})

_MODEL_NAMES: Final = ("model", "model_name", "model_id")
_LOADED_NAMES: Final = ("model_path", "pretrained_model_name_or_path", "path", *_MODEL_NAMES, "name")


def requested_model(call: Call) -> str:
    """Return the model that arguments name: an argument called so, or what an argument calls so."""
    for name in _MODEL_NAMES:
        if (found := as_text(call.args[name])) and not isinstance(call.args[name], (int, float)):
            return found
    for argument in call.args.given():
        found = _safe(argument, "model")
        if isinstance(found, str) and found:
            return found
    found = _safe(call.instance, "model")
    return found if isinstance(found, str) else ""


def provider(call: Call) -> str:
    """Return the provider that an argument or the instance names, or its class: ``OpenAIAdapter`` is openai."""
    for holder, name in ((call.args, "provider"), (call.instance, "provider"), (call.instance, "provider_name")):
        found = _safe(holder, name)
        if isinstance(found, str) and found:
            return found
    instance: object = call.instance
    match = _PROVIDER_CLASS.fullmatch(type(instance).__name__)
    name = match[1].lower() if match is not None else ""
    return "" if name in _ABSTRACT else name


def chosen_model(result: Any) -> str:
    """Return the model that a decision's result is, or names."""
    if isinstance(result, str):
        return result
    for name in (*_MODEL_NAMES, "deployment", "name"):
        found = _safe(result, name)
        if isinstance(found, str) and found:
            return found
    return ""


def loaded_model(call: Call) -> str:
    """Return the name or path that a loader was given."""
    for name in _LOADED_NAMES:
        if found := _path(call.args[name]):
            return found
    for argument in call.args.given():
        if found := _path(argument):
            return found
    return next((found for name in _LOADED_NAMES if (found := _path(_safe(call.instance, name)))), "")


def _path(value: Any) -> str:
    return str(value) if isinstance(value, (str, PurePath)) else ""


def _safe(holder: Any, name: str) -> Any:
    try:
        return None if holder is None else field(holder, name)
    except Exception:  # noqa: BLE001  # somebody else's property
        return None
