"""Checks of the router, from numbers that real telemetry has recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource

from otel_llm_router import aggregation, health
from otel_llm_router.export._numbers import Numbers
from otel_llm_router.export.scrape import ScrapeReader
from otel_llm_router.health import Check, builtin
from otel_llm_router.telemetry import Telemetry
from otel_llm_router.telemetry.instrumenting import SCOPE


class Router:
    """A router's telemetry, and the checks that read it."""

    def __init__(self, *, fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("otel_llm_router.export._numbers.KEPT", -1.0)
        reader = ScrapeReader(SCOPE)
        if fast:
            provider: MeterProvider = aggregation.MeterProvider(
                SCOPE, aggregation.Pipeline(), resource=Resource.get_empty(), metric_readers=[reader]
            )
        else:
            provider = MeterProvider(metric_readers=[reader])
        self.telemetry = Telemetry(meter_provider=provider)
        self._checks = builtin.router_checks(Numbers(reader.points), health.is_ready)
        self.close: Callable[[], object] = provider.shutdown

    def __call__(self, name: str) -> health.Result:
        check: Check = self._checks[name]
        result = check()
        assert isinstance(result, health.Result)
        return result

    def request(self, *, error: BaseException | None = None, provider: str = "openai") -> None:
        with suppress(BaseException), self.telemetry.request("m") as request, request.attempt(provider, "m"):
            if error is not None:
                raise error


@pytest.fixture(params=["sdk", "fast"])
def router(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Router]:
    made = Router(fast=request.param == "fast", monkeypatch=monkeypatch)
    yield made
    made.close()
    health.ready(None)


def test_a_router_that_nothing_is_known_of_is_healthy(router: Router) -> None:
    for name in ("router_initialized", "models_available", "inference_capability", "providers"):
        assert router(name).healthy, name


def test_what_the_application_says_of_itself(router: Router) -> None:
    health.ready(False)
    assert not router("router_initialized").healthy
    health.ready()
    assert router("router_initialized").healthy


def test_deployments_in_rotation(router: Router) -> None:
    router.telemetry.deployments.know("one", "openai", "m")
    router.telemetry.deployments.know("two", "openai", "m")
    router.telemetry.cooldown("one", provider="openai", model="m", seconds=60)
    found = router("models_available")
    assert found.healthy
    assert found.details == {"deployments": 2, "in_rotation": 1, "models_loaded": 0, "load_failures": 0}
    router.telemetry.cooldown("two", provider="openai", model="m", seconds=60)
    found = router("models_available")
    assert (found.healthy, found.message) == (False, "every deployment is cooling down")
    assert router("router_initialized").details["deployments"] == 2


def test_models_loaded_and_failed(router: Router) -> None:
    with pytest.raises(OSError, match="disk"), router.telemetry.model_load("a.gguf", format="gguf"):
        raise OSError("disk")
    found = router("models_available")
    assert (found.healthy, found.message) == (False, "no model is loaded, and loading failed")
    router.telemetry.model_loaded("b.gguf", format="gguf", size_bytes=1e9)
    assert router("models_available").healthy
    router.telemetry.model_unloaded("b.gguf")
    found = router("models_available")
    assert not found.healthy
    assert found.details["models_loaded"] == 0


def test_requests_that_all_fail(router: Router) -> None:
    for _ in range(4):
        router.request(error=TimeoutError())
    assert router("inference_capability").healthy  # too few to say
    for _ in range(5):
        router.request(error=TimeoutError())
    found = router("inference_capability")
    assert not found.healthy
    assert found.details == {"succeeded": 0, "failed": 5}
    for _ in range(5):
        router.request(error=TimeoutError())
    router.request()
    assert router("inference_capability").healthy


def test_a_provider_that_fails(router: Router) -> None:
    for _ in range(5):
        router.request(error=ConnectionError(), provider="bad")
        router.request(provider="good")
    found = router("providers")
    assert (found.healthy, found.message) == (False, "most attempts fail: bad")
    assert found.details["good"] == {"attempts": 5, "failed": 0, "value": 0.0, "threshold": 50.0}
    assert router("providers").healthy  # nothing since
