"""What a call is asked: messages, system instructions, tools.

Room: `telemetry`. The arguments of a call, or the body of its request, come in, in any provider's shape; messages
and definitions of the conventions go out. Of a conversation that is longer than the bound the newest messages are
kept: those before were content of the calls before.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

from otel_llm_router.telemetry._content._budget import MARGIN, Budget
from otel_llm_router.telemetry._content._parts import (
    Fields,
    either,
    parts_of,
    sequence,
    text,
    tool_call,
    tool_result,
)
from otel_llm_router.telemetry._content._values import Part, blob, name, plain
from otel_llm_router.telemetry._usage import fields_of

_MAX_TOOLS: Final = 128
_MAX_IMAGES: Final = 16
_ROLES: Final = {"model": "assistant", "function": "tool"}
"""Roles that the conventions call otherwise."""

_ITEMS: Final = {"function_call": "assistant", "reasoning": "assistant", "function_call_output": "tool"}
"""Items of the Responses API that are no message but whose content is somebody's, and whose."""


class Asked:
    """What one call is asked.

    Args:
        request: A mapping or object with ``messages``, ``prompt``, ``contents`` or ``input``, and what goes with them;
            or a list of messages.
        limit: Characters for each of the three.
    """

    def __init__(self, request: Any, limit: int) -> None:
        self.newest_first: list[dict[str, Any]] = []
        self.system: list[Part] = []
        self.tools: list[dict[str, Any]] = []
        budgets = [Budget(limit + MARGIN) for _ in range(3)]
        fields = fields_of({"messages": cast("Any", request)} if isinstance(request, (str, list, tuple)) else request)
        self._read_messages(either(fields, "messages", "contents", "input", "prompt"), budgets[0])
        self._read_system(fields, budgets[1])
        self._read_tools(fields, budgets[2])
        self.truncated = any(budget.truncated for budget in budgets)

    def __bool__(self) -> bool:
        return bool(self.newest_first or self.system)

    def _read_messages(self, given: Any, budget: Budget) -> None:
        items = sequence(given) or ((given,) if given is not None and given != [] else ())
        for item in reversed(items):
            if not budget.room():
                return
            message = _message(item, budget)
            if message is not None:
                self.newest_first.append(message)

    def _read_system(self, fields: Fields, budget: Budget) -> None:
        names = ("system", "instructions", "systemInstruction", "system_instruction")
        given = either(fields, *names)
        if given is None:
            given = either(fields_of(fields("config")), *names[2:])  # of Gemini's SDK
        if given is not None and not isinstance(given, str):
            given = either(fields_of(given), "parts") or given
        self.system = [part for part in parts_of(given, budget) if part["type"] == "text"]

    def _read_tools(self, fields: Fields, budget: Budget) -> None:
        given = fields("tools")
        if given is None:
            given = fields_of(fields("config"))("tools")
        for tool in sequence(given)[:_MAX_TOOLS]:
            declared = either(fields_of(tool), "functionDeclarations", "function_declarations")
            for one in sequence(declared)[:_MAX_TOOLS] or (tool,):
                definition = _definition(one, budget, function=declared is not None) if budget.room() else None
                if definition is not None:
                    self.tools.append(definition)


def _message(item: Any, budget: Budget) -> dict[str, Any] | None:
    if isinstance(item, str):
        return {"role": "user", "parts": [text(item, budget)]}
    if isinstance(item, (int, list, tuple)):  # a prompt of tokens
        return None
    fields = fields_of(item)
    role = name(fields("role")) or _ITEMS.get(str(fields("type")), "user")
    role = _ROLES.get(role, role)
    content = either(fields, "content", "parts")
    if role == "tool" and fields("type") is None and content is not None and fields("parts") is None:
        parts = [tool_result(either(fields, "tool_call_id", "name", "tool_name"), content, budget)]
    elif content is None and fields("type") in _ITEMS:
        parts = parts_of([item], budget)
    else:
        thought = either(fields, "reasoning_content", "thinking")
        parts = [text(thought, budget, "reasoning")] if isinstance(thought, str) and thought else []
        parts += parts_of(content, budget)
    pictures = (blob(data, None, "image") for data in sequence(fields("images"))[:_MAX_IMAGES])  # Ollama's
    parts += [picture for picture in pictures if picture is not None]
    parts += [call_of(one, budget) for one in sequence(fields("tool_calls")) if budget.room()]
    if not parts and fields("role") is None:
        return None
    message: dict[str, Any] = {"role": role, "parts": parts}
    participant = None if fields("type") in _ITEMS else name(fields("name"))
    if participant is not None:
        message["name"] = participant
    return message


def call_of(item: Any, budget: Budget) -> Part:
    """Return a tool call of the OpenAI or Ollama shape."""
    fields = fields_of(item)
    function = fields_of(either(fields, "function", "custom"))
    return tool_call(fields("id"), function("name"), either(function, "arguments", "input"), budget)


def _definition(tool: Any, budget: Budget, *, function: bool) -> dict[str, Any] | None:
    fields = fields_of(tool)
    inner = fields("function")
    of = fields if inner is None else fields_of(inner)
    called = name(of("name"))
    kind = name(fields("type"))
    if called is None:
        # One of the provider's own, which has a type alone; Gemini's are fields that have settings in them.
        called = kind or str(next(iter(cast("Mapping[str, Any]", tool)), "") if isinstance(tool, Mapping) else "")
        return {"type": kind or called, "name": called} if called else None
    parameters = either(of, "parameters", "input_schema", "parametersJsonSchema", "parameters_json_schema")
    if function or inner is not None or parameters is not None:
        kind = "function"
    definition: dict[str, Any] = {"type": kind or "function", "name": called}
    description = of("description")
    if isinstance(description, str):
        definition["description"] = budget.take(description)
    if parameters is not None:
        definition["parameters"] = plain(parameters, budget)
    return definition
