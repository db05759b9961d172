"""Checks of ended streams: the measurements, the spans, and the context that they left behind."""

from __future__ import annotations

import gc

from opentelemetry import context as otel_context
from opentelemetry.trace import StatusCode

from otel_llm_router import testing
from tests.telemetry.spans import span_id


class Checks:
    """What holds of every stream that ended, however it did."""

    def __init__(self, captured: testing.Captured) -> None:
        self._captured = captured

    def clean(self) -> None:
        """The context is clean: the next span, here, is a root and no child of a stream."""
        assert otel_context.get_current() == {}
        with self._captured.tracer_provider.get_tracer("application").start_as_current_span("next"):
            pass
        assert [span.parent for span in self._captured.spans("next")] == [None] * len(self._captured.spans("next"))

    def ended(self, status: str, error_type: str | tuple[str, ...], content: int, streams: int = 1) -> None:
        captured = self._captured
        gc.collect()
        allowed = (error_type,) if isinstance(error_type, str) else error_type
        assert [(p.labels["status"], p.value) for p in captured.points("llm_router.inference")] == [(status, streams)]
        attempts = captured.points("llm_router.attempts")
        assert [(p.labels["status"], p.value) for p in attempts] == [(status, streams)]
        assert {point.labels["error_type"] for point in attempts} <= set(allowed)
        assert captured.value("llm_router.requests.in_flight") == 0
        assert captured.value("llm_router.attempts.in_flight") == 0
        self._measured(status, content, streams)
        self._spans(status, allowed, content, streams)

    def _measured(self, status: str, content: int, streams: int) -> None:
        captured = self._captured
        assert captured.value("llm_router.tokens", type="output", source="estimated") == content * streams
        assert captured.value("llm_router.tokens.generated") == content * streams
        assert captured.count("llm_router.time_to_first_token") == (streams if content else 0)
        assert captured.count("llm_router.time_per_output_token") == (streams if content > 1 else 0)
        if status == "aborted":
            phase = "mid_stream" if content else "before_first_token"
            assert captured.value("llm_router.stream.aborts", side="client", phase=phase) == streams
            assert captured.value("llm_router.stream.aborts") == streams
            assert captured.value("llm_router.tokens.wasted", reason="aborted") == content * streams
            assert len(captured.events("llm_router.inference.aborted")) == streams
        else:
            assert captured.points("llm_router.stream.aborts") == []
            assert captured.points("llm_router.tokens.wasted") == []

    def _spans(self, status: str, allowed: tuple[str, ...], content: int, streams: int) -> None:
        captured = self._captured
        routes, attempts = captured.spans("route smart"), captured.spans("chat gpt-4o")
        assert len(routes) == len(attempts) == streams
        for span in (*routes, *attempts):
            attributes = dict(span.attributes or {})
            assert attributes["llm_router.outcome"] == status
            assert attributes.get("error.type", "") in allowed
            assert (span.status.status_code is StatusCode.ERROR) == (status != "success")
        for span in attempts:
            attributes = dict(span.attributes or {})
            assert attributes["gen_ai.request.stream"] is True
            assert attributes.get("gen_ai.usage.output_tokens", 0) == content
            assert ("gen_ai.response.time_to_first_chunk" in attributes) == bool(content)
            assert [event.name for event in span.events] == ["gen_ai.first_token"] * bool(content)
            assert span.parent is not None
            assert span.parent.span_id in {span_id(route) for route in routes}
        parents = {span_id(span) for span in attempts}
        for span in captured.spans("read socket"):
            assert span.parent is not None
            assert span.parent.span_id in parents
