"""What is wrong with a hook is said once, with what is allowed, and costs the application nothing."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from otel_llm_router import testing
from otel_llm_router.instrumentation import hooks
from otel_llm_router.instrumentation.hooks import HooksInstrumentor
from otel_llm_router.telemetry import _guard

Hooked = Callable[..., Any]

SOURCE = """
    class Router:
        setting = 3

        @property
        def model(self):
            return "m"

        def pick(self, request):
            return request

        def steps(self):
            yield 1

    def route(x):
        return x
"""


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize(
    ("hook", "parts"),
    [
        (
            "@:Router.pikc=decision",
            ("class Router has no pikc (did you mean pick?)", "it has model, pick, setting, steps"),
        ),
        ("@:Rooter.pick=decision", ("has no Rooter (did you mean Router?)",)),
        ("@:Router.setting=decision", ("of type int", "something to call")),
        ("@:Router.model=decision", ("of type property", "something to call")),
        ("@:Router.steps=decision", ("is a generator function, and kind decision takes none",)),
        ("@:route(callback)=attempt", ("has no argument callback",)),
    ],
)
def test_a_hook_that_does_not_fit_its_module(
    hooked: Hooked,
    captured: testing.Captured,
    caplog: pytest.LogCaptureFixture,
    hook: str,
    parts: tuple[str, ...],
) -> None:
    module = hooked(SOURCE, f"{hook},@:Router.pick=scope")
    (said,) = warnings(caplog)
    named = hook.replace("@", module.__name__)
    for part in (f"hook {named} (OTEL_LLM_ROUTER_HOOKS) is wrong", *parts, "docs/hooks.md"):
        assert part in said
    assert module.Router().pick(1) == 1
    assert {status.hook: (status.state, status.calls) for status in hooks.status()} == {
        named: ("wrong", 0),
        f"{module.__name__}:Router.pick=scope": ("in place", 1),
    }
    degraded = {point.labels["hook"]: point.value for point in captured.points("llm_router.instrumentation.degraded")}
    assert degraded == {named: 1, f"{module.__name__}:Router.pick=scope": 0}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("nonsense", ("'nonsense' is not allowed", "module:function=kind")),
        ("a.b=decision", ("'a.b' is no target", "module:Class.method")),
        ("a:b=decison", ("kind 'decison' is not known (did you mean decision?)", "one of request, decision, attempt")),
        ("a:b=attempt(modle='x')", ("value 'modle' is not known to kind attempt (did you mean model?)", "provider")),
        ("a:b=attempt(model=gpt)", ("model = gpt is no expression", "'gpt' is no root", "a root (args, kwargs")),
        ("a:b=attempt(model='x'", ("')' is missing",)),
        ("a:b=attempt(model)", ("'model' is no value", "name=expression")),
        ("__main__:b=attempt", ("__main__ cannot be hooked",)),
    ],
)
def test_an_option_that_cannot_be_read(
    declare: Callable[..., None], caplog: pytest.LogCaptureFixture, text: str, parts: tuple[str, ...]
) -> None:
    declare(f"{text}, never_imported:x=request" if not text.endswith("'x'") else text)
    (said,) = warnings(caplog)
    for part in ("OTEL_LLM_ROUTER_HOOKS: ", *parts, "docs/hooks.md"):
        assert part in said
    if not text.endswith("'x'"):
        assert [(status.hook, status.state) for status in hooks.status()] == [("never_imported:x=request", "waiting")]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("hooks: [", ("it is no YAML in line",)),
        ("- a", ("a mapping with the key hooks",)),
        ("hoks: []\nhooks: ['a:b=scope']", ("key 'hoks' is not known (did you mean hooks?)", "name, requires, hooks")),
        ("hooks: 3", ("hooks takes a list",)),
        ("hooks: [3]", ("'3' is not allowed", "a mapping with the keys hook and kind")),
        ("hooks: [{hook: 'a:b'}]", ("it takes the keys hook and kind",)),
        ("hooks: [{hook: 'a:b', kind: request, model: [a]}]", ("model = ['a'] is no expression",)),
        ("requires: ['a']\nhooks: []", ("requires: 'a' is no target",)),
        ("a: &a [x]\nb: [*a, *c]", ("it is no YAML", "undefined alias")),
    ],
)
def test_a_file_that_cannot_be_read(
    declare: Callable[..., None], caplog: pytest.LogCaptureFixture, text: str, parts: tuple[str, ...]
) -> None:
    declare(file=text)
    (said,) = warnings(caplog)
    for part in ("OTEL_LLM_ROUTER_HOOKS_FILE='", *parts):
        assert part in said


def test_a_file_that_is_not_there(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    instrumentor = HooksInstrumentor()
    instrumentor.instrument(hooks_file=str(tmp_path / "missing.yaml"), profiles=False)
    instrumentor.uninstrument()
    (said,) = warnings(caplog)
    assert "No such file" in said


def test_yaml_makes_no_objects(declare: Callable[..., None], caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    declare(file=f"hooks: !!python/object/apply:os.system ['touch {tmp_path}/made']")
    assert len(warnings(caplog)) == 1
    assert not (tmp_path / "made").exists()


def test_our_own_failures_stay_ours(
    hooked: Hooked, captured: testing.Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hostile:
        def __getattribute__(self, name: str) -> Any:
            raise KeyError(name)

    module = hooked(SOURCE, "@:route=request(model=result.x; error=result.x),@:Router.pick=attempt(error=result.a.b)")
    hostile = Hostile()
    with monkeypatch.context() as patch:  # and not for longer: what is captured sets it back before that
        patch.setattr(_guard.state, "strict", False)
        assert module.route(hostile) is hostile
        assert module.Router().pick(hostile) is hostile


def test_requirements_that_do_not_hold(hooked: Hooked, captured: testing.Captured) -> None:
    module = hooked(SOURCE, file="requires: ['@:Router.missing']\nhooks: ['@:route=request']")
    assert module.route(1) == 1
    assert captured.value("llm_router.inference") == 0
    assert type(module.route).__name__ == "function"
    assert [status.state for status in hooks.status()] == ["not for this application"]


def test_requirements_in_a_module_to_come(
    hooked: Hooked, captured: testing.Captured, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    module = hooked(SOURCE, file="requires: ['@_more:Shape.method']\nhooks: ['@:route=request', '@:missing=request']")
    module.route(1)
    assert captured.value("llm_router.inference") == 0
    assert warnings(caplog) == []
    (tmp_path / f"{module.__name__}_more.py").write_text("class Shape:\n    def method(self): ...\n")
    importlib.invalidate_caches()
    importlib.import_module(f"{module.__name__}_more")
    module.route(1)
    assert captured.value("llm_router.inference") == 1
    assert len(warnings(caplog)) == 1
