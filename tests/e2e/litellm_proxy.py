"""A LiteLLM proxy as people configure it: three providers, a fallback, a Redis cache, keys of two teams."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from fakeredis import TcpFakeServer

from running import BIN, Application, environment, free_port

MASTER = "sk-master-0123456789abcdef0123456789abcdef"

AUTH = """
import litellm
from fastapi import HTTPException, Request
from litellm.proxy._types import UserAPIKeyAuth

KEYS = {
    "sk-red-1": {"team_id": "t-red", "team_alias": "red", "user_id": "rosa", "key_alias": "red-1",
                 "team_max_budget": 50.0, "team_spend": 20.0},
    "sk-blue-1": {"team_id": "blue", "user_id": "bert", "max_budget": 10.0, "spend": 2.5},
    "sk-slow-1": {"team_id": "blue", "user_id": "sam", "key_alias": "slow-1", "rpm_limit": 2},
}


async def check(request: Request, api_key: str) -> UserAPIKeyAuth:
    key = api_key.removeprefix("Bearer ")
    if key == "sk-broke-1":
        raise litellm.BudgetExceededError(current_cost=3.0, max_budget=2.0)
    if key == "sk-guest-1":
        raise HTTPException(403, "guests may not")
    if key not in KEYS:
        raise HTTPException(401, "who is that?")
    return UserAPIKeyAuth(api_key=key, **KEYS[key])
"""


def _deployment(group: str, identifier: str, base: str, **parameters: Any) -> dict[str, Any]:
    own = {"model": f"openai/{identifier.partition('-')[0]}-model", "api_base": f"{base}/v1", "api_key": "sk-upstream"}
    return {"model_name": group, "litellm_params": own | parameters, "model_info": {"id": identifier}}


def write(directory: Path, bases: Mapping[str, str], redis_port: int) -> Path:
    """Write the configuration and what it names; return its path."""
    config = {
        "model_list": [
            _deployment("smart", "alpha-1", bases["alpha"], input_cost_per_token=1e-6, output_cost_per_token=2e-6),
            _deployment("backup", "beta-1", bases["beta"], input_cost_per_token=1e-6, output_cost_per_token=2e-6),
            _deployment("lone", "gamma-1", bases["gamma"]),
            _deployment("cooling", "gamma-2", bases["gamma"]),
            _deployment("cooling", "gamma-3", bases["gamma"]),
        ],
        "router_settings": {
            "num_retries": 2,
            "retry_after": 0,
            "cooldown_time": 2,
            "fallbacks": [{"smart": ["backup"]}],
            "provider_budget_config": {"openai": {"budget_limit": 1000.0, "time_period": "1d"}},
        },
        "litellm_settings": {
            "cache": True,
            "cache_params": {"type": "redis", "host": "127.0.0.1", "port": redis_port},
        },
        "general_settings": {"master_key": MASTER, "custom_auth": "custom_auth.check"},
    }
    (directory / "custom_auth.py").write_text(AUTH)
    path = directory / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


@contextmanager
def redis() -> Generator[int]:
    """A server that speaks Redis's protocol; its port."""
    server = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@contextmanager
def proxy(directory: Path, config: Path, **variables: str) -> Generator[Application]:
    """Start the proxy by ``otel-llm-router run``; it is ended at the end of the block."""
    port, scrape_port, log = free_port(), free_port(), directory / "proxy.log"
    command = [BIN / "otel-llm-router", "run", "--port", str(scrape_port), "--attribution", "team,user,key", "--"]
    command += ["litellm", "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    own = {"PATH": f"{BIN}:{os.environ['PATH']}", "OTEL_LOGS_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "prometheus"}
    with log.open("wb") as out:
        process = subprocess.Popen(command, cwd=directory, env=environment(**own, **variables), stdout=out, stderr=out)
    found = Application(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{scrape_port}/metrics", log)
    try:
        _wait(found)
        yield found
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
        if process.poll() is None:
            process.kill()
            process.wait()


def _wait(found: Application) -> None:
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and found.process.poll() is None:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{found.base}/health/liveliness").status_code == 200:
                return
        time.sleep(0.1)
    pytest.fail(f"it did not start (exit code {found.process.poll()}):\n{found.said()[-4000:]}")
