"""The standard OTLP exporters with our encoder, over real sockets: what arrives, and what stays theirs."""

# grpcio and protobuf's messages have no types.
# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import gzip
import http.server
import threading
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import grpc
import pytest
from accounts import Accounts
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags

from otel_llm_router.distro import _sdk
from otel_llm_router.export import _span_encoding
from otel_llm_router.export._reporter import Reporter
from otel_llm_router.export._span_encoder import SpanEncoder
from otel_llm_router.export.otlp import batching, encode_faster

SUCCESS, FAILURE = SpanExportResult.SUCCESS, SpanExportResult.FAILURE


class Guard:
    """A guard that keeps what it caught."""

    def __init__(self) -> None:
        self.caught: list[Exception] = []

    @contextmanager
    def __call__(self) -> Generator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001  # as the guard does
            self.caught.append(error)


class Receiver:
    """What arrived: headers, or metadata, and the bytes as they were sent; answers with ``statuses`` first."""

    def __init__(self) -> None:
        self.url = ""
        self.headers: list[dict[str, str]] = []
        self.bodies: list[bytes] = []
        self.statuses: list[int] = []

    def messages(self) -> list[Any]:
        return [ExportTraceServiceRequest.FromString(body) for body in self.bodies]


@pytest.fixture
def over_http() -> Generator[Receiver]:
    found = Receiver()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.headers.append({key.lower(): value for key, value in self.headers.items()})
            found.bodies.append(gzip.decompress(body) if self.headers["content-encoding"] == "gzip" else body)
            self.send_response(found.statuses.pop(0) if found.statuses else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None: ...  # noqa: A002

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}/v1/traces"
    yield found
    server.shutdown()
    server.server_close()


@pytest.fixture
def over_grpc() -> Generator[Receiver]:
    found = Receiver()

    def export(body: bytes, context: Any) -> Any:
        found.headers.append(dict(context.invocation_metadata()))
        found.bodies.append(body)
        return ExportTraceServiceResponse()

    handler = grpc.unary_unary_rpc_method_handler(
        export, response_serializer=ExportTraceServiceResponse.SerializeToString
    )
    service = "opentelemetry.proto.collector.trace.v1.TraceService"
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, {"Export": handler})])
    found.url = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    yield found
    server.stop(grace=None).wait()


RESOURCE = Resource({"service.name": "a"})


def span(name: str = "s", **attributes: Any) -> ReadableSpan:
    return ReadableSpan(
        name, SpanContext(1, 2, is_remote=False), None, RESOURCE, {"k": "a", **attributes}, start_time=1
    )


def is_ours(body: bytes) -> bool:
    """Whether our encoder wrote it: fields are in another order."""
    return body != ExportTraceServiceRequest.FromString(body).SerializeToString()


def test_over_http_with_what_the_exporter_was_told(over_http: Receiver) -> None:
    guard = Guard()
    inner = HttpExporter(over_http.url, headers={"authorization": "Bearer t"}, compression=Compression.Gzip)
    exporter = inner
    encode_faster(exporter, guard)
    assert exporter.export([span(), span("other")]) is SUCCESS
    assert over_http.messages() == [encode_spans([span(), span("other")])]
    assert is_ours(over_http.bodies[0])
    (headers,) = over_http.headers
    assert headers["authorization"] == "Bearer t"
    assert headers["content-encoding"] == "gzip"
    assert headers["content-type"] == "application/x-protobuf"
    exporter.shutdown()
    assert exporter.export([span()]) is FAILURE
    assert len(over_http.bodies) == 1
    assert guard.caught == []


def test_over_http_what_is_tried_again_is_the_same(over_http: Receiver) -> None:
    over_http.statuses = [503]
    exporter = HttpExporter(over_http.url)
    encode_faster(exporter, Guard())
    assert exporter.export([span()]) is SUCCESS
    first, second = over_http.bodies
    assert first == second
    assert is_ours(first)


def test_over_grpc_with_what_the_exporter_was_told(over_grpc: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_span_encoding, "encode_spans", stock := Counting())
    guard = Guard()
    inner = GrpcExporter(over_grpc.url, headers={"authorization": "Bearer t"}, compression=grpc.Compression.Gzip)
    exporter = inner
    encode_faster(exporter, guard)
    for name in ("one", "two"):
        assert exporter.export([span(name)]) is SUCCESS
    assert over_grpc.messages() == [encode_spans([span("one")]), encode_spans([span("two")])]
    assert over_grpc.headers[0]["authorization"] == "Bearer t"
    assert stock.calls == 1, "the comparison before the first batch is all that the stock encoder did"
    assert guard.caught == []
    exporter.shutdown()


class Counting:
    """The stock encoder, and how often it was called."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, spans: Any) -> Any:
        self.calls += 1
        return encode_spans(spans)


@pytest.fixture(params=["http", "grpc"])
def sending(request: pytest.FixtureRequest) -> tuple[Receiver, Callable[[], Any]]:
    """A receiver, and what makes an exporter to it."""
    receiver: Receiver = request.getfixturevalue(f"over_{request.param}")
    return receiver, partial({"http": HttpExporter, "grpc": GrpcExporter}[request.param], receiver.url)


def test_other_exporters_are_not_touched(sending: tuple[Receiver, Callable[[], Any]]) -> None:
    receiver, make = sending
    theirs, ours = make(), make()
    encode_faster(ours, Guard())
    assert vars(theirs).keys() == vars(make()).keys()
    assert theirs.export([span()]) is SUCCESS
    assert not is_ours(receiver.bodies[0])


def test_the_stock_encoder_takes_the_batch_that_ours_fails_on(
    sending: tuple[Receiver, Callable[[], Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, make = sending
    guard = Guard()
    exporter = make()
    encode_faster(exporter, guard)
    assert exporter.export([span("before")]) is SUCCESS
    with monkeypatch.context() as patched:
        patched.setattr(SpanEncoder, "encode", None)
        assert exporter.export([span("while")]) is SUCCESS
    assert exporter.export([span("after")]) is SUCCESS
    assert [type(error) for error in guard.caught] == [TypeError]
    assert receiver.messages() == [encode_spans([span(name)]) for name in ("before", "while", "after")]


def test_an_opentelemetry_that_encodes_differently_keeps_its_encoder(
    sending: tuple[Receiver, Callable[[], Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, make = sending

    def newer(spans: Any) -> Any:
        request = encode_spans(spans)
        request.resource_spans[0].scope_spans[0].spans[0].flags |= 1
        return request

    monkeypatch.setattr(_span_encoding, "encode_spans", newer)
    guard = Guard()
    exporter = make()
    encode_faster(exporter, guard)
    for _ in range(3):
        assert exporter.export([span()]) is SUCCESS
    assert [type(error).__name__ for error in guard.caught] == ["DifferentEncodingError"]
    assert receiver.messages() == [newer([span()])] * 3


def test_a_span_that_nobody_can_encode_fails_as_without_us(over_http: Receiver) -> None:
    guard = Guard()

    def outcome(exporter: Any) -> object:
        try:
            return exporter.export([span("\ud800")])
        except UnicodeEncodeError as error:  # older exporters let it out
            return type(error)

    with_stock = outcome(HttpExporter(over_http.url))
    with_ours = HttpExporter(over_http.url)
    encode_faster(with_ours, guard)
    assert outcome(with_ours) == with_stock != SUCCESS
    assert over_http.bodies == []
    assert guard.caught == []


def test_what_does_not_encode_that_way_is_left_as_it_is() -> None:
    class Own(HttpExporter):
        def export(self, spans: Any) -> SpanExportResult:
            return super().export(spans)

    for exporter in (InMemorySpanExporter(), Own("http://127.0.0.1:1")):
        before = dict(vars(exporter))
        assert encode_faster(exporter, Guard()) is None
        assert vars(exporter) == before


@pytest.mark.parametrize("fast", [True, False])
def test_the_providers_of_the_distribution(over_http: Receiver, monkeypatch: pytest.MonkeyPatch, *, fast: bool) -> None:
    variables = {"TRACES_EXPORTER": "otlp", "METRICS_EXPORTER": "none", "LOGS_EXPORTER": "none"}
    variables |= {"EXPORTER_OTLP_PROTOCOL": "http/protobuf", "EXPORTER_OTLP_TRACES_ENDPOINT": over_http.url}
    for name, value in variables.items():
        monkeypatch.setenv(f"OTEL_{name}", value)
    providers = _sdk.build(RESOURCE, [], Accounts(), fast=fast)
    tracer: TracerProvider = providers.tracer
    for scope in ("otel_llm_router", "another"):
        tracer.get_tracer(scope).start_span("s", attributes={"k": "a"}).end()
    for provider in providers.all():
        provider.shutdown()
    assert providers.problems == []
    (body,) = over_http.bodies
    assert is_ours(body) is fast
    scopes = ExportTraceServiceRequest.FromString(body).resource_spans[0].scope_spans
    assert sorted(scope.scope.name for scope in scopes) == ["another", "otel_llm_router"]


OWN = InstrumentationScope("own")
FOREIGN = InstrumentationScope("foreign")
SAMPLED = SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def ended(name: str, scope: InstrumentationScope, resource: Resource = RESOURCE) -> ReadableSpan:
    return ReadableSpan(
        name, SAMPLED, None, resource, {"k": name}, start_time=1, end_time=2, instrumentation_scope=scope
    )


def test_spans_of_our_scope_wait_as_bytes(over_http: Receiver) -> None:
    guard = Guard()
    accounts = Accounts()
    processor = batching(HttpExporter(over_http.url), Reporter(accounts), "own", guard)
    other = Resource({"service.name": "b"})
    spans = [ended("1", OWN), ended("2", FOREIGN), ended("3", OWN), ended("4", OWN, other), ended("\ud800", FOREIGN)]
    for one in spans[:4]:
        processor.on_end(one)
    unsampled = ReadableSpan("5", SpanContext(1, 2, is_remote=False), instrumentation_scope=OWN, resource=RESOURCE)
    processor.on_end(unsampled)
    assert processor.force_flush()
    (message,) = over_http.messages()
    assert names(message) == {("a", "own"): ["1", "3"], ("a", "foreign"): ["2"], ("b", "own"): ["4"]}
    assert encoded_by_scope(message) == encoded_by_scope(encode_spans(spans[:4]))
    # A span that nobody can encode costs the batch that it is in, as it does without us.
    processor.on_end(spans[0])
    processor.on_end(spans[4])
    processor.force_flush()
    assert len(over_http.bodies) == 1
    assert sum(accounts.failures.values()) == 1
    processor.on_end(spans[0])
    processor.shutdown()
    assert names(over_http.messages()[1]) == {("a", "own"): ["1"]}
    assert guard.caught == []


def test_what_waits_as_bytes_survives_an_error_of_our_encoder(
    over_http: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard = Guard()
    processor = batching(HttpExporter(over_http.url), Reporter(Accounts()), "own", guard)
    processor.on_end(ended("1", OWN))
    encode = SpanEncoder.encode

    def broken(self: SpanEncoder, spans: Any) -> bytes:
        if any(not isinstance(one, bytes) for one in spans):
            raise MemoryError
        return encode(self, spans)

    monkeypatch.setattr(SpanEncoder, "encode", broken)
    processor.on_end(ended("2", FOREIGN))
    assert processor.force_flush()
    assert names(over_http.messages()[0]) == {("a", "own"): ["1"], ("a", "foreign"): ["2"]}
    assert [type(error) for error in guard.caught] == [MemoryError]
    processor.shutdown()


def names(message: Any) -> dict[tuple[str, str], list[str]]:
    return {key: [one.name for one in spans] for key, spans in encoded_by_scope(message).items()}


def encoded_by_scope(message: Any) -> dict[tuple[str, str], list[Any]]:
    return {
        (of.resource.attributes[0].value.string_value, by.scope.name): list(by.spans)
        for of in message.resource_spans
        for by in of.scope_spans
    }
