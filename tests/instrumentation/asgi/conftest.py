"""A gateway of nobody's making, in front of an upstream on a real socket, with both sides of the wire watched."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from otel_llm_router import testing
from otel_llm_router.instrumentation.asgi import AsgiInstrumentor
from otel_llm_router.instrumentation.wire import WireInstrumentor
from tests.instrumentation.asgi.gateways import Gateway
from tests.instrumentation.wire.upstreams import Upstreams


@pytest.fixture
def watched(upstream: Upstreams) -> Generator[testing.Captured]:
    """Both sides of the wire, as ``opentelemetry-instrument`` has them; the upstream was served before."""
    with testing.capture(fast_path=True) as found:
        inbound, outbound = AsgiInstrumentor(), WireInstrumentor()
        providers = {"tracer_provider": found.tracer_provider, "meter_provider": found.meter_provider}
        inbound.instrument(skip_dep_check=True, **providers)
        outbound.instrument(skip_dep_check=True)
        yield found
        outbound.uninstrument()
        inbound.uninstrument()


@pytest.fixture(scope="session")
def _asgi_upstream(serve: Any) -> Upstreams:
    upstreams = Upstreams()
    upstreams.base = serve(upstreams)
    return upstreams


@pytest.fixture
def upstream(_asgi_upstream: Upstreams) -> Upstreams:
    """One provider that answers each request as its test asked."""
    _asgi_upstream.clear()
    return _asgi_upstream


@pytest.fixture
def gateway(watched: testing.Captured, upstream: Upstreams, serve: Any) -> Generator[Gateway]:
    found = Gateway(watched, upstream)
    app = Starlette(routes=[Route("/{path:path}", found.serve, methods=["GET", "POST"])])
    found.base = serve(app)
    yield found
    found.settle()
