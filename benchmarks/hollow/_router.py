"""LiteLLM's Router with hollow bodies: the same functions call each other, in the same order, with the same arguments.

``Router.acompletion`` → ``async_function_with_fallbacks`` → ``async_function_with_retries`` → ``make_call`` →
``_acompletion`` → ``async_get_available_deployment`` (→ ``async_get_healthy_deployments``) → ``litellm.acompletion`` →
``LLMCachingHandler.async_get_cache`` → ``Logging.pre_call`` → the openai SDK → for a stream ``CustomStreamWrapper`` and
the Router's own iterator around it → after the answer ``Logging.async_success_handler``.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Any, Final

from benchmarks.hollow._callbacks import Played
from benchmarks.hollow._openai import OpenAI

Call = Callable[..., Any]
COST: Final = 1e-5
"""What LiteLLM says every answer costs, USD."""


class Hollow:
    """Replaces the bodies; see the module.

    Args:
        answer: The complete answer, as LiteLLM returns it.
        chunks: The chunks of a stream, as LiteLLM returns them.
        plain: What LiteLLM's callbacks get for a plain request.
        stream: The same for a stream.
    """

    def __init__(self, answer: Any, chunks: Sequence[Any], plain: Played, stream: Played) -> None:
        self._answer = answer
        self._chunks = list(chunks)
        self._played = {False: plain, True: stream}
        self._openai = OpenAI(answer, chunks)
        self._tasks: set[asyncio.Task[None]] = set()
        self._litellm: Any = import_module("litellm")
        self._logging: Any = import_module("litellm.litellm_core_utils.litellm_logging").Logging
        self._caching: Any = import_module("litellm.caching.caching_handler").LLMCachingHandler
        self._wrapper: Any = import_module("litellm.litellm_core_utils.streaming_handler").CustomStreamWrapper
        self._client: Any = None
        self._turn = itertools.count()

    def install(self) -> None:
        """Replace the bodies of the classes; nothing may have hooked them yet.

        Raises:
            RuntimeError: this LiteLLM has no such function.
        """
        router = self._litellm.Router
        for owner, body in (
            *((router, body) for body in self._router_bodies()),
            (self._caching, self._async_get_cache()),
            *((self._logging, body) for body in self._logging_bodies()),
            *((self._wrapper, body) for body in self._stream_bodies()),
        ):
            _replace(owner, body)
        hollow = functools.wraps(self._litellm.acompletion)(self._acompletion())
        main: Any = import_module("litellm.main")
        self._litellm.acompletion = main.acompletion = hollow
        self._openai.install()

    def ready(self) -> None:
        """Everything is hooked that will be."""
        self._client = self._openai.client()

    def _router_bodies(self) -> list[Call]:
        litellm = self._litellm

        async def acompletion(self: Any, model: str, messages: list[Any], stream: bool = False, **kwargs: Any) -> Any:
            kwargs |= {"model": model, "messages": messages, "stream": stream, "original_function": self._acompletion}
            kwargs |= {"litellm_trace_id": "benchmark", "metadata": {"model_group": model}}
            return await self.async_function_with_fallbacks(**kwargs)

        async def async_function_with_fallbacks(self: Any, *args: Any, **kwargs: Any) -> Any:
            return await self.async_function_with_retries(*args, **kwargs)

        async def async_function_with_retries(self: Any, *args: Any, **kwargs: Any) -> Any:
            original = kwargs.pop("original_function")
            return await self.make_call(original, *args, **kwargs)

        async def make_call(self: Any, original_function: Call, *args: Any, **kwargs: Any) -> Any:  # noqa: ARG001
            return await original_function(*args, **kwargs)

        async def _acompletion(self: Any, model: str, messages: list[Any], **kwargs: Any) -> Any:
            chosen = await self.async_get_available_deployment(
                model=model, messages=messages, specific_deployment=None, request_kwargs=kwargs
            )
            params = chosen["litellm_params"]
            kwargs["metadata"] |= {"deployment": params["model"], "model_info": chosen["model_info"], "api_base": None}
            kwargs["model_info"] = chosen["model_info"]
            answer = await litellm.acompletion(**{**params, "messages": messages, "caching": None, **kwargs})
            if kwargs["stream"]:
                return await self._acompletion_streaming_iterator(
                    model_response=answer, messages=messages, initial_kwargs=kwargs
                )
            return answer

        turn = self._turn

        async def async_get_available_deployment(self: Any, model: str, request_kwargs: Any, **kwargs: Any) -> Any:
            healthy = await self.async_get_healthy_deployments(model=model, request_kwargs=request_kwargs, **kwargs)
            return healthy[next(turn) % len(healthy)]

        async def async_get_healthy_deployments(self: Any, model: str, request_kwargs: Any, **kwargs: Any) -> Any:  # noqa: ARG001
            return self.model_list

        return [
            acompletion,
            async_function_with_fallbacks,
            async_function_with_retries,
            make_call,
            _acompletion,
            async_get_available_deployment,
            async_get_healthy_deployments,
        ]

    def _acompletion(self) -> Call:
        answer, litellm = self._answer, self._litellm

        async def acompletion(model: str, messages: list[Any], stream: bool = False, **kwargs: Any) -> Any:
            name = model.partition("/")[2]
            logging = self._new_logging(name, messages, stream)
            handler = self._caching.__new__(self._caching)
            await handler.async_get_cache(
                model=model,
                original_function=litellm.acompletion,
                logging_obj=logging,
                start_time=None,
                call_type="acompletion",
                kwargs={"model": model, "messages": messages, "stream": stream, **kwargs},
                args=(),
            )
            for call in self._played[stream].before:
                await call.again()
            data = {"model": name, "messages": messages, "stream": stream}
            if stream:
                data["stream_options"] = kwargs["stream_options"]
            logging.pre_call(input=messages, api_key="", additional_args={"complete_input_dict": data})
            raw = await self._client.chat.completions.with_raw_response.create(**data, timeout=600)
            parsed = raw.parse()
            if stream:
                return self._wrapper(
                    completion_stream=parsed,
                    model=name,
                    custom_llm_provider="openai",
                    logging_obj=logging,
                    stream_options=kwargs["stream_options"],
                )
            self._after(logging, answer)
            return answer

        return acompletion

    def _new_logging(self, model: str, messages: list[Any], stream: bool) -> Any:
        logging = self._logging.__new__(self._logging)
        logging.model, logging.messages, logging.stream = model, messages, stream
        logging.call_type, logging.completion_start_time = "acompletion", None
        logging.model_call_details = {"model": model, "stream": stream, "litellm_params": {}, "response_cost": COST}
        return logging

    def _after(self, logging: Any, result: Any) -> None:
        """What LiteLLM does once the answer is there, in a task of its own."""
        task = asyncio.create_task(logging.async_success_handler(result, None, None, False))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _async_get_cache(self) -> Call:
        async def async_get_cache(self: Any, **kwargs: Any) -> None:
            """Find nothing: there is no cache."""

        return async_get_cache

    def _logging_bodies(self) -> list[Call]:
        played = self._played

        def pre_call(self: Any, input: Any, api_key: Any, model: Any = None, additional_args: Any = None) -> None:  # noqa: A002
            """Do nothing."""

        async def async_success_handler(self: Any, *_args: Any, **_kwargs: Any) -> None:
            for call in played[self.stream].after:
                await call.again()

        return [pre_call, async_success_handler]

    def _stream_bodies(self) -> list[Call]:
        chunks, after = self._chunks, self._after

        def __init__(  # noqa: N807
            self: Any, completion_stream: Any, model: Any, logging_obj: Any, custom_llm_provider: Any = None, **_: Any
        ) -> None:
            self.completion_stream, self.model, self.logging_obj = completion_stream, model, logging_obj
            self.custom_llm_provider, self.chunks = custom_llm_provider, []
            self._hidden_params, self._response_headers = {}, None

        async def __anext__(self: Any) -> Any:  # noqa: N807
            try:
                await self.completion_stream.__anext__()
            except StopAsyncIteration:
                after(self.logging_obj, None)
                raise
            chunk = chunks[len(self.chunks)]
            self.chunks.append(chunk)
            return chunk

        return [__init__, __anext__]


def _replace(owner: type, body: Call) -> None:
    """Put a body in the place of the function of its name, in the class that defines it."""
    name = body.__name__
    place = next((base for base in owner.__mro__ if name in vars(base)), object)
    if place is object:
        raise RuntimeError(f"{owner.__name__} has no {name}")
    original: Call = vars(place)[name]
    setattr(place, name, functools.wraps(original)(body))
