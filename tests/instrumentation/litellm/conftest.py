"""A real LiteLLM Router in front of upstreams on real sockets, instrumented."""

from __future__ import annotations

import itertools
import json
import warnings
from collections.abc import Callable, Generator
from typing import Any

import pytest

from otel_llm_router import testing
from otel_llm_router.instrumentation.litellm import LiteLLMInstrumentor

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    litellm: Any = pytest.importorskip("litellm")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let LiteLLM warn as it does; a warning from our own code is still an error."""
    for item in items:
        if "instrumentation/litellm" in item.path.as_posix():
            item.add_marker(pytest.mark.filterwarnings("ignore"))
            item.add_marker(pytest.mark.filterwarnings("error:::otel_llm_router"))


_ids = itertools.count()


@pytest.fixture(scope="session", autouse=True)
def instrumented() -> Generator[None]:
    """Instrument LiteLLM for the session, as ``opentelemetry-instrument`` does at start."""
    instrumentor = LiteLLMInstrumentor()
    instrumentor.instrument(skip_dep_check=True)
    yield
    instrumentor.uninstrument()


@pytest.fixture(autouse=True)
def quiet() -> Generator[None]:
    litellm.suppress_debug_info = True
    yield
    litellm.cache = None
    litellm.callbacks = []


@pytest.fixture(params=[False, True], ids=["sdk", "fast"])
def captured(request: pytest.FixtureRequest) -> Generator[testing.Captured]:
    with testing.capture(fast_path=request.param) as found:
        yield found


@pytest.fixture
def make_router(providers: dict[str, Any]) -> Callable[..., Any]:
    """Make a Router: group ``smart`` at alpha, ``backup`` at beta."""

    def deployment(group: str, model: str, provider: str) -> dict[str, Any]:
        params = {"model": f"openai/{model}", "api_base": f"{providers[provider].base}/v1", "api_key": "sk-secret-key"}
        return {"model_name": group, "litellm_params": params, "model_info": {"id": provider}}

    def make(**options: Any) -> Any:
        models = options.pop("models", None) or [
            deployment("smart", "gpt-4o-mini", "alpha"),
            deployment("backup", "gpt-4o", "beta"),
        ]
        settings = {"num_retries": 2, "retry_after": 0, "disable_cooldowns": True, **options}
        return litellm.Router(model_list=models, **settings)

    make.deployment = deployment  # pyright: ignore[reportFunctionMemberAccess]
    return make


@pytest.fixture
def ask() -> Callable[..., list[dict[str, str]]]:
    """Make messages that tell each upstream how to answer this one request."""

    def messages(**upstreams: list[dict[str, Any]]) -> list[dict[str, str]]:
        content = {"id": f"test-{next(_ids)}", "upstreams": upstreams}
        return [{"role": "user", "content": json.dumps(content)}]

    return messages
