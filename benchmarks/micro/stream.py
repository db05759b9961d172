"""What we add to each chunk of a stream, CPU us: a stream read as it is, and one read through us.

A generator, an asynchronous generator, a stream object behind its proxy, and a LiteLLM Router's stream, which
is a stream of the Router around one of the provider's. What beginning and ending a stream costs is taken out
by reading long ones and short ones. The provider's chunks are there beforehand, and LiteLLM is spared turning
them into its own: that takes a hundred times of what we add, and would drown it.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Generator, Iterable, Iterator
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Final

from benchmarks.micro._passes import Passes, expect
from otel_llm_router import telemetry, testing
from otel_llm_router.instrumentation.litellm import LiteLLMInstrumentor

SHORT: Final = 100
LONG: Final = 1_100

Read = Callable[[int, bool], Coroutine[Any, Any, int]]
"""Reads a stream of so many chunks, as it is or through us, and returns how many came."""


def chunk(content: str | None, finish: str | None = None) -> Any:
    """Return a chunk of OpenAI's shape."""
    choice = SimpleNamespace(index=0, delta=SimpleNamespace(role=None, content=content), finish_reason=finish)
    return SimpleNamespace(id="chatcmpl-1", model="gpt-4o-mini", choices=[choice], usage=None)


_CONTENT: Final = chunk("token")
_END: Final = chunk(None, "stop")


class Events:
    """A stream class such as a provider's SDK has."""

    def __init__(self, chunks: Iterator[Any]) -> None:
        self._chunks = chunks

    def __iter__(self) -> Iterator[Any]:
        return self._chunks


def events(number: int) -> Generator[Any]:
    """Yield the chunks of an answer."""
    for _ in range(number):
        yield _CONTENT
    yield _END


async def async_events(number: int) -> AsyncGenerator[Any]:
    """Yield the same, asynchronously."""
    for _ in range(number):
        yield _CONTENT
    yield _END


def through_us(stream: Any) -> Any:
    """Return what an application hands to its client."""
    with telemetry.request(model="smart") as request:
        return request.stream(stream, model="gpt-4o-mini", provider="openai")


def count(stream: Iterable[Any]) -> int:
    """Read a stream to its end."""
    return sum(1 for _ in stream) - 1


async def generator(number: int, measured: bool) -> int:
    """Read a generator."""
    stream = events(number)
    return count(through_us(stream) if measured else stream)


async def async_generator(number: int, measured: bool) -> int:
    """Read an asynchronous generator."""
    stream: AsyncIterator[Any] = async_events(number)
    if measured:
        stream = through_us(stream)
    found = 0
    async for _ in stream:
        found += 1
    return found - 1


async def stream_object(number: int, measured: bool) -> int:
    """Read a stream object."""
    stream = Events(events(number))
    return count(through_us(stream) if measured else stream)


def _as_it_is(_stream: Any, chunk: Any) -> Any:
    return chunk


class Router:
    """A LiteLLM Router whose provider answers at once, with chunks that are LiteLLM's already."""

    def __init__(self) -> None:
        litellm: Any = import_module("litellm")
        types: Any = import_module("litellm.types.utils")
        litellm.suppress_debug_info = True
        logging.getLogger("LiteLLM").setLevel(logging.ERROR)
        params = {"model": "openai/gpt-4o-mini", "api_key": "sk-benchmark"}
        self._router: Any = litellm.Router(model_list=[{"model_name": "smart", "litellm_params": params}])
        self._instrumentor = LiteLLMInstrumentor()
        self._instrumented = False
        part = types.ModelResponseStream(choices=[types.StreamingChoices(delta=types.Delta(content="token"))])

        async def provider(*_args: Any, mock_response: str, **_kwargs: Any) -> AsyncGenerator[Any]:
            for _ in mock_response:
                yield part

        wrapper: Any = import_module("litellm.litellm_core_utils.streaming_handler").CustomStreamWrapper
        main: Any = import_module("litellm.main")
        main.async_mock_completion_streaming_obj = provider
        wrapper.chunk_creator = _as_it_is

    async def read(self, number: int, measured: bool) -> int:
        """Read the Router's stream to the answer's end, before LiteLLM puts the chunks together."""
        if measured is not self._instrumented:
            self._instrumented = measured
            if measured:
                self._instrumentor.instrument(skip_dep_check=True)
            else:
                self._instrumentor.uninstrument()
        stream = await self._router.acompletion(
            "smart", [{"role": "user", "content": "?"}], stream=True, mock_response="x" * number
        )
        found = 0
        async for part in stream:
            found += 1
            if part.choices[0].finish_reason:
                break
        await stream.aclose()
        return found - 1


def measure(*, quick: bool) -> Passes:
    """Measure; see the module."""
    passes = 5 if quick else 25
    found: Passes = {}
    with testing.capture(fast_path=True) as captured:
        readers: dict[str, tuple[Read, int]] = {
            "generator": (generator, 10),
            "async generator": (async_generator, 10),
            "stream object": (stream_object, 10),
            "LiteLLM Router": (Router().read, 10),
        }
        for name, (read, streams) in readers.items():
            found[f"chunk, {name}"] = [asyncio.run(_added(read, streams)) for _ in range(-1, passes)][1:]
        # What was measured must have measured.
        given = 3 * sum(streams for _, streams in readers.values()) * (passes + 1)
        expect("streams", captured.value("llm_router.inference", status="success"), given)
        expect("first chunks", captured.count("llm_router.time_to_first_token"), given)
        chunks = given // 3 * (2 * SHORT + LONG)
        expect("chunks", captured.value("llm_router.tokens", type="output", source="estimated"), chunks)
    return found


async def _added(read: Read, streams: int) -> float:
    """Return the microseconds that a chunk costs more through us: by the cheapest stream of each kind."""
    spent = dict.fromkeys(((length, measured) for length in (SHORT, LONG) for measured in (False, True)), math.inf)
    gc.collect()
    gc.disable()
    try:
        for _ in range(streams):
            for measured in (False, True):
                expect("chunks", await read(SHORT, measured), SHORT)  # what was patched a moment ago has to warm up
                for length in (SHORT, LONG):
                    began = time.process_time()
                    seen = await read(length, measured)
                    spent[length, measured] = min(spent[length, measured], time.process_time() - began)
                    expect("chunks", seen, length)
    finally:
        gc.enable()
    added = {length: spent[length, True] - spent[length, False] for length in (SHORT, LONG)}
    return (added[LONG] - added[SHORT]) / (LONG - SHORT) * 1e6
