"""The profiles that are shipped: what they say is right, and whom they are for."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from otel_llm_router import testing
from otel_llm_router.instrumentation import hooks
from otel_llm_router.instrumentation.hooks import _files, _profiles


@pytest.mark.parametrize("shipped", _profiles.SHIPPED, ids=lambda one: one.name)
def test_a_shipped_profile_is_right(shipped: _profiles.Shipped) -> None:
    profile, problems = _files.read(shipped.path)
    assert problems == []
    assert profile is not None
    assert profile.name == shipped.name
    named = {hook.target.module for hook in profile.hooks} | {target.module for target in profile.requires}
    assert named == set(shipped.modules)


def test_every_profile_is_shipped() -> None:
    assert {path.stem for path in _profiles.DIRECTORY.glob("*.yaml")} == {one.name for one in _profiles.SHIPPED}


def test_yaml_is_loaded_only_where_it_is_needed() -> None:
    code = (
        "import sys\n"
        "from otel_llm_router.instrumentation.hooks import HooksInstrumentor\n"
        "HooksInstrumentor().instrument(hooks='a:b=request')\n"
        "sys.exit('yaml' in sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


MUXER_LIKE = {
    "app/__init__.py": "",
    "app/providers/__init__.py": "",
    "app/providers/base.py": """
        def with_retries(coro_factory):
            return coro_factory
        class LLMProviderAdapter:
            def invoke(self, model): return model
            def stream_chat_completion(self): ...
            def invoke_stream(self): ...
        class SimpleCircuitBreaker:
            def is_open(self): ...
            def on_failure(self): ...
    """,
    "app/api/__init__.py": "",
    "app/api/routes/__init__.py": "",
    "app/api/routes/chat.py": "def chat_completions(request):\n    return request\n",
}


def test_an_app_that_is_another_one_is_left_alone(
    package: Any, captured: testing.Captured, caplog: pytest.LogCaptureFixture
) -> None:
    """Half of it looks like ModelMuxer."""
    chat = package(MUXER_LIKE, "app.api.routes.chat")
    base = importlib.import_module("app.providers.base")
    chat.chat_completions({"model": "m"})
    base.LLMProviderAdapter().invoke("m")
    assert captured.metric_names() == set()
    assert caplog.records == []
    router = sys.modules["app"].__path__[0] + "/router.py"
    Path(router).write_text("class Other:\n    pass\n")
    importlib.invalidate_caches()
    importlib.import_module("app.router")
    chat.chat_completions({"model": "m"})
    assert captured.metric_names() == set()
    assert type(chat.chat_completions).__name__ == type(base.with_retries).__name__ == "function"
    assert {one.state for one in hooks.status()} == {"not for this application"}
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []
