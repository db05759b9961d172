"""What all tests share: upstream providers on real sockets."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any

import pytest
import uvicorn

from otel_llm_router.cli.demo._upstream import Upstream

# LiteLLM otherwise fetches its price table from the network when it is imported.
os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"

# A shell starts what runs in its background deaf to these two, and all that is started by that.
for _number, _handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGQUIT, signal.SIG_DFL)):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, _handler)


@pytest.fixture(scope="module", autouse=True)
def what_is_there_is_not_gone_through() -> None:
    """Tests collect garbage to see that nothing of theirs is left; all of LiteLLM need not be looked at each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], Awaitable[bool]]:
    """Wait until a condition holds; False when it does not within ten seconds."""

    async def wait(condition: Callable[[], object]) -> bool:
        for _ in range(1000):
            if condition():
                return True
            await asyncio.sleep(0.01)
        return False

    return wait


@pytest.fixture(scope="session")
def serve() -> Generator[Any]:
    """Serve ASGI applications in threads until the end of the session."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: Any, **options: Any) -> str:
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        # On a slow machine a connection may idle for seconds; that it is then closed is not what is tested.
        settings: dict[str, Any] = {
            "http": "h11",
            "log_level": "critical",
            "access_log": False,
            "lifespan": "off",
            "timeout_keep_alive": 60,
            **options,
        }
        server = uvicorn.Server(uvicorn.Config(app, **settings))
        thread = threading.Thread(target=lambda: server.run(sockets=[listening]), daemon=True)
        thread.start()
        running.append((server, thread))
        while not server.started:
            time.sleep(0.01)
        return f"http://127.0.0.1:{listening.getsockname()[1]}"

    yield start
    for server, _ in running:
        server.should_exit = server.force_exit = True
    deadline = time.monotonic() + 10
    for _, thread in running:  # an older uvicorn waits for connections that nobody ends; its threads are daemons
        thread.join(max(0.0, deadline - time.monotonic()))


@dataclass
class Provider:
    """An upstream provider, where it listens, and its own record of what it served."""

    name: str
    base: str
    upstream: Upstream

    @property
    def record(self) -> Any:
        return self.upstream.record


@pytest.fixture(scope="session")
def _providers(serve: Any) -> dict[str, Provider]:
    upstreams = {name: Upstream(name) for name in ("alpha", "beta", "gamma")}
    return {name: Provider(name, serve(upstream.app), upstream) for name, upstream in upstreams.items()}


@pytest.fixture
def providers(_providers: dict[str, Provider]) -> dict[str, Provider]:
    """Three upstream providers with an empty record."""
    for provider in _providers.values():
        # Another one: what a test before left behind may still be ended, and says so there.
        provider.upstream.record = Counter()
    return _providers
