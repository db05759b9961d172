"""The content of one call, from its request to what is recorded of it.

Room: `telemetry`. Begun with the attempt; whoever sees more of the call than others is believed: what the
application or its library hands over, before what a layer below has read.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import set_span_in_context

from otel_llm_router import _sanitize
from otel_llm_router.signals import Attribute, attributes, events
from otel_llm_router.signals.content import Mode
from otel_llm_router.telemetry import _genai, _guard
from otel_llm_router.telemetry._content._answers import Answered
from otel_llm_router.telemetry._content._bodies import Body
from otel_llm_router.telemetry._content._leaving import fit
from otel_llm_router.telemetry._content._requests import Asked
from otel_llm_router.telemetry._log_events import identifier

if TYPE_CHECKING:
    from otel_llm_router.telemetry._attempt import Attempt


class Policy:
    """What is recorded of content.

    Args:
        mode: Where, by the words of the standard variable.
        limit: See option ``content_limit``.
    """

    def __init__(self, mode: Mode, limit: int) -> None:
        self.on_span = mode in {"SPAN_ONLY", "SPAN_AND_EVENT"}
        self.on_event = mode in {"EVENT_ONLY", "SPAN_AND_EVENT"}
        self.limit = limit

    def begin(self) -> Content:
        """Begin the content of one call."""
        return Content(self)


class Content:
    """What one call is asked and what it answers.

    Args:
        policy: What is recorded of it.
    """

    __slots__ = ("_answered", "_asked", "_below", "_body", "_policy")

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._asked: Asked | None = None
        self._body: Body | None = None
        self._answered: Answered | None = None
        self._below: Answered | None = None

    @_guard.guarded("content.asked")
    def asked(self, request: Any) -> None:
        """Take what is asked: the arguments of the call, or its messages."""
        asked = Asked(request, self._policy.limit)
        if asked:
            self._asked = asked

    @_guard.guarded("content.asked_below")
    def asked_below(self, body: Any) -> None:
        """Take the body of the request: bytes or text, or what will be sent as JSON."""
        if self._asked is not None:
            return
        if isinstance(body, (bytes, str)):
            self._body = Body(body)
        elif isinstance(body, dict):
            self.asked(body)

    @_guard.guarded("content.answered")
    def answered(self, answer: Any) -> None:
        """Take a whole answer."""
        answered = Answered(self._policy.limit)
        answered.take(answer)
        if answered.messages():
            self._answered = answered

    @_guard.guarded("content.chunk")
    def chunk(self, chunk: Any) -> None:
        """Take a piece of an answer, as the application gets it."""
        if self._answered is None:
            self._answered = Answered(self._policy.limit)
        self._answered.take(chunk)

    @_guard.guarded("content.below")
    def below(self, fields: Any, *, whole: bool = True) -> None:
        """Take an answer or an event of it, as a layer below reads it.

        Args:
            fields: The object.
            whole: Whether all of it is there.
        """
        if self._below is None:
            self._below = Answered(self._policy.limit)
        if whole:
            self._below.take(fields)
        else:
            self._below.cut()

    # --- when the call has ended ----------------------------------------------------------------

    def leave(self, attempt: Attempt) -> dict[Attribute, object]:
        """Emit the event of an ended attempt, and return what goes on its span."""
        on_span = self._policy.on_span and attempt.span.is_recording()
        if attempt.foreign is not None or not (on_span or self._policy.on_event):
            return {}
        found, truncated = self._found()
        if not found and not truncated:
            return {}
        marks: dict[Attribute, object] = {attributes.CONTENT_TRUNCATED: True} if truncated else {}
        if self._policy.on_event:
            attempt.request.recorder.emit(
                events.INFERENCE_DETAILS,
                {**_details(attempt), **marks},
                set_span_in_context(attempt.span),
                structured=found,
            )
        if not on_span:
            return {}
        return {**{attribute: _json(value) for attribute, value in found.items()}, **marks}

    def _found(self) -> tuple[dict[Attribute, list[Any]], bool]:
        limit, truncated = self._policy.limit, False
        found: dict[Attribute, list[Any]] = {}
        asked, answered = self._asked, self._answered
        if asked is None and self._body is not None:
            body = self._body.read()
            asked = Asked(body, limit) if isinstance(body, dict) else None
            truncated = body is None
        if answered is None or not answered.messages():
            answered = self._below
        if asked is not None:
            truncated = asked.truncated
            messages, cut = fit(asked.newest_first, limit)
            system, cut_system = fit(asked.system, limit)
            tools, cut_tools = fit(asked.tools, limit, keys=False)
            truncated = truncated or cut or cut_system or cut_tools
            found = {
                attributes.GEN_AI_SYSTEM_INSTRUCTIONS: system,
                attributes.GEN_AI_INPUT_MESSAGES: messages[::-1],
                attributes.GEN_AI_TOOL_DEFINITIONS: tools,
            }
        if answered is not None:
            messages, cut = fit(answered.messages(), limit)
            found[attributes.GEN_AI_OUTPUT_MESSAGES] = messages
            truncated = truncated or answered.truncated or cut
        return {attribute: value for attribute, value in found.items() if value}, truncated


def _json(value: list[Any]) -> _sanitize.Prose:
    return _sanitize.Prose(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _details(attempt: Attempt) -> dict[Attribute, object]:
    """Return what the event says of a call beside its content."""
    target, usage = attempt.target, attempt.usage
    return {
        **{key: value for key, value in attempt.details.items() if key in events.INFERENCE_DETAILS.attributes},
        attributes.REQUEST_ID: identifier(attempt.request),
        attributes.GEN_AI_OPERATION: target.operation,
        attributes.GEN_AI_PROVIDER: _genai.provider_name(target.provider),
        attributes.GEN_AI_REQUEST_MODEL: target.model,
        attributes.GEN_AI_RESPONSE_MODEL: attempt.response_model,
        attributes.GEN_AI_STREAM: attempt.streaming or None,
        attributes.GEN_AI_INPUT_TOKENS: usage.input,
        attributes.GEN_AI_OUTPUT_TOKENS: usage.output,
        attributes.ERROR_TYPE_SPAN: attempt.error_type or None,
        attributes.SERVER_ADDRESS: target.address,
        attributes.SERVER_PORT: target.port,
    }
