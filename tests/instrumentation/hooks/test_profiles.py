"""The profiles that are shipped: what they say is right, and whom they are for."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_llm_router import testing
from otel_llm_router.instrumentation import hooks
from otel_llm_router.instrumentation.hooks import HooksInstrumentor, _files, _kinds, _profiles


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


@pytest.mark.parametrize(("declared", "unneeded"), [("a:b=request", "yaml"), ("", "hooks._wrapping")])
def test_what_is_not_needed_is_not_imported(declared: str, unneeded: str) -> None:
    code = (
        "import sys\n"
        "from otel_llm_router.instrumentation.hooks import HooksInstrumentor\n"
        f"HooksInstrumentor().instrument(hooks={declared!r})\n"
        f"sys.exit(any(name.endswith({unneeded!r}) for name in sys.modules))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_page_has_every_kind_and_value() -> None:
    page = (Path(__file__).parents[3] / "docs" / "hooks.md").read_text()
    for kind in _kinds.KINDS.values():
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{kind.name}` | {kind.says} |")]
        for name, what in kind.values.items():
            assert f"`{name}`: {what}" in row


async def test_the_page_works(
    package: Any, captured: testing.Captured, tmp_path: Path, declare: Callable[..., None]
) -> None:
    """What the page has people write, on the router that it shows."""
    page = (Path(__file__).parents[3] / "docs" / "hooks.md").read_text()
    python, *_ = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    yaml, *_ = re.findall(r"^   ```yaml\n(.*?)^   ```", page, re.MULTILINE | re.DOTALL)
    (variable,) = re.findall(r"OTEL_LLM_ROUTER_HOOKS='(.*)'", page)
    client = (
        "\n\nclass Client:\n    async def ask(self, model, messages):\n        return {'usage': {'prompt_tokens': 3}}\n"
    )
    body = {"model": "smart", "messages": [{"role": "user", "content": "hi"}]}
    for name, hooks_text, hooks_file in (("my_router", variable, ""), ("my_router_2", "", yaml)):
        (tmp_path / f"{name}.py").write_text(python + client)
        HooksInstrumentor().uninstrument()
        declare(hooks_text, hooks_file.replace("my_router:", f"{name}:"))
        module = package({}, name)
        router = module.Router()
        router.client = module.Client()
        assert await router.chat(body) == {"usage": {"prompt_tokens": 3}}
    assert captured.value("llm_router.inference", model="gpt-4o-mini", status="success") == 2
    assert captured.value("llm_router.decisions", model="gpt-4o-mini") == 2
    assert captured.value("llm_router.decisions", strategy="by length", reason="length") == 1
    assert captured.value("llm_router.attempts", provider="openai", model="gpt-4o-mini") == 1
    assert captured.value("llm_router.tokens", type="input") == 6


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
    assert not [name for name in captured.metric_names() if name.startswith("llm_router.")]
    assert caplog.records == []
    router = sys.modules["app"].__path__[0] + "/router.py"
    Path(router).write_text("class Other:\n    pass\n")
    importlib.invalidate_caches()
    importlib.import_module("app.router")
    chat.chat_completions({"model": "m"})
    assert not [name for name in captured.metric_names() if name.startswith("llm_router.")]
    assert type(chat.chat_completions).__name__ == type(base.with_retries).__name__ == "function"
    assert {one.state for one in hooks.status()} == {"not for this application"}
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []
