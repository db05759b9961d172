"""What the scrape server answers besides text: compressed, as JSON, over TLS, mounted into an application."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry.sdk.metrics import MeterProvider
from prometheus_client.core import Metric

from benchmarks.faults.certificates import certificate
from otel_llm_router.export import _files, _http, _json, asgi
from otel_llm_router.export._access import Access
from otel_llm_router.export._messages import Request, Response
from otel_llm_router.export._tls import Certificates, Contexts
from otel_llm_router.export.scrape import ScrapeReader
from otel_llm_router.export.server import Endpoints, ScrapeServer
from otel_llm_router.health import Checker


@pytest.fixture
def reader() -> Generator[ScrapeReader]:
    reader = ScrapeReader("otel_llm_router")
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    meter = provider.get_meter("app")
    meter.create_counter("hits", unit="1").add(3, {"key": 'a"b\n'})
    meter.create_histogram("size", unit="By").record(5)
    for number in range(200):
        meter.create_counter("many").add(1, {"number": str(number)})
    yield reader
    provider.shutdown()


@pytest.fixture
def served(reader: ScrapeReader) -> Generator[str]:
    server = ScrapeServer(Endpoints(reader, None, debug=lambda: {"pid": 1}), host="127.0.0.1", port=0)
    yield server.start() or ""
    server.stop()


def test_gzip_for_those_who_take_it(served: str) -> None:
    httpx.get(f"{served}/metrics")  # the SDK's own metrics of a scrape come with the next one
    plain = httpx.get(f"{served}/metrics", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    for accepted in ("gzip", "br, gzip;q=0.5", "*"):
        packed = httpx.get(f"{served}/metrics", headers={"accept-encoding": accepted})
        assert packed.headers["content-encoding"] == "gzip"
        assert int(packed.headers["content-length"]) < len(plain.content) / 4
        assert packed.text.count("\n") == plain.text.count("\n")
    for refused in ("gzip;q=0", "br", "gzip;q=x"):
        assert "content-encoding" not in httpx.get(f"{served}/metrics", headers={"accept-encoding": refused}).headers


def test_openmetrics_for_those_who_ask(served: str) -> None:
    answer = httpx.get(f"{served}/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_json(served: str) -> None:
    answer = httpx.get(f"{served}/metrics/json")
    assert answer.headers["content-type"] == "application/json"
    families: dict[str, Any] = {family["name"]: family for family in answer.json()["metrics"]}
    (hits,) = families["hits"]["samples"]
    assert (families["hits"]["type"], hits["name"], hits["value"]) == ("counter", "hits_total", 3.0)
    assert hits["labels"]["key"] == 'a"b\n'
    buckets = [one for one in families["size_bytes"]["samples"] if one["name"] == "size_bytes_bucket"]
    assert buckets[-1]["labels"]["le"] == "+Inf"


@pytest.mark.parametrize(
    ("value", "shown"), [(float("nan"), "NaN"), (float("inf"), "+Inf"), (float("-inf"), "-Inf"), (1.5, 1.5)]
)
def test_numbers_that_json_has_not(value: float, shown: object) -> None:
    family = Metric("odd", "odd \ud800", "gauge")
    family.add_sample("odd", {}, value)
    (found,) = json.loads(_json.text([family]))["metrics"]
    assert found["samples"] == [{"name": "odd", "labels": {}, "value": shown}]


def test_debug_and_the_index(served: str) -> None:
    assert httpx.get(f"{served}/debug").json() == {"pid": 1}
    assert httpx.get(f"{served}/").text.split() == ["otel-llm-router", "/metrics", "/metrics/json", "/debug"]


class Counting(ScrapeReader):
    """Counts how often it is rendered."""

    rendered = 0

    def render(self, accept: str = "") -> tuple[bytes, str]:
        self.rendered += 1
        return super().render(accept)


def test_however_many_ask_it_renders_once() -> None:
    reader = Counting("otel_llm_router")
    server = ScrapeServer(Endpoints(reader, None, cache=60), host="127.0.0.1", port=0)
    url = server.start()

    def ask() -> None:
        for _ in range(3):
            assert httpx.get(f"{url}/metrics").status_code == 200

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert reader.rendered == 1
    httpx.get(f"{url}/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert reader.rendered == 2
    server.stop()


# --- TLS ------------------------------------------------------------------------------------------


def trusting(crt: str, own: tuple[str, str] | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=crt)
    if own is not None:
        context.load_cert_chain(*own)
    return context


def test_tls_and_a_certificate_that_changes(
    reader: ScrapeReader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = certificate(tmp_path, "old"), certificate(tmp_path, "new")
    used = tmp_path / "used.pem"
    used.write_text(Path(old[0]).read_text() + Path(old[1]).read_text())
    server = ScrapeServer(Endpoints(reader, None), host="127.0.0.1", port=0, tls=Contexts(Certificates(str(used))))
    url = server.start()
    assert url is not None
    assert url.startswith("https://")
    assert httpx.get(f"{url}/metrics", verify=trusting(old[0])).status_code == 200
    with pytest.raises(httpx.HTTPError):
        httpx.get(url.replace("https", "http"))
    monkeypatch.setattr(_files, "LOOK_SECONDS", 0.0)
    other = tmp_path / "other.pem"
    other.write_text(Path(new[0]).read_text() + Path(new[1]).read_text())
    other.replace(used)
    assert httpx.get(f"{url}/metrics", verify=trusting(new[0])).status_code == 200
    used.write_text("no certificate")
    assert httpx.get(f"{url}/metrics", verify=trusting(new[0])).status_code == 200
    server.stop()


def test_clients_with_certificates(reader: ScrapeReader, tmp_path: Path) -> None:
    own, client, stranger = (certificate(tmp_path, name) for name in ("own", "client", "stranger"))
    server = ScrapeServer(
        Endpoints(reader, None), host="127.0.0.1", port=0, tls=Contexts(Certificates(*own, client_ca=client[0]))
    )
    url = server.start()
    assert httpx.get(f"{url}/metrics", verify=trusting(own[0], client)).status_code == 200
    for context in (trusting(own[0]), trusting(own[0], stranger)):
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"{url}/metrics", verify=context)
    server.stop()


def test_handshakes_that_never_end_are_bounded(reader: ScrapeReader, tmp_path: Path) -> None:
    own = certificate(tmp_path, "own")
    server = ScrapeServer(Endpoints(reader, None), host="127.0.0.1", port=0, tls=Contexts(Certificates(*own)))
    url = server.start() or ""
    host, port = url.removeprefix("https://").split(":")
    silent = [socket.create_connection((host, int(port)), timeout=60) for _ in range(_http.MAX_CONNECTIONS + 20)]
    try:
        assert httpx.get(f"{url}/metrics", verify=trusting(own[0]), timeout=60).status_code == 200
        closed = 0
        for one in silent[:20]:
            one.settimeout(30)
            closed += one.recv(1) == b""
        assert closed == 20
    finally:
        for one in silent:
            one.close()
        server.stop()


# --- mounted --------------------------------------------------------------------------------------


@pytest.fixture
def mounted(serve: Callable[[Any], str]) -> Generator[httpx.Client]:
    app = FastAPI()
    app.mount("/monitoring", asgi.application)
    with httpx.Client(base_url=serve(app)) as client:
        yield client
    asgi.serve(None)


def test_mounted_into_an_application(mounted: httpx.Client, reader: ScrapeReader) -> None:
    assert mounted.get("/monitoring/metrics").status_code == 503
    asgi.serve(Endpoints(reader, None, access=Access(token="s3cret")))
    assert mounted.get("/monitoring/metrics").status_code == 401
    headers = {"authorization": "Bearer s3cret"}
    assert "hits_total" in mounted.get("/monitoring/metrics", headers=headers).text
    assert mounted.head("/monitoring/metrics", headers=headers).content == b""
    assert mounted.get("/monitoring/metrics/json", headers=headers).json()["metrics"]
    assert mounted.get("/monitoring/", headers=headers).text.startswith("otel-llm-router")
    assert mounted.get("/monitoring/nothing", headers=headers).status_code == 404


def test_as_an_application_of_its_own(serve: Callable[[Any], str], reader: ScrapeReader) -> None:
    asgi.serve(Endpoints(reader, None))
    assert "hits_total" in httpx.get(f"{serve(asgi.application)}/metrics").text
    asgi.serve(None)


async def test_a_servers_start_and_end_are_answered() -> None:
    asked, said = iter(("lifespan.startup", "lifespan.shutdown")), list[str]()

    async def receive() -> dict[str, Any]:
        return {"type": next(asked)}

    async def send(message: Any) -> None:
        said.append(message["type"])

    await asgi.application({"type": "lifespan"}, receive, send)
    assert said == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_paths_of_its_own(reader: ScrapeReader) -> None:
    checker = Checker(version="1")
    endpoints = Endpoints(
        reader, checker, access=Access(token="t"), metrics_path="/internal/prometheus", health_path="/healthz"
    )
    server = ScrapeServer(endpoints, host="127.0.0.1", port=0)
    with httpx.Client(base_url=server.start() or "", headers={"authorization": "Bearer t"}) as http:
        assert http.get("/").text.split()[1:] == [
            "/internal/prometheus",
            "/internal/prometheus/json",
            "/healthz",
            "/healthz/live",
            "/healthz/ready",
        ]
        assert "hits_total" in http.get("/internal/prometheus").text
        assert http.get("/internal/prometheus/json").status_code == 200
        assert http.get("/healthz/ready/", headers={"authorization": ""}).status_code == 200
        assert http.get("/healthz", headers={"authorization": ""}).status_code == 401
        for moved in ("/metrics", "/metrics/json", "/health", "/health/live"):
            assert http.get(moved).status_code == 404
            assert http.get(moved, headers={"authorization": ""}).status_code == 401
    server.stop()


@pytest.mark.parametrize("asked", [True, False])
def test_profiles_are_for_those_who_are_asked_who_they_are(asked: bool) -> None:
    def profile(request: Request) -> Response:
        return Response(200, request.query.encode(), "text/plain")

    endpoints = Endpoints(None, None, access=Access(token="t") if asked else None, profile=profile)
    server = ScrapeServer(endpoints, host="127.0.0.1", port=0)
    with httpx.Client(base_url=server.start() or "") as http:
        headers = {"authorization": "Bearer t"}
        answer = http.get("/debug/profile/cpu?seconds=1", headers=headers)
        assert (answer.status_code, answer.text) == ((200, "seconds=1") if asked else (404, answer.text))
        assert http.get("/debug/profile/cpu").status_code == (401 if asked else 404)
    server.stop()
