"""An application shaped like ModelMuxer: the same modules, classes and flow, in our own few lines.

ModelMuxer's licence lets nobody ship it. What is the same as there: names of modules, classes and methods,
their signatures, what calls what, where retries happen, how failures are turned into answers.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

FILES = {
    "app/__init__.py": "",
    "app/api/__init__.py": "",
    "app/api/routes/__init__.py": "",
    "app/providers/__init__.py": "",
    "app/core/__init__.py": "",
    "app/models.py": """
        from typing import Any
        from pydantic import BaseModel

        class ChatMessage(BaseModel):
            role: str
            content: str | None = None

        class ChatCompletionRequest(BaseModel):
            model: str | None = None
            messages: list[ChatMessage]
            stream: bool = False
            max_tokens: int | None = None
    """,
    "app/core/exceptions.py": """
        class NoProvidersAvailableError(Exception):
            pass

        class BudgetExceededError(Exception):
            def __init__(self, message, limit=None, estimates=None, reason=None):
                super().__init__(message)
                self.message, self.limit, self.reason = message, limit, reason
    """,
    "app/core/intent.py": """
        async def classify_intent(messages):
            import app.providers.registry as registry
            if "classify" not in (messages[-1].content or ""):
                return {"label": "chat", "method": "heuristic"}
            adapter = registry.get_provider_registry()["alpha"]
            answer = await adapter.invoke(model="classifier", messages=messages)
            return {"label": answer.output_text[:10] if not answer.error else "unknown", "method": "cheap_llm"}
    """,
    "app/providers/base.py": """
        import asyncio, json, time
        from abc import ABC, abstractmethod
        from collections.abc import AsyncGenerator
        from dataclasses import dataclass
        from typing import Any

        class ProviderError(Exception):
            def __init__(self, message, status_code=None, provider=None):
                super().__init__(message)
                self.status_code = status_code

        @dataclass
        class ProviderResponse:
            output_text: str
            tokens_in: int
            tokens_out: int
            latency_ms: int
            raw: Any = None
            error: str | None = None

        async def with_retries(coro_factory, *, max_attempts, base_s, retry_on):
            attempt, last = 0, None
            while attempt < max_attempts:
                attempt += 1
                try:
                    return await coro_factory(attempt)
                except retry_on as error:
                    last = error
                    if attempt >= max_attempts:
                        break
                    await asyncio.sleep(base_s)
            raise last

        def build_stream_chunk(*, model, content=None, role=None, finish_reason=None):
            delta = {}
            if role is not None:
                delta["role"] = role
            if content is not None:
                delta["content"] = content
            return {"id": "c", "model": model, "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}]}

        class SimpleCircuitBreaker:
            def __init__(self, fail_threshold=3, cooldown_sec=30):
                self.failures, self.open_until = 0, 0.0
                self.fail_threshold, self.cooldown_sec = fail_threshold, cooldown_sec

            def is_open(self) -> bool:
                return time.time() < self.open_until

            def on_failure(self) -> None:
                self.failures += 1
                if self.failures >= self.fail_threshold:
                    self.open_until = time.time() + self.cooldown_sec

            def on_success(self) -> None:
                self.failures, self.open_until = 0, 0.0

        class LLMProviderAdapter(ABC):
            @abstractmethod
            async def invoke(self, model: str, messages: list, **kwargs: Any) -> ProviderResponse:
                raise NotImplementedError

            @abstractmethod
            def get_supported_models(self) -> list[str]:
                raise NotImplementedError

            async def invoke_stream(self, model, messages, max_tokens=None, **kwargs) -> AsyncGenerator[dict, None]:
                answer = await self.invoke(model=model, messages=messages)
                if answer.error:
                    raise ProviderError(answer.error)
                yield build_stream_chunk(model=model, role="assistant", content="")
                yield build_stream_chunk(model=model, content=answer.output_text)
                yield build_stream_chunk(model=model, finish_reason="stop")

            async def stream_chat_completion(self, messages, model, max_tokens=None, **kwargs) -> AsyncGenerator[dict, None]:
                async for chunk in self.invoke_stream(model=model, messages=messages, max_tokens=max_tokens, **kwargs):
                    yield chunk
    """,
    "app/providers/adapters.py": '''
        import json, time
        import httpx
        from app.providers.base import (
            LLMProviderAdapter, ProviderError, ProviderResponse, SimpleCircuitBreaker, build_stream_chunk, with_retries,
        )

        class PlainAdapter(LLMProviderAdapter):
            """Cannot stream by itself."""

            def __init__(self, base_url: str) -> None:
                self.base_url, self.circuit = base_url, SimpleCircuitBreaker()
                self._client = httpx.AsyncClient(timeout=5)

            def _payload(self, model, messages, **more):
                return {"model": model, "messages": [message.model_dump() for message in messages], **more}

            async def invoke(self, model, messages, **kwargs):
                start = time.perf_counter()
                if self.circuit.is_open():
                    return ProviderResponse("", 0, 0, 0, error="circuit_open")
                try:
                    async def make_request(attempt: int):
                        resp = await self._client.post(f"{self.base_url}/v1/chat/completions", json=self._payload(model, messages))
                        try:
                            resp.raise_for_status()
                        except httpx.HTTPStatusError as e:
                            if e.response.status_code == 429 or e.response.status_code >= 500:
                                raise httpx.RequestError("Retryable", request=e.request) from e
                            raise
                        data = resp.json()
                        self.circuit.on_success()
                        usage = data.get("usage", {})
                        return ProviderResponse(
                            data["choices"][0]["message"]["content"],
                            int(usage.get("prompt_tokens", 0)),
                            int(usage.get("completion_tokens", 0)),
                            int((time.perf_counter() - start) * 1000),
                            raw=data,
                        )

                    return await with_retries(
                        make_request, max_attempts=3, base_s=0.01, retry_on=(httpx.TimeoutException, httpx.RequestError)
                    )
                except Exception as e:
                    self.circuit.on_failure()
                    return ProviderResponse("", 0, 0, 0, error=str(e) or "request_failed")

            def get_supported_models(self) -> list[str]:
                return []

        class AlphaAdapter(PlainAdapter):
            """Streams."""

            async def invoke_stream(self, model, messages, max_tokens=None, **kwargs):
                if self.circuit.is_open():
                    raise ProviderError("circuit_open", provider="alpha")
                if model == "o1":
                    async for chunk in super().invoke_stream(model=model, messages=messages):
                        yield chunk
                    return
                try:
                    payload = self._payload(model, messages, stream=True)
                    async with self._client.stream("POST", f"{self.base_url}/v1/chat/completions", json=payload) as resp:
                        resp.raise_for_status()
                        async for line in resp.aiter_lines():
                            if not line.startswith("data: "):
                                continue
                            if line[6:] == "[DONE]":
                                break
                            event = json.loads(line[6:])
                            for choice in event["choices"]:
                                if choice["delta"].get("content"):
                                    yield build_stream_chunk(model=event["model"], content=choice["delta"]["content"])
                    self.circuit.on_success()
                    yield build_stream_chunk(model=model, finish_reason="stop")
                except httpx.HTTPStatusError as e:
                    self.circuit.on_failure()
                    raise ProviderError("no", status_code=e.response.status_code) from e
                except Exception as e:
                    self.circuit.on_failure()
                    raise ProviderError(str(e)) from e

        class BetaAdapter(PlainAdapter):
            pass
    ''',
    "app/providers/registry.py": """
        import os
        from app.providers.adapters import AlphaAdapter, BetaAdapter

        _registry = {"alpha": AlphaAdapter(os.environ["ALPHA"]), "beta": BetaAdapter(os.environ["BETA"])}

        def get_provider_registry():
            return _registry
    """,
    "app/router.py": """
        import logging
        from app.core.exceptions import BudgetExceededError, NoProvidersAvailableError
        from app.core.intent import classify_intent
        from app.models import ChatMessage
        from app.providers.base import LLMProviderAdapter, ProviderResponse

        class HeuristicRouter:
            def __init__(self, provider_registry_fn=None):
                self.provider_registry_fn = provider_registry_fn

            async def select_model(
                self, messages, user_id=None, budget_constraint=None, max_tokens=None, requested_model=None
            ) -> tuple:
                text = messages[-1].content or ""
                intent = await classify_intent(messages)
                intent["task_type"] = "code" if "def " in text else "general"
                if "expensive" in text:
                    raise BudgetExceededError("too much", limit=0.1, reason="no_affordable_available")
                provider = "beta" if "to beta" in text else "alpha"
                model = "o1" if "to o1" in text else "large" if intent["task_type"] == "code" else "small"
                reason = f"Task type: {intent['task_type']} (confidence: {len(text) / 1000:.3f})"
                return provider, model, reason, intent, {"usd": 0.002, "eta_ms": 10, "tokens_in": 1, "tokens_out": 2}

            async def invoke_via_adapter(self, provider: str, model: str, messages, **kwargs) -> ProviderResponse:
                adapter = self.provider_registry_fn().get(provider)
                if not adapter:
                    raise NoProvidersAvailableError(provider)
                return await adapter.invoke(model=model, messages=messages, **kwargs)
    """,
    "app/api/routes/chat.py": '''
        import json
        from fastapi import APIRouter, Depends, HTTPException
        from fastapi.responses import JSONResponse, StreamingResponse
        import app.main as app_main
        from app.core.exceptions import BudgetExceededError
        from app.main import get_authenticated_user
        from app.models import ChatCompletionRequest
        from app.providers.base import ProviderError

        router = APIRouter()

        @router.post("/v1/chat/completions")
        async def chat_completions(request: ChatCompletionRequest, user_info: dict = Depends(get_authenticated_user)):
            """Create a chat completion."""
            try:
                active = app_main.HeuristicRouter(provider_registry_fn=app_main.providers_registry.get_provider_registry)
                try:
                    provider_name, model_name, reason, intent, estimate = await active.select_model(
                        messages=request.messages, user_id=user_info["user_id"], requested_model=request.model
                    )
                except BudgetExceededError as e:
                    raise HTTPException(status_code=402, detail="budget") from e
                if request.stream:
                    return StreamingResponse(
                        stream_chat_completion(provider_name, request, model_name), media_type="text/event-stream"
                    )
                answer = await active.invoke_via_adapter(
                    provider=provider_name, model=model_name, messages=request.messages, max_tokens=request.max_tokens
                )
                if answer.error:
                    raise ProviderError(answer.error)
                return JSONResponse({"text": answer.output_text}, headers={"X-Route-Decision": f"{provider_name}:{model_name}"})
            except ProviderError as e:
                raise HTTPException(status_code=502, detail="provider") from e

        async def stream_chat_completion(provider_name, request, model_name):
            try:
                provider = app_main.providers_registry.get_provider_registry()[provider_name]
                async for chunk in provider.stream_chat_completion(messages=request.messages, model=model_name):
                    yield f"data: {json.dumps(chunk)}\\n\\n"
                yield "data: [DONE]\\n\\n"
            except Exception:
                yield 'data: {"error": {"type": "provider_error"}}\\n\\n'
    ''',
    "app/main.py": """
        from fastapi import FastAPI
        import app.providers.registry as providers_registry
        from app.router import HeuristicRouter

        app = FastAPI()

        async def get_authenticated_user():
            return {"user_id": "someone"}

        from app.api.routes import chat as _chat_routes

        app.include_router(_chat_routes.router)
        chat_completions = _chat_routes.chat_completions
    """,
}


def write(directory: Path) -> Path:
    """Write the application into ``directory``, and return it."""
    for name, text in FILES.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
    return directory
