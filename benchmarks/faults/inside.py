"""A host program whose instrumentation fails: at one hook after the other, or at all of them from the start.

The hooks are found in the source: what runs under the guard. Each gets a first statement that can raise, as the module
is imported. Run by row R8; prints JSON.
"""

# It takes libraries as they come, and reads the guard's own counts.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from __future__ import annotations

import ast
import asyncio
import builtins
import hashlib
import importlib.machinery
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, Final

PACKAGE: Final = "otel_llm_router"
KINDS: Final[dict[str, type[BaseException]]] = {
    one.__name__: one for one in (Exception, MemoryError, RecursionError, GeneratorExit, asyncio.CancelledError)
}
_SETTLE_SECONDS: Final = 0.3
"""How long what is done off the request path may take to come."""


class Faults:
    """What to raise, and where it was raised."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.everywhere: type[BaseException] | None = None
        self.kind: type[BaseException] = Exception
        self.site = ""
        self.struck = 0

    def __call__(self, site: str) -> None:
        """Stand at a hook."""
        self.seen.add(site)
        if self.everywhere is not None:
            self.struck += 1
            raise self.everywhere("ours")
        if site == self.site:
            self.site = ""
            self.struck += 1
            raise self.kind("ours")


def _is_guard(call: ast.expr, *names: str) -> bool:
    if not isinstance(call, ast.Call):
        return False
    function = call.func
    name = (
        function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
    )
    return name.lstrip("_") in names


class Hooks(ast.NodeTransformer):
    """Puts the statement that can raise at every hook of a module.

    Attributes:
        sites: The hooks, as ``module:line``.
    """

    def __init__(self, module: str) -> None:
        self._module = module
        self.sites: list[str] = []

    def _raising(self, node: ast.stmt) -> ast.stmt:
        site = f"{self._module}:{node.lineno}"
        self.sites.append(site)
        statement = ast.parse(f"__fault__({site!r})").body[0]
        for one in ast.walk(statement):
            ast.copy_location(one, node)
        return statement

    def visit_With(self, node: ast.With) -> ast.AST:
        """Visit ``with guard(...)``."""
        if _is_guard(node.items[0].context_expr, "guard"):
            node.body.insert(0, self._raising(node))
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Visit ``@guarded(...)``."""
        if any(_is_guard(one, "guarded") for one in node.decorator_list):
            node.body.insert(ast.get_docstring(node) is not None, self._raising(node))
        return self.generic_visit(node)

    def visit_Try(self, node: ast.Try) -> ast.AST:
        """Visit ``except ... as error: caught(...)``."""
        if any(
            _is_guard(one, "caught")
            for handler in node.handlers
            for one in ast.walk(handler)
            if isinstance(one, ast.expr)
        ):
            node.body.insert(0, self._raising(node))
        return self.generic_visit(node)


def hooks_of(path: str, module: str) -> tuple[ast.Module, list[str]]:
    """Return a module with its hooks, and these."""
    tree = ast.parse(Path(path).read_bytes())
    hooks = Hooks(module)
    if not module.endswith("._guard"):
        tree = hooks.visit(tree)
    return tree, hooks.sites


def all_hooks() -> list[str]:
    """Return the hooks of the whole package."""
    spec = importlib.machinery.PathFinder.find_spec(PACKAGE, None)
    assert spec is not None
    assert spec.origin is not None
    root = Path(spec.origin).parent
    return [
        site
        for path in sorted(root.rglob("*.py"))
        for site in hooks_of(str(path), ".".join([PACKAGE, *path.relative_to(root).with_suffix("").parts]))[1]
    ]


class _Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname: str) -> CodeType:
        module = fullname + ".__init__" if self.path.endswith("__init__.py") else fullname
        return compile(hooks_of(self.path, module)[0], self.path, "exec")


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if fullname.partition(".")[0] != PACKAGE:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, importlib.machinery.SourceFileLoader):
            spec.loader = _Loader(fullname, spec.loader.path)
        return spec


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()


def _outcome(part: Callable[[], Any]) -> str:
    try:
        return _digest(part())
    except BaseException as error:  # noqa: BLE001  # what the host sees, whatever it is
        return _digest((type(error), str(error)))


def main() -> None:
    """Run the host's parts with faults."""
    faults = Faults()
    builtins.__fault__ = faults  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue]
    sys.meta_path.insert(0, _Finder())
    everywhere = os.environ.get("FAULTS_EVERYWHERE")
    faults.everywhere = KINDS[everywhere] if everywhere else None
    from opentelemetry.instrumentation.auto_instrumentation import initialize  # noqa: PLC0415  # after the hooks

    initialize()
    from benchmarks.faults import host  # noqa: PLC0415  # what it imports is instrumented
    from otel_llm_router.telemetry._guard import state  # noqa: PLC0415

    parts = host.parts(os.environ["FAULTS_PARTS"].split(","))
    if faults.everywhere is None:
        for part in parts.values():
            part()  # a part that fails without a fault would show nothing
    answers = {name: _outcome(part) for name, part in parts.items()}
    said: dict[str, Any] = {"answers": answers}
    if faults.everywhere is None:
        said |= _one_by_one(faults, parts, state)
    else:
        said["struck"] = faults.struck
    print(json.dumps(said), flush=True)


def _one_by_one(faults: Faults, parts: dict[str, Callable[[], Any]], state: Any) -> dict[str, Any]:
    tried, reached, uncounted, hit = 0, list[str](), list[str](), set[str]()
    kinds = list(KINDS.values())[: int(os.environ["FAULTS_KINDS"])]
    for name, part in parts.items():
        _outcome(part)
        time.sleep(_SETTLE_SECONDS)
        faults.seen.clear()
        healthy = _outcome(part)
        time.sleep(_SETTLE_SECONDS)
        for site in sorted(faults.seen):
            for kind in kinds:
                before, faults.struck, faults.kind, faults.site = sum(state.caught.values()), 0, kind, site
                answer = _outcome(part)
                deadline = time.monotonic() + _SETTLE_SECONDS
                while not faults.struck and time.monotonic() < deadline:
                    time.sleep(0.005)
                faults.site = ""
                if not faults.struck:
                    break  # it was a thread of ours that came by
                tried += 1
                hit.add(site)
                if answer != healthy:
                    reached.append(f"{name} {site} {kind.__name__}")
                while sum(state.caught.values()) == before and time.monotonic() < deadline:
                    time.sleep(0.001)
                if sum(state.caught.values()) != before + 1:
                    uncounted.append(f"{name} {site} {kind.__name__}")
    return {"tried": tried, "reached": reached, "uncounted": uncounted, "hit": len(hit), "hooks": len(all_hooks())}


if __name__ == "__main__":
    main()
