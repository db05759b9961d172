"""HTTP clients that are watched, and upstreams that speak every protocol on real sockets."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from otel_llm_router import testing
from otel_llm_router.instrumentation.wire import WireInstrumentor
from tests.instrumentation.wire.upstreams import Upstreams


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let libraries warn as they do, also of what a test of LiteLLM's left open; of our own code it is an error."""
    for item in items:
        if "instrumentation/wire" in item.path.as_posix():
            item.add_marker(pytest.mark.filterwarnings("ignore"))
            item.add_marker(pytest.mark.filterwarnings("error:::otel_llm_router"))


@pytest.fixture(scope="module", autouse=True)
def instrumented() -> Generator[None]:
    """Watch the HTTP clients for one module of tests, as ``opentelemetry-instrument`` does at start."""
    instrumentor = WireInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    yield
    instrumentor.uninstrument()


@pytest.fixture(params=[False, True], ids=["sdk", "fast"])
def captured(request: pytest.FixtureRequest) -> Generator[testing.Captured]:
    with testing.capture(fast_path=request.param) as found:
        yield found


@pytest.fixture(scope="session")
def _upstreams(serve: Any) -> Upstreams:
    upstreams = Upstreams()
    upstreams.base = serve(upstreams)
    return upstreams


@pytest.fixture
def upstream(_upstreams: Upstreams) -> Upstreams:
    """One server that answers each request as its test asked, with an empty record."""
    _upstreams.clear()
    return _upstreams
