"""Calls to providers that a layer below the application notices: who owns each, and what becomes of it.

Room: `telemetry`. An instrumentation that sees HTTP traffic asks here whether an upper layer (a library's
instrumentation, the application itself) has an attempt in flight for a call, and begins one where none has.
The application may speak of the same call later, in `Request.stream` or `Request.failed_attempt`: it then
claims the attempt, and no second one is made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN

from otel_llm_router.signals import attributes
from otel_llm_router.telemetry import _context, _foreign

if TYPE_CHECKING:
    from otel_llm_router.telemetry._attempt import Attempt, Reason, Target
    from otel_llm_router.telemetry._request import Request
    from otel_llm_router.telemetry._telemetry import Telemetry


_MAX_BENEATH: Final = 100


def owner(model: str) -> Attempt | None:
    """Return the attempt in flight that a call to ``model``, made here and now, belongs to.

    It is the current one, or one that was begun for the request in flight without being made current:
    that for the same model, and among several the newest. One whose stream is being read already is not meant.
    """
    current = _context.current_attempt()
    if current is not None:
        return current
    request = _context.current_request()
    if request is None or not request.attempts_open:
        return None
    waiting = [attempt for attempt in tuple(request.attempts_open) if not attempt.streaming and not attempt.seen_below]
    return max(waiting, key=lambda attempt: (attempt.target.model == model, attempt.number), default=None)


def begin(telemetry: Telemetry, target: Target, *, reason: Reason | None = None) -> Attempt:
    """Begin an attempt that was noticed below: of the request in flight, or of one that ends with it.

    Inside an HTTP request to the router the request in flight is, where there is no other, that one.

    Args:
        telemetry: What it is begun on.
        target: What is called.
        reason: Why, where that is known better than by what happened before; a call made while a decision is
            open is made in order to decide.
    """
    foreign = _foreign.current(telemetry.foreign)
    request = _context.current_request()
    if _context.current_decision() is not None or (request is not None and request.deciding):
        reason = "routing"
    if request is None:
        # A call that is made in order to decide says nothing yet of what the HTTP request around it is.
        request = _context.request_asked_for() if reason == "routing" else _context.joined_request()
    if request is None:
        call = _context.current_sdk_call()
        request = None if call is None else call.again()
        if request is None:
            request = telemetry.request_below(target.model, foreign=foreign is not None, counted=reason != "routing")
            request.end_with_attempt(call)
            return request.begin_attempt(target, reason=reason, seen_below=True, foreign=foreign)
    if reason == "retry":  # the request knows what failed before
        reason = None
    return request.begin_attempt(target, reason=reason, seen_below=True, foreign=foreign)


def joined(owner: Attempt) -> Context:
    """Return what is current in the call that is made here and now and belongs to ``owner``.

    Its span, where it waited for whether another instrumentation makes one, is made now or not at all. An owner
    that is not current is one that made no block of its call: its span is still the parent.
    """
    context = _context.current()
    foreign = _foreign.current(owner.request.telemetry.foreign, owner.span)
    if not owner.late:
        if foreign is not None and owner.foreign is None:
            owner.foreign = foreign  # too late for its span; the next ones wait
            if len(_foreign.beneath) < _MAX_BENEATH:
                _foreign.beneath.add(foreign)
    else:
        owner.place_span(foreign)
        if trace.get_current_span(context) is owner.request.span and owner.span is not INVALID_SPAN:
            context = trace.set_span_in_context(owner.span, context)
    if owner.foreign is not None or _context.current_attempt() is owner:
        return context
    return owner.context


def claim(request: Request, *, failed: bool) -> Attempt | None:
    """Return the attempt that the application speaks of now, if it was noticed below already and not claimed yet.

    Args:
        request: The request in flight.
        failed: Whether it speaks of a call that has failed; else of an answer that it has got.
    """
    if not failed:
        open_streams = [attempt for attempt in tuple(request.attempts_open) if attempt.unclaimed and attempt.streaming]
        if open_streams:
            return _claimed(max(open_streams, key=lambda attempt: attempt.number))
    last = request.last_attempt
    if last is not None and last.unclaimed and (last.outcome != attributes.SUCCESS) == failed:
        return _claimed(last)
    return None


def _claimed(attempt: Attempt) -> Attempt:
    attempt.unclaimed = False
    return attempt
