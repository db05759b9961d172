"""RouteLLM's profile, on the real LiteLLM and an upstream on a real socket.

RouteLLM itself needs gigabytes of libraries for models that it routes with; the controller here has its names,
signatures and flow.
"""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from otel_llm_router import testing

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    litellm: Any = pytest.importorskip("litellm")

pytestmark = [pytest.mark.filterwarnings("ignore"), pytest.mark.filterwarnings("error:::otel_llm_router")]

ROUTELLM = {
    "routellm/__init__.py": "",
    "routellm/controller.py": '''
        from dataclasses import dataclass
        from types import SimpleNamespace

        from litellm import acompletion, completion

        class RoutingError(Exception):
            pass

        @dataclass
        class ModelPair:
            strong: str
            weak: str

        class Controller:
            """As RouteLLM's: names, signatures and flow."""

            def __init__(self, routers, strong_model, weak_model, api_base=None, api_key=None):
                self.model_pair = ModelPair(strong_model, weak_model)
                self.routers, self.api_base, self.api_key = routers, api_base, api_key
                self.chat = SimpleNamespace(completions=SimpleNamespace(create=self.completion, acreate=self.acompletion))

            def _validate_router_threshold(self, router, threshold):
                if router not in self.routers:
                    raise RoutingError("no such router")

            def _parse_model_name(self, model):
                _, router, threshold = model.split("-", 2)
                return router, float(threshold)

            def _get_routed_model_for_completion(self, messages, router, threshold):
                score = self.routers[router](messages[-1]["content"])
                return self.model_pair.strong if score >= threshold else self.model_pair.weak

            def completion(self, *, router=None, threshold=None, **kwargs):
                if "model" in kwargs:
                    router, threshold = self._parse_model_name(kwargs["model"])
                self._validate_router_threshold(router, threshold)
                kwargs["model"] = self._get_routed_model_for_completion(kwargs["messages"], router, threshold)
                return completion(api_base=self.api_base, api_key=self.api_key, **kwargs)

            async def acompletion(self, *, router=None, threshold=None, **kwargs):
                if "model" in kwargs:
                    router, threshold = self._parse_model_name(kwargs["model"])
                self._validate_router_threshold(router, threshold)
                kwargs["model"] = self._get_routed_model_for_completion(kwargs["messages"], router, threshold)
                return await acompletion(api_base=self.api_base, api_key=self.api_key, **kwargs)
    ''',
}


async def test_routellm(package: Any, captured: testing.Captured, providers: Any) -> None:
    """Against the real LiteLLM, and an upstream on a real socket."""

    def score(prompt: str) -> float:
        return 0.9 if "hard" in prompt else 0.1

    controller = package(ROUTELLM, "routellm.controller").Controller(
        {"mf": score},
        "openai/strong",
        "openai/weak",
        api_base=providers["alpha"].base + "/v1",
        api_key="none",
    )

    def asked(text: str, **more: Any) -> dict[str, Any]:
        return {"messages": [{"role": "user", "content": text}], "max_retries": 0, **more}

    answer = await controller.acompletion(router="mf", threshold=0.5, **asked("hard"))
    assert type(answer) is litellm.ModelResponse
    controller.chat.completions.create(model="router-mf-0.5", **asked("easy"))
    stream = await controller.acompletion(
        model="router-mf-0.5", **asked("easy stream", stream=True, stream_options={"include_usage": True})
    )
    assert isinstance(stream, litellm.CustomStreamWrapper)
    assert len([chunk async for chunk in stream]) > 2
    error = '{"upstreams": {"alpha": [{"status": 429}]}}'
    with pytest.raises(litellm.RateLimitError):
        await controller.acompletion(router="mf", threshold=0.5, **asked(error))
    record = providers["alpha"].record
    assert captured.value("llm_router.attempts", provider="openai") == record["attempts"] == 4
    assert captured.value("llm_router.attempts", error_type="rate_limit") == record["errors"] == 1
    for kind in ("input", "output"):
        assert captured.value("llm_router.tokens", type=kind, source="reported") == record[f"tokens.{kind}"], kind
    assert captured.value("llm_router.inference", status="success", strategy="routellm") == 3
    assert captured.value("llm_router.inference", status="error", strategy="routellm") == 1
    assert {(p.labels["model"], p.labels["reason"]): p.value for p in captured.points("llm_router.decisions")} == {
        ("strong", "mf"): 1,
        ("weak", "mf"): 3,
    }
    assert [span.name for span in captured.spans() if span.name.startswith("route")][:2] == [
        "route mf",
        "route router-mf-0.5",
    ]


def test_a_hook_of_ones_own_comes_before_the_profiles(package: Any, captured: testing.Captured) -> None:
    module = package(
        ROUTELLM, "routellm.controller", "routellm.controller:Controller.completion=request(strategy='mine')"
    )
    with pytest.raises(module.RoutingError):
        module.Controller({}, "a", "b").completion(router="none", messages=[])
    assert captured.value("llm_router.inference", strategy="mine") == captured.value("llm_router.inference") == 1
