"""Requests through the hollow Router, and the order in which it is emptied and hooked."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from benchmarks.clocks import quiet
from benchmarks.hollow._callbacks import Recording
from benchmarks.hollow._router import Hollow
from benchmarks.router import Load


class HollowLoad(Load):
    """Sends requests to a hollow Router; `hollowed` makes one."""

    async def plain(self) -> None:
        """Send one request, and let what LiteLLM does after its answer be done."""
        await super().plain()
        await asyncio.sleep(0)

    async def stream(self) -> None:
        """Send one streamed request and read it to its end."""
        await super().stream()
        await asyncio.sleep(0)


async def hollowed(setup: Callable[[], None], *, callback: bool) -> HollowLoad:
    """Return a load on a hollow Router that ``setup`` watches.

    Args:
        setup: Switches a configuration on.
        callback: Whether it is a callback of LiteLLM's, which real requests must initialise and show what
            LiteLLM gives it; anything else hooks the hollow functions.
    """
    ours = _unhooked()
    if callback:
        setup()
    load = HollowLoad(None)
    hollow = await _observed(load)
    hollow.install()
    if not callback:
        setup()
    if ours is not None:
        ours.instrument()
    hollow.ready()
    return load


def _unhooked() -> Any:
    """Take the hooks of ours off again, and return what puts them on; None where they are not."""
    module: Any = sys.modules.get("otel_llm_router.instrumentation.litellm")
    if module is None:
        return None
    ours = module.LiteLLMInstrumentor()
    ours.uninstrument()
    return ours


async def _observed(load: Load) -> Hollow:
    """Return a hollow Router that answers as the real one does, after real, mocked requests."""
    litellm: Any = import_module("litellm")
    base: Any = import_module("litellm.integrations.custom_logger").CustomLogger
    router: Any = load.router
    await router.acompletion(**load.plain_body)  # a callback that is a name becomes an object
    await quiet()
    names = ("callbacks", "_async_success_callback", "input_callback", "success_callback")
    found = {id(one): one for name in names for one in getattr(litellm, name) if isinstance(one, base)}
    with Recording(list(found.values()), base) as recording:
        answer = await router.acompletion(**load.plain_body)
        recording.answered()
        await quiet()
        plain = recording.played()
        chunks = [chunk async for chunk in await router.acompletion(**load.stream_body)]
        recording.answered()
        await quiet()
        stream = recording.played()
    if litellm.callbacks and not (plain.after and stream.after):
        raise RuntimeError("LiteLLM has not called its callback")
    return Hollow(answer, chunks, plain, stream)
