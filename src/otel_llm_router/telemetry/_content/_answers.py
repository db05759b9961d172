"""What a call answers: messages, put together from whole answers and from the pieces of streams.

Room: `telemetry`. Answers, chunks and events of the OpenAI, Responses, Anthropic, Gemini and Ollama shapes come in;
the messages of the conventions go out, one for each choice. Pieces beyond the bound are not kept.
"""

from __future__ import annotations

from typing import Any, Final

from otel_llm_router.telemetry._content._budget import MARGIN, Budget
from otel_llm_router.telemetry._content._parts import Fields, either, part_of, parts_of, sequence
from otel_llm_router.telemetry._content._requests import call_of
from otel_llm_router.telemetry._content._values import Part, name
from otel_llm_router.telemetry._usage import fields_of

_MAX_CHOICES: Final = 16
_MAX_ITEMS: Final = 128

_FINISH: Final = {
    **dict.fromkeys(("end_turn", "stop_sequence", "completed", "done", "STOP"), "stop"),
    **dict.fromkeys(("max_tokens", "max_output_tokens", "MAX_TOKENS", "incomplete"), "length"),
    **dict.fromkeys(("tool_calls", "tool_use", "function_call"), "tool_call"),
    **dict.fromkeys(("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "refusal"), "content_filter"),
}
"""Providers' reasons for an end, by the words of the conventions."""


class _Growing:
    """A part whose text comes in pieces.

    Args:
        part: What it is, without its text.
    """

    __slots__ = ("field", "part", "pieces")

    def __init__(self, part: Part) -> None:
        self.field = "arguments" if part["type"] == "tool_call" else "content"
        self.part = part
        self.pieces: list[str] = []

    def learn(self, part: Part) -> None:
        """Take what more is known of it; text is the next piece."""
        piece = part.get(self.field)
        if isinstance(piece, str):
            self.grow(piece)
            part = {key: value for key, value in part.items() if key != self.field}
        self.part = {**self.part, **{key: value for key, value in part.items() if value}}

    def grow(self, piece: str) -> None:
        """Take a piece of its text."""
        if piece:
            self.pieces.append(piece)

    def whole(self) -> Part:
        """Return the part as far as it has come."""
        return {**self.part, self.field: "".join(self.pieces)} if self.pieces else self.part


class _Choice:
    """One message on its way.

    Args:
        budget: What there is room for.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._parts: dict[Any, _Growing] = {}
        self.finish: str | None = None

    def say(self, content: Any, kind: str = "text", key: Any = None) -> None:
        """Take a piece of text, of the part with ``key`` or of the last one if that is of this kind."""
        if isinstance(content, str) and content:
            self.add({"type": kind, "content": self._budget.take(content)}, key, joined=True)

    def add(self, part: Part | None, key: Any = None, *, joined: bool = False) -> None:
        """Take a part, or what more is known of the one with ``key``.

        Args:
            part: What has been read already.
            key: By what it is told from others.
            joined: Whether it goes on where the last part of its kind ended.
        """
        if part is None:
            return
        if key is None:
            last = next(reversed(self._parts), None)
            same = joined and last is not None and self._parts[last].part["type"] == part["type"]
            key = last if same else ("part", len(self._parts))
        known = self._parts.get(key)
        if known is None:
            if not self._budget.room():
                return
            begun = {"id": None, "name": ""} if part["type"] == "tool_call" else {}
            known = self._parts[key] = _Growing({"type": part["type"], **begun})
        known.learn(part)

    def message(self) -> dict[str, Any]:
        """Return what has come so far."""
        message: dict[str, Any] = {"role": "assistant", "parts": [each.whole() for each in list(self._parts.values())]}
        if self.finish is not None:
            message["finish_reason"] = _FINISH.get(self.finish, self.finish.lower())
        return message


class Answered:
    """What one call answers.

    Args:
        limit: Characters for all of it.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._budget = Budget(limit + MARGIN)
        self._choices: dict[int, _Choice] = {}

    @property
    def truncated(self) -> bool:
        """Whether there was more."""
        return self._budget.truncated

    def cut(self) -> None:
        """Say that there was more than was seen."""
        self._budget.truncated = True

    def messages(self) -> list[dict[str, Any]]:
        """Return the messages so far."""
        return [message for _, choice in sorted(self._choices.items()) if (message := choice.message())["parts"]]

    def take(self, answer: Any) -> None:
        """Take a whole answer, a chunk or an event, whatever it is; what is not known says nothing."""
        if isinstance(answer, str):
            self._choice(0).say(answer)
            return
        fields = fields_of(answer)
        for field, read in (("choices", self._openai), ("candidates", self._gemini), ("output", self._responses)):
            found = sequence(fields(field))
            if found:
                for position, item in enumerate(found[:_MAX_ITEMS]):
                    read(item, position)
                return
        kind = fields("type")
        if isinstance(kind, str) and kind.startswith("response."):
            self._responses_event(kind, fields)
        elif isinstance(kind, str) and (kind.startswith(("content_block", "message"))):
            self._anthropic(kind, fields)
        else:
            self._ollama(fields)

    def _choice(self, index: Any) -> _Choice:
        index = index if isinstance(index, int) and 0 <= index < _MAX_CHOICES else 0
        found = self._choices.get(index)
        if found is None:
            found = self._choices[index] = _Choice(self._budget)
        return found

    # --- the shapes -----------------------------------------------------------------------------

    def _openai(self, item: Any, position: int) -> None:
        fields = fields_of(item)
        index = fields("index")
        choice = self._choice(position if index is None else index)
        message = either(fields, "message", "delta")
        if message is not None:
            self._said(choice, fields_of(message))
        choice.say(fields("text"))
        choice.finish = name(fields("finish_reason")) or choice.finish

    def _said(self, choice: _Choice, of: Fields) -> None:
        """Take a message or delta of the OpenAI or Ollama shape."""
        budget = self._budget
        choice.say(either(of, "reasoning_content", "reasoning", "thinking"), "reasoning")
        content = of("content")
        if isinstance(content, str):
            choice.say(content)
        else:
            for part in parts_of(content, budget):
                choice.add(part)
        choice.say(of("refusal"))
        choice.say(fields_of(of("audio"))("transcript"))
        for position, call in enumerate(sequence(of("tool_calls"))[:_MAX_ITEMS]):
            index = fields_of(call)("index")
            choice.add(call_of(call, budget), ("call", position if index is None else index))
        called = of("function_call")
        if called is not None:
            choice.add(call_of({"function": called}, budget), ("call", "function"))

    def _gemini(self, item: Any, position: int) -> None:
        fields = fields_of(item)
        index = fields("index")
        choice = self._choice(position if index is None else index)
        for each in sequence(fields_of(fields("content"))("parts")):
            part = part_of(each, self._budget)
            choice.add(part, joined=part is not None and part["type"] in {"text", "reasoning"})
        choice.finish = name(either(fields, "finishReason", "finish_reason")) or choice.finish

    def _responses(self, item: Any, _position: int) -> None:
        """Take an item of the output of the Responses API; all of them are one message."""
        choice, fields = self._choice(0), fields_of(item)
        if fields("type") != "message":
            choice.add(part_of(item, self._budget))
            return
        for part in parts_of(fields("content"), self._budget):
            choice.add(part)
        choice.finish = name(fields("status")) or choice.finish

    def _responses_event(self, kind: str, fields: Fields) -> None:
        choice, key = self._choice(0), fields("output_index")
        if kind in {"response.completed", "response.incomplete"}:
            whole = fields("response")
            if sequence(fields_of(whole)("output")):  # it repeats all of it
                self._choices.clear()
                self._budget = Budget(self._limit + MARGIN)
                self.take(whole)
            self._choice(0).finish = kind.partition(".")[2]
        elif kind == "response.output_item.added":
            if fields_of(fields("item"))("type") == "function_call":
                choice.add(part_of(fields("item"), self._budget), key)
        elif kind.endswith(".delta"):
            delta = fields("delta")
            if kind.startswith("response.function_call_arguments") and isinstance(delta, str):
                choice.add({"type": "tool_call", "arguments": self._budget.take(delta)}, key)
            elif kind.startswith("response.reasoning"):
                choice.say(delta, "reasoning", key)
            elif kind.startswith(("response.output_text", "response.refusal")):
                choice.say(delta, "text", key)

    def _anthropic(self, kind: str, fields: Fields) -> None:
        choice, key = self._choice(0), fields("index")
        if kind == "message":
            for part in parts_of(fields("content"), self._budget):
                choice.add(part)
            choice.finish = name(fields("stop_reason"))
        elif kind == "content_block_start":
            choice.add(part_of(fields("content_block"), self._budget), key)
        elif kind == "content_block_delta":
            delta = fields_of(fields("delta"))
            choice.say(delta("text"), "text", key)
            choice.say(delta("thinking"), "reasoning", key)
            piece = delta("partial_json")
            if isinstance(piece, str) and piece:
                choice.add({"type": "tool_call", "arguments": self._budget.take(piece)}, key)
        elif kind == "message_delta":
            choice.finish = name(fields_of(fields("delta"))("stop_reason")) or choice.finish

    def _ollama(self, fields: Fields) -> None:
        message = fields("message")
        if message is None and fields("response") is None:
            return
        choice = self._choice(0)
        if message is not None:
            self._said(choice, fields_of(message))
        choice.say(fields("response"))
        choice.finish = name(fields("done_reason")) or choice.finish
