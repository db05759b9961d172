"""The caller's context, carried into the thread in which LiteLLM runs a synchronous call.

Room: `instrumentation`. ``Router.completion`` called inside a running event loop does its work in a
new thread, where no context variable of the caller's is set. The request's trace id, which LiteLLM
makes before, is the thread from one to the other.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry.context import Context

from otel_llm_router.telemetry.instrumenting import attached

_MAX_WAITING: Final = 1000

_waiting: OrderedDict[str, Context] = OrderedDict()


def remember(kwargs: Mapping[str, Any]) -> None:
    """Keep the current context for the request that ``kwargs`` are the arguments of."""
    trace_id = kwargs.get("litellm_trace_id")
    if isinstance(trace_id, str):
        _waiting[trace_id] = otel_context.get_current()
        while len(_waiting) > _MAX_WAITING:
            _waiting.popitem(last=False)


@contextmanager
def recalled(kwargs: Mapping[str, Any]) -> Generator[None]:
    """Make the context that was kept for a request current, if one was."""
    trace_id = kwargs.get("litellm_trace_id")
    kept = _waiting.pop(trace_id, None) if isinstance(trace_id, str) else None
    if kept is None:
        yield
    else:
        with attached(kept):
            yield
