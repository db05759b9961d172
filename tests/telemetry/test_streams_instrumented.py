"""Streams of a library that an instrumentation has patched: they carry their own probe."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from types import SimpleNamespace

from otel_llm_router import telemetry as router
from otel_llm_router import testing
from otel_llm_router.telemetry.instrumenting import StreamProbe, carry, probe_of


class Carrier:
    """A stream object of a library, whose class an instrumentation has patched."""

    def __iter__(self) -> Iterator[str]:
        yield "a"


def test_a_stream_that_is_measured_already_is_adopted_and_not_measured_twice(captured: testing.Captured):
    with router.request(model="smart") as request:
        attempt = request.attempt("openai", "gpt-4o")
        stream = Carrier()
        probe = StreamProbe(attempt=attempt)
        assert carry(stream, probe)
        assert probe_of(stream) is probe
        assert request.stream(stream, model="ignored") is stream
    assert captured.value("llm_router.requests.in_flight") == 1
    probe.chunk("a")
    probe.finish()
    assert probe_of(stream) is None
    assert captured.value("llm_router.inference", model="gpt-4o", status="success") == 1
    assert captured.value("llm_router.attempts") == 1
    assert captured.count("llm_router.time_to_first_token") == 1


def test_a_measured_stream_that_is_dropped_is_abandoned_though_its_attempt_is_not(captured: testing.Captured):
    with router.request(model="smart") as request:
        attempt = request.attempt("openai", "gpt-4o")
        stream = Carrier()
        carry(stream, StreamProbe(request=request, attempt=attempt))
        request.stream(stream)
    copied = copy.deepcopy(stream)
    del stream
    assert not attempt.ended
    del copied
    assert attempt.ended
    assert captured.value("llm_router.attempts", status="aborted", error_type="stream_abandoned") == 1
    assert captured.value("llm_router.inference", status="aborted") == 1


def test_a_stream_that_cannot_carry_a_probe_says_so():
    assert not carry(object(), StreamProbe())
    assert probe_of(object()) is None
    assert probe_of(SimpleNamespace(_otel_llm_router_probe="somebody else's")) is None
